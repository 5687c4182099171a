/**
 * Runtimes as bare pods whose controller is their AgentPool. Reads from a cache, writes with uid or resourceVersion, so that what was
 * decided on an old view has no effect; never touches a pod that no AgentPool controls, but for those that an earlier pool has left.
 */
import type { AgentPoolSpec } from '../../../api/agent-pool.ts';
import { LABELS } from '../../../api/names.ts';
import type { PoolKey, ProjectKey } from '../../../core/identifiers.ts';
import type { Clock } from '../../../platform/clock.ts';
import { isKubeError } from '../../../platform/kube/kube-error.ts';
import type { Kube, Stored } from '../../../platform/kube/kube.ts';
import { type Pod, PODS } from '../../../platform/kube/resources.ts';
import type { Log } from '../../../platform/log.ts';
import type {
  Driver,
  DrivenRuntime,
  PoolNeeds,
  RuntimeRef,
  RuntimeRequest,
  RuntimeTemplate,
} from '../../pool/driver.ts';
import type { ModuleArtifact } from '../../pool/wanted-pool.ts';
import { NotTold } from '../../pool/bind-failures.ts';
import { adopted } from './adopt.ts';
import { markBound } from './bind-pod.ts';
import type { CachedObjects } from './cached-objects.ts';
import {
  bindingOfPod,
  BY_POOL,
  controllerOf,
  isRuntime,
  leftBy,
  ownershipOf,
  poolOfPod,
  poolThatLeft,
  resourcesOfPod,
  roleOfPod,
} from './own-pod.ts';
import { endPod } from './end-pod.ts';
import { explained } from '../../pool/hindered-by.ts';
import type { Hindrance } from '../../pool/hindrance.ts';
import { makePod, podFor, reclaimPod } from './make-pod.ts';
import { phaseOf } from './phase-of.ts';
import type { PodDefaults, PoolOwner } from './pod-of.ts';
import type { KeptTemplates } from './kept-templates.ts';
import type { ModuleCopies } from './module-copies.ts';
import type { PoolBelongings } from './pool-belongings.ts';
import { phaseSince, Sightings } from './sightings.ts';
import { type ConnectControl, StandbyControls } from './standby-controls.ts';
import { tell, tellBindings } from './tell-bindings.ts';

export interface KubernetesDriverOptions {
  /** Writes only while this process leads. */
  readonly kube: Kube;
  /** Indexed by `BY_POOL`. */
  readonly pods: CachedObjects<Pod>;
  /** The pool as it is in the cluster now; undefined: it is gone. */
  readonly ownerOf: (pool: PoolKey) => PoolOwner | undefined;
  readonly belongings: PoolBelongings;
  readonly copies: ModuleCopies;
  readonly templates: KeptTemplates;
  /** Takes away what the store has for runtimes of the pool to come in. Left out: nothing. */
  readonly closeStore?: (pool: PoolKey) => Promise<void>;
  readonly connect: ConnectControl;
  /** Now: what is told to runtimes has no other fence. */
  readonly isLeader: () => boolean;
  readonly podDefaults: PodDefaults;
  readonly clock: Clock;
  readonly log: Log;
}

/** Long enough to be ended in order, too short to finish anything. */
const REMOVAL_GRACE_SECONDS = 1;
const MS_PER_SECOND = 1_000;

export class KubernetesDriver implements Driver {
  readonly kind = 'kubernetes';
  readonly enforces = { hotLimits: true };
  readonly #options: KubernetesDriverOptions;
  readonly #sightings: Sightings;
  readonly #controls: StandbyControls;

  constructor(options: KubernetesDriverOptions) {
    this.#options = options;
    this.#controls = new StandbyControls(options.pods, options.connect);
    this.#sightings = new Sightings(options.pods, options.clock);
  }

