/**
 * Connections to standbys, made ahead: whoever is promoted would wait for a TLS handshake with a process that has made none before. Tells
 * runtimes nothing by itself.
 */
import type { PoolKey } from '../../../core/identifiers.ts';
import { hostAndPort } from '../../../platform/host-and-port.ts';
import type { Stored } from '../../../platform/kube/kube.ts';
import type { CacheChange } from '../../../platform/kube/resource-cache.ts';
import type { Pod } from '../../../platform/kube/resources.ts';
import type { RuntimeControl } from '../../../platform/link/grpc-runtime-control.ts';
import type { CachedObjects } from './cached-objects.ts';
import { bindingOfPod, poolOfPod, roleOfPod } from './own-pod.ts';
import { phaseOf } from './phase-of.ts';
import { PORTS } from './pod-of.ts';

export type ConnectControl = (pool: PoolKey, address: string) => RuntimeControl;

export interface PodOfPool {
  readonly pool: PoolKey;
  readonly pod: Stored<Pod>;
}

/** Of all pools together, about 0.2 MB each. A standby beyond it is connected to when it is bound. */
const KEPT_MAX = 64;
/** The first call compiles what the second one, for which somebody waits, then finds ready. */
const FIRST_CALL_MS = 5_000;

export class StandbyControls {
  readonly #connect: ConnectControl;
  /** By the uid of the pod. */
  readonly #kept = new Map<string, RuntimeControl>();
  /** Pods that were told already, though the cluster may not show it yet. Bounded by the pods of the cache. */
  readonly #used = new Set<string>();
  readonly #pods: CachedObjects<Pod>;
  readonly #end: () => void;
  #isClosed = false;

  constructor(pods: CachedObjects<Pod>, connect: ConnectControl) {
    this.#pods = pods;
    this.#connect = connect;
    this.#keepAll();
    this.#end = pods.onChange((change) => this.#see(change));
  }

  /** By the connection that is there, or one of its own. */
  async use(found: PodOfPool, act: (control: RuntimeControl) => Promise<void>): Promise<void> {
    const { uid } = found.pod.metadata;
    const kept = this.#kept.get(uid);
    this.#kept.delete(uid);
    this.#used.add(uid);
    const control = kept ?? this.#connect(found.pool, addressOf(found.pod));
    try {
      await act(control);
    } finally {
      control.close();
    }
  }

  /** They are to be reached in another way from now on. Nothing once it is closed: certificates change after that, too. */
  renew(): void {
    if (this.#isClosed) return;
    for (const uid of this.#kept.keys()) this.#drop(uid);
    this.#keepAll();
  }

  close(): void {
    this.#isClosed = true;
    this.#end();
    for (const uid of this.#kept.keys()) this.#drop(uid);
  }

  #keepAll(): void {
    for (const pod of this.#pods.list()) this.#look(pod);
  }

  #see({ before, after }: Pick<CacheChange<Pod>, 'before' | 'after'>): void {
    if (before !== undefined && before.metadata.uid !== after?.metadata.uid) {
      this.#drop(before.metadata.uid);
      this.#used.delete(before.metadata.uid);
    }
    if (after !== undefined) this.#look(after);
  }

  #look(pod: Stored<Pod>): void {
    const { uid } = pod.metadata;
    const pool = poolOfPod(pod);
    if (pool === undefined || !isReadyStandby(pod)) this.#drop(uid);
    else if (!this.#used.has(uid)) this.#keep({ pool, pod });
  }

  #keep({ pool, pod }: PodOfPool): void {
    const { uid } = pod.metadata;
    if (this.#kept.has(uid) || this.#kept.size >= KEPT_MAX) return;
    const control = this.#connect(pool, addressOf(pod));
    this.#kept.set(uid, control);
    void control.ping(FIRST_CALL_MS);
  }

  #drop(uid: string): void {
    this.#kept.get(uid)?.close();
    this.#kept.delete(uid);
  }
}

function isReadyStandby(pod: Pod): boolean {
  if (roleOfPod(pod) !== 'dedicated' || bindingOfPod(pod) !== undefined) return false;
  if (phaseOf(pod).at !== 'running' || pod.status?.podIP === undefined) return false;
  return pod.status.conditions?.some(isTrueReady) === true;
}

function isTrueReady({ type, status }: { readonly type: string; readonly status: string }) {
  return type === 'Ready' && status === 'True';
}

function addressOf({ metadata, status }: Pod): string {
  const ip = status?.podIP;
  if (ip === undefined) throw new Error(`the pod ${metadata?.name ?? ''} has no address yet`);
  return hostAndPort(ip, PORTS.link);
}
