/** Live instances as the runtimes tell of them: list, look, activate, end, pause and resume. */
import { AppError } from '../../core/errors.ts';
import type { InstanceState } from '../../core/instance-state.ts';
import type { Tier } from '../../core/tier.ts';
import type { InstanceView, RuntimeCall } from '../../platform/link/frames.ts';
import { parseInstanceId } from '../../core/identifiers.ts';
import { unknownInstance } from '../../core/not-found.ts';
import { hasProject, type Principal } from '../access/principal.ts';
import { authorize } from '../access/roles.ts';
import type { PoolView } from '../pool-view.ts';
import { allowIdentifier, invalid } from '../request-fields.ts';
import type { StageContext } from '../stages/stage-context.ts';
import {
  CALL_MS_MAX,
  drainMs,
  type OwnerAnswer,
  type OwnerCalls,
  SLACK_MS,
} from './owner-calls.ts';
import { pageInMemory, type PageOf, type PageRequest } from './page.ts';
import type { ProjectNames, ProjectTarget, ProjectTargets } from './project-target.ts';

export interface Instance extends Omit<InstanceView, 'state' | 'queued'> {
  /** As callers name it. */
  readonly pool: string;
  readonly tenant: string;
  readonly project: string;
  readonly state: InstanceState;
  /** Incarnation of the runtime; empty where no runtime has it. */
  readonly runtime: string;
}

export interface InstanceFilter extends PageRequest {
  readonly pool: string;
  readonly tier?: Tier | undefined;
  readonly state?: InstanceState | undefined;
  /** Empty: any. */
  readonly tenant: string;
  readonly project: string;
}

const FLAG_ATTEMPTS_MAX = 5;

export interface InstancesParts {
  readonly context: StageContext;
  readonly targets: ProjectTargets;
  readonly owners: OwnerCalls;
}

export class Instances {
  readonly #context: StageContext;
  readonly #targets: ProjectTargets;
  readonly #owners: OwnerCalls;

  constructor({ context, targets, owners }: InstancesParts) {
    this.#context = context;
    this.#targets = targets;
    this.#owners = owners;
  }

  /** In the order of ids; what the principal may not see is left out. A runtime that does not answer is left out too. */
  async list(principal: Principal, filter: InstanceFilter): Promise<PageOf<Instance>> {
    const pool = this.#targets.pool(principal, 'ListInstances', filter.pool);
    const { tenant, project, tier, state } = filter;
    allowIdentifier('tenant', tenant);
    allowIdentifier('project', project);
    if (tenant !== '') authorize(principal, 'ListInstances', { tenant });
    const all = await this.ofPool(principal, pool, tenant);
    const wanted = all.filter(
      (one) =>
        (tier === undefined || one.tier === tier) &&
        (state === undefined || one.state === state) &&
        (tenant === '' || one.tenant === tenant) &&
        (project === '' || one.project === project),
    );
    return pageInMemory(wanted, filter, ({ id }) => id);
  }

  /** Every live instance of the pool that the principal may see, each once: of the highest epoch. */
  async ofPool(principal: Principal, pool: PoolView, tenant = ''): Promise<Instance[]> {
    const request: RuntimeCall =
      tenant === '' ? { method: 'listInstances' } : { method: 'listInstances', tenant };
    const reachable = this.#context.runtimes.of(pool.key).filter((runtime) => runtime.isReachable);
    const lists = await Promise.all(
      reachable.map(async (runtime) =>
        this.#listOf(pool, runtime.incarnation, runtime.link.call(request, CALL_MS_MAX)),
      ),
    );
    const newest = new Map<string, Instance>();
    for (const one of lists.flat()) {
      const known = newest.get(one.id);
      if (
        (known === undefined || known.epoch < one.epoch) &&
        hasProject(principal, one.tenant, one.project)
      )
        newest.set(one.id, one);
    }
    return [...newest.values()];
  }

  async get(principal: Principal, id: string): Promise<Instance> {
    const target = this.#targets.byInstanceId(principal, 'GetInstance', id);
    const instance = await this.find(target);
    if (instance === undefined) throw unknownInstance();
    return instance;
  }

  /** Undefined: there is no live one. */
  async find(target: ProjectTarget): Promise<Instance | undefined> {
    return this.#ask(target, { method: 'getInstance', project: target.key }, CALL_MS_MAX);
  }

  /** Activates without a task. The tier is the project's: creating an instance overrides nothing, so another `tier` is INVALID_FIELD. */
  async create(
    principal: Principal,
    names: ProjectNames,
    tier?: Tier,
  ): Promise<{ readonly instance: Instance; readonly created: boolean }> {
    const target = this.#targets.byNames(principal, 'CreateInstance', names);
    const own = this.#tierOf(target);
    if (tier !== undefined && tier !== own)
      throw invalid('tier', `must be the project's, ${own}: creating an instance sets no tier`);
    const timeoutMs = target.pool.spec.health.initializeTimeoutSeconds * 1000 + SLACK_MS;
    const found = await this.#owners.askOrPlace(
      target,
      { method: 'activate', project: target.key },
      timeoutMs,
    );
    const { created = false } = found.answer as { readonly created?: boolean };
    return { instance: this.#instanceOf(target.pool, found), created };
  }

