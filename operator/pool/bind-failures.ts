/** What a driver throws when a standby could not be given a project, and more is known than that. Neither is a reason to end the runtime. */
import type { ProjectKey } from '../../core/identifiers.ts';

/** It has another project already, and serves that one. */
export class BoundElsewhere extends Error {
  override readonly name = 'BoundElsewhere';
  readonly project: ProjectKey;

  constructor(project: ProjectKey) {
    super(`the runtime is bound for life to another project, ${project}`);
    this.project = project;
  }
}

/** Nothing was said to it. */
export class NotTold extends Error {
  override readonly name = 'NotTold';
}
