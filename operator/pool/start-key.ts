/** Which starts of runtimes would fare alike. Pure. */
import type { Role } from '../../api/names.ts';
import type { ProjectKey } from '../../core/identifiers.ts';
import type { ResourceClass } from './driver.ts';

/** What makes a start go well or badly. A sibling that is well says nothing: it may be of before a quota, a node or a dependency changed. */
export interface Start {
  readonly role: Role;
  readonly revision: string;
  readonly resources: ResourceClass;
  /** Given to a dedicated runtime when it is ready to take it: what comes up without one may still fail with it. */
  readonly project?: ProjectKey;
}

/** Equal for starts that would fare alike. */
export type StartKey = string;

export function startKey({ role, revision, resources, project = '' }: Start): StartKey {
  const { memoryMb = '', cpuPercent = '' } = resources;
  return [role, revision, memoryMb, cpuPercent, project].join(' ');
}
