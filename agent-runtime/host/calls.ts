/** Everything that gateways and peers ask of a runtime beside tasks: instances, pauses, leases, conversations. */
import { AppError } from '../../core/errors.ts';
import { parseInstanceId, type ProjectKey } from '../../core/identifiers.ts';
import { unknownInstance } from '../../core/not-found.ts';
import type { ClientLease } from '../../platform/store/store.ts';
import type { LeaseView, RuntimeCall } from '../../platform/link/frames.ts';
import { addLease, aliveLeases, LEASE_MS_MAX, removeLease, renewLease } from './client-leases.ts';
import type { Instance } from './instance.ts';
import type { InstancePorts } from './instance-ports.ts';
import { viewOf } from './instance-view.ts';
import type { Project } from './project.ts';
import type { Projects } from './projects.ts';
import { releaseClaim } from './releasing.ts';
import type { Errand } from './runner-host.ts';
import { paused, runtimeLost, storeLost } from './run-outcome.ts';
import { conversationLock } from './task-queue.ts';

/** A project that leaves while a call waits for it is opened again, so often. */
const ATTEMPTS_MAX = 3;
/** After the grace of cancelled tasks: for their worker to end. */
const KILL_SLACK_MS = 1_000;

type CallOf<Method extends RuntimeCall['method']> = Extract<
  RuntimeCall,
  { readonly method: Method }
>;

interface Found {
  readonly project: Project;
  readonly instance: Instance;
  /** False: the call has brought it to life. */
  readonly wasLive: boolean;
}

export interface CallPorts extends InstancePorts {
  readonly incarnation: string;
}

export class Calls {
  readonly #ports: CallPorts;
  readonly #projects: Projects;

  constructor(ports: CallPorts, projects: Projects) {
    this.#ports = ports;
    this.#projects = projects;
  }

  async handle(request: RuntimeCall): Promise<unknown> {
    switch (request.method) {
      case 'listInstances':
        return this.#list(request.tenant);
      case 'getInstance':
        return this.#get(request.project);
      case 'activate':
        return this.#activate(request.project);
      case 'remove':
        return this.#remove(request);
      case 'pause':
        return this.#pause(request);
      case 'resume':
        return this.#resume(request.project);
      case 'metrics':
        return this.#ports.metrics.snapshot();
      case 'discard':
        return this.#discard(request.project);
      case 'yieldProject':
        return { released: await this.yieldProject(request.project, request.withinMs) };
      case 'forgetConversation':
        return this.#forget(request);
      default:
        return this.#lease(request);
    }
  }

  /** True: the project is free now. */
  async yieldProject(key: ProjectKey, withinMs: number): Promise<boolean> {
    const project = this.#projects.find(key);
    if (project === undefined) return this.#releaseForgotten(key);
    const letGo = project.hold();
    try {
      if (!(await project.whenQuiescent(withinMs))) return false;
      return await project.leave('yield', { tell: true });
    } finally {
      letGo();
    }
  }