  /** Ends the instance; the project's state stays. */
  async delete(principal: Principal, id: string, force: boolean): Promise<void> {
    const target = this.#targets.byInstanceId(principal, 'DeleteInstance', id);
    const found = await this.#owners.ask(
      target,
      { method: 'remove', project: target.key, force },
      drainMs(target.pool),
    );
    if (found === undefined) throw unknownInstance();
  }

  async pause(principal: Principal, id: string, force: boolean): Promise<Instance> {
    const target = this.#targets.byInstanceId(principal, 'PauseInstance', id);
    return this.#setPaused(target, true, { method: 'pause', project: target.key, force });
  }

  async resume(principal: Principal, id: string): Promise<Instance> {
    const target = this.#targets.byInstanceId(principal, 'ResumeInstance', id);
    return this.#setPaused(target, false, { method: 'resume', project: target.key });
  }

  /** By the owner where there is one, else by the flag in the record; either may come into being meanwhile. */
  async #setPaused(
    target: ProjectTarget,
    paused: boolean,
    request: RuntimeCall,
  ): Promise<Instance> {
    const { store } = this.#context;
    for (let attempt = 1; attempt <= FLAG_ATTEMPTS_MAX; attempt += 1) {
      const found = await this.#ask(target, request, drainMs(target.pool));
      if (found !== undefined) return found;
      const record = await store.readProject(target.key);
      const epoch = record?.epoch ?? 0;
      if ((await store.setPaused(target.key, paused, epoch)) === 'set')
        return this.#absent(target, {
          paused,
          epoch,
          requests: record?.requests ?? 0,
          lastUsedMs: record?.lastUsedMs ?? 0,
        });
    }
    throw new AppError('STORE_UNAVAILABLE', 'the project changes hands all the time: try again', {
      retryAfterMs: 1_000,
    });
  }

  /** An owner that has just let go of the instance is none. */
  async #ask(
    target: ProjectTarget,
    request: RuntimeCall,
    timeoutMs: number,
  ): Promise<Instance | undefined> {
    try {
      const found = await this.#owners.ask(target, request, timeoutMs);
      return found === undefined ? undefined : this.#instanceOf(target.pool, found);
    } catch (error) {
      if (error instanceof AppError && error.reason === 'UNKNOWN_INSTANCE') return undefined;
      throw error;
    }
  }

  async #listOf(pool: PoolView, runtime: string, answer: Promise<unknown>): Promise<Instance[]> {
    try {
      const views = (await answer) as readonly InstanceView[];
      return views
        .map((view) => this.#withNames(pool, view, runtime))
        .filter((one) => one !== undefined);
    } catch (error) {
      this.#context.log.warn('runtime does not tell its instances', { runtime, err: error });
      return [];
    }
  }

  #instanceOf(pool: PoolView, { answer, runtime }: OwnerAnswer): Instance {
    const instance = this.#withNames(pool, answer as InstanceView, runtime.incarnation);
    if (instance === undefined)
      throw new AppError('INTERNAL', 'a runtime answered with an instance that has no valid id');
    return instance;
  }

  #withNames(pool: PoolView, view: InstanceView, runtime: string): Instance | undefined {
    const ref = parseInstanceId(view.id);
    if (ref === undefined) return undefined;
    const { id, tier, createdMs, lastUsedMs, requests, memoryBytes, cpuPercent, message, epoch } =
      view;
    // Both ends of the link are of one build or speak one protocol version.
    const state = view.state as InstanceState;
    const names = {
      id,
      pool: this.#context.membership.nameOf(pool),
      tenant: ref.tenant,
      project: ref.project,
    };
    return {
      ...names,
      tier,
      state,
      runtime,
      createdMs,
      lastUsedMs,
      requests,
      memoryBytes,
      cpuPercent,
      message,
      epoch,
    };
  }

  #tierOf({ key, pool, tenant, project }: ProjectTarget): Tier {
    const { clock, membership } = this.#context;
    return pool.tierOf(tenant, project, membership.override(pool, key), clock.wallMs()).tier;
  }

  #absent(
    target: ProjectTarget,
    record: {
      readonly paused: boolean;
      readonly epoch: number;
      readonly requests: number;
      readonly lastUsedMs: number;
    },
  ): Instance {
    const { key, pool, tenant, project } = target;
    return {
      id: key,
      pool: this.#context.membership.nameOf(pool),
      tenant,
      project,
      tier: this.#tierOf(target),
      state: record.paused ? 'PAUSED' : 'TERMINATED',
      runtime: '',
      createdMs: 0,
      lastUsedMs: record.lastUsedMs,
      requests: record.requests,
      memoryBytes: 0,
      cpuPercent: 0,
      message: record.paused ? 'paused, no live instance' : 'no live instance',
      epoch: record.epoch,
    };
  }
}
