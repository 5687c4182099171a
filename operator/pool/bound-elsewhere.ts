/** What a driver throws when a runtime that was to be bound has another project already: it serves that one, and must not be ended for it. */
import type { ProjectKey } from '../../core/identifiers.ts';

export class BoundElsewhere extends Error {
  override readonly name = 'BoundElsewhere';
  readonly project: ProjectKey;

  constructor(project: ProjectKey) {
    super(`the runtime is bound for life to another project, ${project}`);
    this.project = project;
  }
}
