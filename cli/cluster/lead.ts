/** What the operator that leads does: store, source, driver and the loop over the pools, until it is told to stop. */
import { type AgentPoolSpec, API_VERSION, KIND } from '../../api/agent-pool.ts';
import { EVENT_REASONS } from '../../api/reasons.ts';
import { type PoolKey, poolKeyOf } from '../../core/identifiers.ts';
import { KubernetesDriver } from '../../operator/drivers/kubernetes/kubernetes-driver.ts';
import type { PoolOwner } from '../../operator/drivers/kubernetes/pod-of.ts';
import { ImmutableCopies } from '../../operator/drivers/kubernetes/immutable-copies.ts';
import { KeptTemplates, type SealOf } from '../../operator/drivers/kubernetes/kept-templates.ts';
import { ModuleCopies } from '../../operator/drivers/kubernetes/module-copies.ts';
import { PoolBelongings } from '../../operator/drivers/kubernetes/pool-belongings.ts';
import { ordinalNames } from '../../operator/drivers/kubernetes/runtime-names.ts';
import { type Operator, startOperator } from '../../operator/main.ts';
import type { NewEvent } from '../../operator/pool/events.ts';
import { CLUSTER_POOL_LIMITS } from '../../operator/pool/pool-limits.ts';
import type { PoolUsers } from '../../platform/store/redis/pool-users.ts';
import { placeFilesOf } from '../../platform/store/redis/redis-secret.ts';
import { OperatorMetrics } from '../../operator/metrics.ts';
import { EraseBound } from '../../operator/sources/erase-bound.ts';
import { KubernetesPools } from '../../operator/sources/kubernetes-pools.ts';
import { PoolWriter } from '../../operator/sources/pool-writer.ts';
import { systemClock } from '../../platform/clock.ts';
import type { Kube } from '../../platform/kube/kube.ts';
import { EventRecorder } from '../../platform/kube/event-recorder.ts';
import { leaderOnly } from '../../platform/kube/leader-only.ts';
import { RATE_LIMITS, rateBound } from '../../platform/kube/rate-bound.ts';
import { connectRuntimeControl } from '../../platform/link/grpc-runtime-control.ts';
import type { Log, LogLevel } from '../../platform/log.ts';
import type { Metrics } from '../../platform/metrics/registry.ts';
import { systemRandom } from '../../platform/random.ts';
import type { Store } from '../../platform/store/store.ts';
import type { OperatorCaches } from './operator-caches.ts';
import { runtimeSecretFiles, type RuntimeSecretSources } from './runtime-secret-files.ts';
import { LateStore } from './late-store.ts';
import { ensureUsersOf, storeUsers } from './store-users.ts';
import { type LinkSecret, openStore, runtimesOver } from './secret-folders.ts';
import { poolKeyDigest, poolTextSeal } from '../../platform/tls/pool-key.ts';
import type { Followed } from '../../platform/tls/secret-folder.ts';

export interface LeadOptions {
  readonly kube: Kube;
  readonly isLeader: () => boolean;
  readonly caches: OperatorCaches;
  readonly secrets: Pick<RuntimeSecretSources, 'authority' | 'store'> & {
    readonly link: Followed<LinkSecret>;
  };
  readonly storeFolder: string;
  /** Each pool gets a user of its own in the store. */
  readonly poolUsers: boolean;
  /** The name of this process, for events. */
  readonly instance: string;
  readonly releaseNamespace: string;
  /** The same for all operators of which one leads, for no others. */
  readonly installation: string;
  readonly endpoint?: string;
  readonly runtimeImage?: string;
  /** Of the runtimes that are made from now on. */
  readonly logLevel: LogLevel;
  /** How long the finaliser may hold a deleted pool. */
  readonly eraseMsMax: number;
  readonly metrics: Metrics;
  readonly log: Log;
}

export interface Leading {
  /** Resolves when it decides and writes nothing any more. */
  stop(): Promise<void>;
}

