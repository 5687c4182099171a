/** What one project needs from the runtime around it, and where it can stand. */
import type { ProjectKey } from '../../core/identifiers.ts';
import type { AttemptPorts } from './activation-attempt.ts';
import type { Caller } from './caller.ts';
import type { Instance } from './instance.ts';
import type { IntakePorts } from './intake.ts';

/** Who serves a project next. */
export interface Target {
  readonly incarnation: string;
  readonly address: string;
}

/** A project as those see it who only tell one from another. */
export interface Occupant {
  readonly key: ProjectKey;
}

export interface ProjectPorts extends AttemptPorts, IntakePorts {
  /** Waits for room among the live instances. False: nobody waits any more. */
  enterRoom(project: Occupant, wanted: () => boolean): Promise<boolean>;
  /** The project is not here any more. */
  gone(project: Occupant): void;
  /** Something started, ended or became idle. */
  changed(project: Occupant): void;
  /** Back to the front door: the project is not this object any more. */
  offer(caller: Caller): void;
  /** Tells the gateways that the project has left. */
  moved(key: ProjectKey, epoch: number, to?: Target): void;
}

export type ProjectState =
  | { readonly type: 'activating'; readonly instance: Instance }
  | { readonly type: 'live'; readonly instance: Instance }
  /** Its instance is in ERROR; the next caller starts it again. */
  | { readonly type: 'failed'; readonly instance: Instance }
  | { readonly type: 'leaving'; readonly instance: Instance }
  | { readonly type: 'gone' };