  async create(request: RuntimeRequest, signal: AbortSignal): Promise<void> {
    const { kube, podDefaults } = this.#options;
    const owner = this.#options.ownerOf(request.pool);
    if (owner === undefined || owner.isGoing === true)
      throw new Error(`the pool ${request.pool} is gone`);
    const made = podFor(request, owner, podDefaults);
    await explained(this.#options.copies.ensure(owner, request.template.module, signal));
    await explained(makePod(kube, made, owner, signal));
  }

  async bind(runtime: RuntimeRef, project: ProjectKey, signal: AbortSignal): Promise<void> {
    const pod = this.#find(runtime);
    if (pod === undefined) throw new Error(`there is no runtime ${runtime.name} to bind`);
    // Nothing is written to the cluster for it, where that would be refused.
    if (signal.aborted || !this.#options.isLeader())
      throw new NotTold('this process does not lead');
    await this.#controls.use({ pool: runtime.pool, pod }, (control) => tell(control, project));
  }

  async mark(runtime: RuntimeRef, project: ProjectKey, signal: AbortSignal): Promise<void> {
    const pod = this.#find(runtime);
    if (pod === undefined) return;
    await explained(markBound(this.#options.kube, pod, project, signal));
  }

  async drain(runtime: RuntimeRef, withinMs: number): Promise<void> {
    const graceSeconds = Math.max(1, Math.ceil(withinMs / MS_PER_SECOND));
    await explained(this.#delete(runtime, graceSeconds));
  }

  async remove(runtime: RuntimeRef): Promise<void> {
    await explained(this.#delete(runtime, REMOVAL_GRACE_SECONDS));
  }

  async prepare(pool: PoolKey, needs: PoolNeeds, signal: AbortSignal): Promise<void> {
    const owner = this.#options.ownerOf(pool);
    if (owner === undefined || owner.isGoing === true) return;
    const pods = this.#podsOf(pool);
    const isStarting =
      pods.length < needs.shared + needs.dedicated ||
      pods.some((pod) => phaseOf(pod).at === 'pending');
    await explained(this.#options.belongings.ensure(pool, owner, { ...needs, isStarting }, signal));
    await explained(this.#options.templates.adopt(pool, owner, signal));
    await this.#adoptLeft(pool, owner, signal);
  }

  complaintOf(pool: PoolKey): Hindrance | undefined {
    return this.#options.belongings.complaintOf(pool);
  }

  async keepModules(
    pool: PoolKey,
    modules: readonly ModuleArtifact[],
    signal: AbortSignal,
  ): Promise<void> {
    const owner = this.#options.ownerOf(pool);
    if (owner === undefined || owner.isGoing === true) return;
    const { copies } = this.#options;
    if (this.#podsOf(pool).length > 0) await explained(copies.restore(owner, modules, signal));
    await explained(copies.tidy(pool, owner, modules, signal));
  }

  async keepTemplate(pool: PoolKey, template: RuntimeTemplate, signal: AbortSignal): Promise<void> {
    const owner = this.#options.ownerOf(pool);
    if (owner === undefined || owner.isGoing === true) return;
    await explained(this.#options.templates.keep(pool, owner, template, signal));
  }

  async keptTemplate(
    pool: PoolKey,
    revision: string,
    live: AgentPoolSpec,
    signal: AbortSignal,
  ): Promise<RuntimeTemplate | undefined> {
    const owner = this.#options.ownerOf(pool);
    if (owner === undefined) return undefined;
    return explained(this.#options.templates.read(pool, owner, revision, { live, signal }));
  }

  /** Runtimes that were left on purpose go on, until a pool of this name takes them over. */
  async forget(pool: PoolKey): Promise<void> {
    const { pods, closeStore } = this.#options;
    if (!pods.find(BY_POOL, leftBy(pool)).some(isRuntime)) await closeStore?.(pool);
  }

  async list(pool: PoolKey): Promise<readonly DrivenRuntime[]> {
    return this.#podsOf(pool).map((pod) => this.#view(pool, pod));
  }

  /** Those of pods, too, that an earlier pool of this name has left, as long as they drain. */
  namesInUse(pool: PoolKey): readonly string[] {
    const { pods } = this.#options;
    const all = [...pods.find(BY_POOL, pool), ...pods.find(BY_POOL, leftBy(pool))];
    return all.map((pod) => pod.metadata.name);
  }

  async listPools(): Promise<readonly PoolKey[]> {
    return [...new Set(this.#options.pods.list().flatMap((pod) => poolOfPod(pod) ?? []))];
  }

  watch(onChange: (pool: PoolKey) => void): () => void {
    const ends = [
      this.#options.belongings.onChange(onChange),
      this.#options.pods.onChange(({ before, after }) => {
        const pools = [after, before].map((pod) => pod && (poolOfPod(pod) ?? poolThatLeft(pod)));
        const pool = pools.find((one) => one !== undefined);
        if (pool === undefined) return;
        if (before !== undefined && after === undefined) this.#reclaim(before);
        onChange(pool);
      }),
    ];
    return () => {
      for (const end of ends) end();
    };
  }

  /** Runtimes are to be reached in another way (by other certificates) from now on. */
  renewConnections(): void {
    this.#controls.renew();
  }

  close(): void {
    this.#controls.close();
    this.#options.belongings.close();
  }

  /** Those, too, that an earlier pool has left: they are taken over by and by. */
  #podsOf(pool: PoolKey): readonly Stored<Pod>[] {
    const { pods, ownerOf } = this.#options;
    const owner = ownerOf(pool);
    const controlled = pods.find(BY_POOL, pool);
    // Of a pool that is gone the cluster itself takes the pods away; of an earlier one of the same name, too.
    if (owner === undefined) return controlled;
    const own = controlled.filter((pod) => ownershipOf(owner, pod) === 'own');
    return [...own, ...pods.find(BY_POOL, leftBy(pool)).filter(isRuntime)];
  }

  /** One that is bound may be new, from a backup, and not know it: it becomes the pool's own only once it does, as only others are told again. */
  async #adoptLeft(pool: PoolKey, owner: PoolOwner, signal: AbortSignal): Promise<void> {
    const left = this.#podsOf(pool).filter(
      (pod) => pod.metadata.deletionTimestamp === undefined && ownershipOf(owner, pod) !== 'own',
    );
    const pods = left.map((pod) => ({ pool, pod }));
    const told = await tellBindings(pods, this.#controls, this.#options.log);
    for (const found of left) {
      if (bindingOfPod(found) !== undefined && !told.has(found.metadata.uid)) continue;
      await explained(adopted(this.#options.kube, PODS, { found, owner }, signal));
    }
  }

  #find({ pool, name }: RuntimeRef): Stored<Pod> | undefined {
    return this.#podsOf(pool).find((pod) => pod.metadata.name === name);
  }

  #view(pool: PoolKey, pod: Stored<Pod>): DrivenRuntime {
    const binding = bindingOfPod(pod);
    const seen = this.#sightings.of(pod);
    return {
      name: pod.metadata.name,
      pool,
      role: roleOfPod(pod),
      revision: pod.metadata.labels?.[LABELS.revision] ?? '',
      resources: resourcesOfPod(pod),
      createdMs: seen.startedMs ?? seen.seenMs,
      phase: phaseSince(pod, seen),
      ...(binding === undefined
        ? {}
        : { binding: { project: binding, sinceMs: seen.boundMs ?? seen.seenMs } }),
    };
  }

  #reclaim(lost: Stored<Pod>): void {
    if (lost.metadata.deletionTimestamp !== undefined) return;
    reclaimPod(this.#options.kube, lost).catch((error: unknown) => {
      const runtime = lost.metadata.name;
      this.#options.log.info('runtime without its labels could not be had back', {
        err: error,
        runtime,
      });
    });
  }

  /** Just made, and not in the cache yet. */
  async #read({ pool, name }: RuntimeRef): Promise<Stored<Pod> | undefined> {
    const owner = this.#options.ownerOf(pool);
    if (owner === undefined) return undefined;
    try {
      const pod = await this.#options.kube.get(PODS, { namespace: owner.namespace, name });
      return controllerOf(pod.metadata)?.uid === owner.uid ? pod : undefined;
    } catch (error) {
      if (isKubeError(error, 'NotFound')) return undefined;
      throw error;
    }
  }

  async #delete(runtime: RuntimeRef, gracePeriodSeconds: number): Promise<void> {
    const pod = this.#find(runtime) ?? (await this.#read(runtime));
    if (pod === undefined) return;
    // Of a pool that is gone it may have been left on purpose: a cache may show that later than the end of the pool.
    const mayBeLeft = this.#options.ownerOf(runtime.pool) === undefined;
    await endPod(this.#options.kube, pod, { gracePeriodSeconds, mayBeLeft });
  }
}