const STORE_RETRY_MS = 2_000;
/** What waits to be told when the operator stops: an API server that is away must not hold it. */
const LAST_EVENTS_MS = 2_000;

/** @param onFailure it cannot lead, for a reason that another start may mend. */
export function lead(options: LeadOptions, onFailure: (error: Error) => void): Leading {
  const stopping = new AbortController();
  const hands = handsOf(options);
  const started = start(options, hands, stopping.signal).catch((error: unknown) => {
    if (!stopping.signal.aborted)
      onFailure(error instanceof Error ? error : new Error(String(error)));
    return undefined;
  });
  return {
    async stop() {
      stopping.abort(new Error('the operator stops'));
      const parts = await started;
      await parts?.operator.stop();
      parts?.driver.close();
      await tellLastEvents(hands.recorder);
      await parts?.store.close();
      hands.users?.close();
    },
  };
}

async function tellLastEvents(recorder: EventRecorder): Promise<void> {
  const told = new AbortController();
  const limit = systemClock.sleep(LAST_EVENTS_MS, told.signal).catch(() => undefined);
  await Promise.race([recorder.stop(), limit]);
  told.abort();
}

interface Parts {
  readonly operator: Operator;
  readonly driver: KubernetesDriver;
  readonly store: Store;
}

async function start(options: LeadOptions, hands: Hands, signal: AbortSignal): Promise<Parts> {
  const told: Told = { isStoreRead: false, lastSpecs: new Map() };
  const { store, tried } = lateStore(options, hands, told);
  try {
    await orAborted(tried, signal);
    return { ...(await startWith({ store, told }, options, hands, signal)), store };
  } catch (error) {
    // Told to stop meanwhile, perhaps: its connection would keep the process alive.
    await store.close();
    throw error;
  }
}

/** What the store says that an earlier operator has served: for pools whose objects do not parse now. */
interface Told {
  isStoreRead: boolean;
  readonly lastSpecs: Map<PoolKey, AgentPoolSpec>;
}

/** It may be away when this process starts to lead: then pools and pods are looked after as when it is lost later. */
function lateStore(
  { storeFolder, installation, log }: LeadOptions,
  { users }: Pick<Hands, 'users'>,
  told: Told,
): LateStore {
  return new LateStore({
    kind: 'redis',
    open: () => openStore(storeFolder, log, { ...(users && { users }) }),
    onOpen: async (store) => {
      const records = await store.listPools();
      if (users !== undefined) await ensureUsersOf(records, installation, users);
      for (const { key, spec } of records) told.lastSpecs.set(key, spec as AgentPoolSpec);
      told.isStoreRead = true;
    },
    retryMs: STORE_RETRY_MS,
    clock: systemClock,
    log,
  });
}

/** What it writes with, only while it leads. */
interface Hands {
  readonly kube: Kube;
  readonly writer: PoolWriter;
  readonly recorder: EventRecorder;
  readonly eraseBound: EraseBound;
  /** Absent: runtimes are in the store as the installation is. */
  readonly users?: PoolUsers;
}

function handsOf(options: LeadOptions): Hands {
  const { kube, isLeader, eraseMsMax, instance, log } = options;
  const led = leaderOnly(kube, isLeader);
  const bound = rateBound(led, { clock: systemClock, ...RATE_LIMITS });
  return {
    kube: bound,
    writer: new PoolWriter({ kube: bound, clock: systemClock }),
    recorder: new EventRecorder({
      kube: led,
      clock: systemClock,
      log,
      controller: 'agentpool.dev/operator',
      instance,
    }),
    eraseBound: new EraseBound(systemClock, eraseMsMax),
    ...(options.poolUsers ? { users: storeUsers({ ...options.secrets, log }) } : {}),
  };
}