  #list(tenant: string | undefined): unknown {
    const ofTenant = ({ key }: Project): boolean =>
      tenant === undefined || parseInstanceId(key)?.tenant === tenant;
    return this.#projects.all.filter(ofTenant).flatMap((project) => {
      const { instance, queued } = project;
      return instance?.claimed === true ? viewOf(instance, queued) : [];
    });
  }

  #get(key: ProjectKey): unknown {
    const { project, instance } = this.#known(key);
    return viewOf(instance, project.queued);
  }

  async #activate(key: ProjectKey): Promise<unknown> {
    const { project, instance, wasLive } = await this.#live(key);
    return { ...viewOf(instance, project.queued), created: !wasLive };
  }

  async #pause({ project: key, force }: CallOf<'pause'>): Promise<unknown> {
    const { project } = this.#known(key);
    const instance = await project.whenLive();
    if (instance === undefined) throw unknownInstance();
    instance.setPaused(true);
    instance.tasks.dropQueued(paused());
    await this.#commit(instance, { paused: true });
    const stopped = await this.#stop(project, { instance, force, error: paused() });
    // What did not stop was ended: the flag in the record is what is left of it.
    if (!stopped) await project.kill(paused(), { release: true });
    return viewOf(instance, project.queued);
  }

  async #resume(key: ProjectKey): Promise<unknown> {
    const { project } = this.#known(key);
    const instance = await project.whenLive();
    if (instance === undefined) throw unknownInstance();
    await this.#commit(instance, { paused: false });
    instance.setPaused(false);
    return viewOf(instance, project.queued);
  }

  async #remove({ project: key, force }: CallOf<'remove'>): Promise<unknown> {
    const { project, instance } = this.#known(key);
    const letGo = project.hold();
    try {
      const error = new AppError('CANCELLED', 'the instance was deleted');
      const stopped =
        project.state === 'live' && (await this.#stop(project, { instance, force, error }));
      if (stopped && instance.leases.length > 0) await this.#commit(instance, { leases: [] });
      if (!stopped || !(await project.leave('removed', { tell: false })))
        await project.kill(error, { release: true });
      return {};
    } finally {
      letGo();
    }
  }

  async #discard(key: ProjectKey): Promise<unknown> {
    const error = new AppError('CANCELLED', 'the project is being erased');
    await this.#projects.find(key)?.kill(error, { release: true });
    return {};
  }

  /** Waits for what runs, then cancels it. True: it is quiescent and lives. */
  async #stop(
    project: Project,
    {
      instance,
      force,
      error,
    }: { readonly instance: Instance; readonly force: boolean; readonly error: AppError },
  ): Promise<boolean> {
    const { drainSeconds, cancelGraceSeconds } = this.#ports.view.spec.limits;
    if (await project.whenQuiescent(force ? 0 : drainSeconds * 1000))
      return instance.state !== 'ERROR';
    instance.tasks.cancelRunning(error);
    const quiescent = await project.whenQuiescent(cancelGraceSeconds * 1000 + KILL_SLACK_MS);
    return quiescent && instance.state !== 'ERROR';
  }

  async #forget({ project: key, conversationId }: CallOf<'forgetConversation'>): Promise<unknown> {
    const { instance } = await this.#live(key);
    const { clock, view } = this.#ports;
    await new Promise<void>((resolve, reject) => {
      const errand: Errand = {
        type: 'errand',
        priority: 'NORMAL',
        locks: [conversationLock(conversationId)],
        run: async () => {
          patience.cancel();
          instance.session?.forget(conversationId);
          await this.#commit(instance, { forget: conversationId }).then(resolve, reject);
        },
        dropped: (error) => {
          patience.cancel();
          reject(error);
        },
      };
      // Whoever asked waits no longer than this: nothing is erased that was said to have failed.
      const patience = clock.after(view.spec.limits.drainSeconds * 1000, () => {
        if (instance.tasks.withdraw(errand)) reject(conversationBusy());
      });
      instance.tasks.addErrand(errand);
    });
    return {};
  }

  async #lease(request: CallOf<'acquire' | 'renew' | 'releaseLease'>): Promise<unknown> {
    if (request.method !== 'acquire') await this.#checkLease(request.project, request.leaseId);
    const { instance, wasLive } = await this.#live(request.project);
    if (request.method === 'releaseLease') {
      await this.#commit(instance, { leases: removeLease(instance.leases, request.leaseId) });
      return {};
    }
    if (request.method === 'acquire' && instance.paused) throw paused();
    const { clock, random } = this.#ports;
    const id = request.method === 'acquire' ? `${request.project}~${random.id()}` : request.leaseId;
    const lease: ClientLease = {
      id,
      expiresAtMs: clock.wallMs() + Math.min(request.ttlMs, LEASE_MS_MAX),
    };
    const change = request.method === 'acquire' ? addLease : renewLease;
    await this.#commit(instance, { leases: change(instance.leases, lease) });
    const view: LeaseView = {
      leaseId: id,
      instanceId: request.project,
      tier: instance.tier,
      expiresAtMs: lease.expiresAtMs,
    };
    return { ...view, created: !wasLive };
  }

  /** Spares an activation for a lease that has ended. */
  async #checkLease(key: ProjectKey, leaseId: string): Promise<void> {
    if (this.#projects.find(key)?.instance?.claimed === true) return;
    const record = await this.#ports.store.readProject(key);
    const alive = aliveLeases(record?.leases ?? [], this.#ports.clock.wallMs());
    removeLease(alive, leaseId);
  }

  async #commit(instance: Instance, change: Parameters<Instance['commit']>[0]): Promise<void> {
    const outcome = await instance.commit(change);
    if (outcome === 'lost') throw runtimeLost('the project moved to another runtime');
    if (outcome === 'given-up' || !this.#ports.lease.held) throw storeLost();
  }

  #known(key: ProjectKey): { readonly project: Project; readonly instance: Instance } {
    const project = this.#projects.find(key);
    const instance = project?.instance;
    if (project === undefined || instance === undefined) throw unknownInstance();
    return { project, instance };
  }

  async #live(key: ProjectKey): Promise<Found> {
    for (let attempt = 1; attempt <= ATTEMPTS_MAX; attempt += 1) {
      const project = this.#projects.open(key);
      if (project === undefined) break;
      const wasLive = project.state === 'live';
      const instance = await project.whenLive();
      if (instance !== undefined) return { project, instance, wasLive };
    }
    throw new AppError(
      'OWNER_UNREACHABLE',
      'this runtime does not take the project: another one does',
      {
        retryAfterMs: 100,
      },
    );
  }

  /** The store thinks that we own it, and we know nothing of it: a release of ours was lost. */
  async #releaseForgotten(key: ProjectKey): Promise<boolean> {
    const record = await this.#ports.store.readProject(key);
    const { owner, epoch = 0, seq = 0 } = record ?? {};
    if (owner?.incarnation !== this.#ports.incarnation) return owner === undefined;
    if (this.#projects.find(key) !== undefined) return false;
    await releaseClaim(this.#ports, {
      key,
      incarnation: owner.incarnation,
      claimId: owner.claimId,
      epoch,
      seq,
    });
    return true;
  }
}

function conversationBusy(): AppError {
  return new AppError(
    'QUEUE_TIMEOUT',
    'a task of the conversation ran all the while, so that nothing of it was erased: ask again when the task has ended',
    { retryAfterMs: 1_000 },
  );
}
