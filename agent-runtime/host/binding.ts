/**
 * The one project of a dedicated runtime: bound once for life, its agents initialised ahead so that the project can move in at once.
 * Claims nothing: that happens with the first task.
 */
import { AppError } from '../../core/errors.ts';
import { heapClassMb } from '../../core/heap-class.ts';
import type { ProjectKey } from '../../core/identifiers.ts';
import { BIND_PROBLEM_CHARACTERS_MAX } from '../../platform/store/runtime-record.ts';
import { initialize, type ActivationPorts } from './activation.ts';
import { Session } from './session.ts';

const RETRY_MS = 5_000;

export type BindingPorts = Pick<ActivationPorts, 'clock' | 'view' | 'workers' | 'log' | 'lease'> & {
  /** The binding or its readiness has changed: other processes have to know. */
  publish(): void;
};

type BindingState =
  | { readonly type: 'unbound' }
  | {
      readonly type: 'bound';
      readonly project: ProjectKey;
      readonly ready: boolean;
      /** Of the last try. */
      readonly problem?: string;
    };

export class Binding {
  readonly #ports: BindingPorts;
  #state: BindingState = { type: 'unbound' };
  #prepared: Session | undefined;

  constructor(ports: BindingPorts) {
    this.#ports = ports;
  }

  get project(): ProjectKey | undefined {
    return this.#state.type === 'bound' ? this.#state.project : undefined;
  }

  /** Why its agents are not initialised, if that has failed. */
  get problem(): string | undefined {
    return this.#state.type === 'bound' ? this.#state.problem : undefined;
  }

  get isFree(): boolean {
    return this.#state.type === 'unbound';
  }

  /** A standby is ready as it is; a bound one when its agents are initialised. */
  get ready(): boolean {
    return this.#state.type === 'unbound' || this.#state.ready;
  }

  /**
   * Notes the project and initialises its agents in the background; others are told when they are, or by the next renewal of the lease: nobody
   * can use it before. The same project again is fine; another is refused.
   */
  bind(project: ProjectKey): void {
    if (this.#state.type === 'bound') {
      if (this.#state.project === project) return;
      throw new AppError('INTERNAL', 'this runtime is bound to a project already', {
        metadata: { project: this.#state.project },
      });
    }
    this.#state = { type: 'bound', project, ready: false };
    this.#ports.view.followProject(project);
    void this.#prepare(project);
  }

  /** The session that was opened ahead, once. */
  take(key: ProjectKey): Session | undefined {
    if (this.project !== key) return undefined;
    const prepared = this.#prepared;
    this.#prepared = undefined;
    return prepared;
  }

  async #prepare(project: ProjectKey): Promise<void> {
    const { clock, lease } = this.#ports;
    while (!lease.stopped) {
      const session = await this.#open(project);
      if (session instanceof AppError) this.#failed(project, session);
      else if (session !== undefined) {
        this.#prepared = session;
        this.#state = { type: 'bound', project, ready: true };
        this.#ports.publish();
        return;
      }
      await clock.sleep(RETRY_MS);
    }
  }

  /** Others are told before this process is given up, and its log with it. */
  #failed(project: ProjectKey, { message }: AppError): void {
    const problem = message.slice(0, BIND_PROBLEM_CHARACTERS_MAX);
    if (problem === this.problem) return;
    this.#state = { type: 'bound', project, ready: false, problem };
    this.#ports.publish();
  }

  /** Undefined: its worker did not come up. */
  async #open(project: ProjectKey): Promise<Session | AppError | undefined> {
    const { workers, view, log } = this.#ports;
    const { memoryMb } = view.quotaOf(project, 'HOT');
    const { worker } = await workers.take('HOT', heapClassMb(memoryMb));
    const ready = await worker.ready;
    if (ready.type !== 'ready') return undefined;
    const session = new Session(worker);
    const error = await initialize(this.#ports, session, { key: project, tier: 'HOT' });
    if (error === undefined) return session;
    log.warn('bound project not initialised', { err: error, instance_id: project });
    return error;
  }
}