async function startWith(
  { store, told }: { readonly store: Store; readonly told: Told },
  options: LeadOptions,
  hands: Hands,
  signal: AbortSignal,
): Promise<Omit<Parts, 'store'>> {
  const { writer, recorder, eraseBound } = hands;
  const { caches, runtimeImage, endpoint, installation, metrics, log } = options;
  await orAborted(
    caches.namespaces.synced.then(() => caches.namespaces.renew()),
    signal,
  );
  const storePlace = JSON.stringify(placeFilesOf(options.secrets.store.current));
  const image = runtimeImage === undefined ? {} : { defaultImage: runtimeImage };
  const source = new KubernetesPools({
    pools: caches.pools,
    configMaps: caches.configMaps,
    writer,
    eraseBound,
    lastSpecs: told.lastSpecs,
    isStoreRead: () => told.isStoreRead,
    sight: caches.namespaces,
    installedFor: (pool) => [storePlace, poolKeyDigest(keyOf(options), pool)],
    ...image,
  });
  const driver = driverOf(options, hands, source, storePlace);
  const operator = await startOperator({
    store,
    driver,
    source,
    installation,
    nameRuntime: ordinalNames,
    limits: CLUSTER_POOL_LIMITS,
    clock: systemClock,
    random: systemRandom,
    log,
    onEvent: (pool, event) => tell(recorder, source.ownerOf(poolKeyOf(pool)), event),
    metrics: new OperatorMetrics(metrics),
    ...(endpoint === undefined ? {} : { endpoint }),
  });
  return { operator, driver };
}

const keyOf = ({ secrets }: LeadOptions): string => secrets.link.current.installationKey;

function driverOf(
  options: LeadOptions,
  { kube, users }: Pick<Hands, 'kube' | 'users'>,
  source: KubernetesPools,
  storePlace: string,
): KubernetesDriver {
  const { caches, secrets, releaseNamespace, logLevel, isLeader, log } = options;
  const belongings = new PoolBelongings({
    kube,
    secretFiles: runtimeSecretFiles({
      ...secrets,
      ...(users && { users }),
      ...{ clock: systemClock, log },
    }),
    pods: caches.pods,
    releaseNamespace,
    clock: systemClock,
  });
  for (const followed of [secrets.link, secrets.authority, secrets.store])
    if ('onChange' in followed) (followed as Followed<unknown>).onChange(() => belongings.renew());
  for (const cache of caches.belongings) cache.onChange((change) => belongings.noteChange(change));
  const accessOf = runtimesOver(secrets.link);
  const { pods, configMaps } = caches;
  const copies = new ImmutableCopies({ kube, configMaps });
  const sealOf: SealOf = (pool, text) => poolTextSeal(keyOf(options), pool, text);
  const driver = new KubernetesDriver({
    kube,
    pods,
    ownerOf: (pool) => source.ownerOf(pool),
    belongings,
    copies: new ModuleCopies({ kube, copies, configMaps, pods }),
    templates: new KeptTemplates({ kube, copies, configMaps, sealOf, storePlace, log }),
    ...(users && { closeStore: (pool) => users.remove(pool) }),
    connect: (pool, address) => connectRuntimeControl({ address, ...accessOf(pool) }, systemClock),
    clock: systemClock,
    log,
    isLeader,
    podDefaults: { logLevel },
  });
  secrets.link.onChange(() => driver.renewConnections());
  return driver;
}

/** `kubectl describe agentpool` shows it. */
function tell(
  recorder: EventRecorder,
  owner: PoolOwner | undefined,
  { reason, message }: NewEvent,
): void {
  if (owner === undefined) return;
  const { namespace, name, uid } = owner;
  recorder.record({
    regarding: { apiVersion: API_VERSION, kind: KIND, metadata: { namespace, name, uid } },
    type: EVENT_REASONS[reason].type,
    reason,
    action: 'Reconcile',
    note: message,
  });
}

/** Without an API server nothing comes of it, and whoever is told to stop must not wait for that. */
async function orAborted(work: Promise<unknown>, signal: AbortSignal): Promise<void> {
  const aborted = new Promise<never>((_, reject) => {
    const end = (): void => reject(signal.reason as Error);
    if (signal.aborted) end();
    else signal.addEventListener('abort', end, { once: true });
  });
  await Promise.race([work, aborted]);
}
