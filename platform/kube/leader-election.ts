/**
 * One of several processes leads, as long as it renews a Lease. No clock but the own monotonic one is believed: a follower takes over when
 * it has seen no change for the Lease's duration; a leader counts from before its last successful renewal was sent.
 */
import type { Clock } from '../clock.ts';
import type { Log } from '../log.ts';
import type { Random } from '../random.ts';
import { isKubeError } from './kube-error.ts';
import type { CallOptions, Kube, ObjectRef, Stored } from './kube.ts';
import type { KubeMetrics } from './metrics.ts';
import { microTime } from './micro-time.ts';
import { LEASES, type Lease } from './resources.ts';

export interface LeaseTimes {
  /** A follower takes over after so long without a sign of the leader. */
  readonly durationMs: number;
  /** A leader that has not renewed for so long leads no more. Below the duration: it stops before another begins. */
  readonly renewDeadlineMs: number;
  /** Between two tries, up to a fifth more. */
  readonly retryMs: number;
}

/** client-go's. */
export const LEASE_TIMES: LeaseTimes = {
  durationMs: 15_000,
  renewDeadlineMs: 10_000,
  retryMs: 2_000,
};

export interface ElectionOptions {
  /** Neither rate-bound nor fenced. */
  readonly kube: Kube;
  readonly lease: ObjectRef;
  /** Of this incarnation of the process: the pod's name and something random. */
  readonly identity: string;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
  readonly times?: LeaseTimes;
  readonly metrics?: KubeMetrics;
  readonly onLeading: () => void;
  /** Led, and does not any more, though nobody asked it to stop: the process should exit, its caches and expectations are a leader's. */
  readonly onLost: () => void;
}

type Standing =
  /** `seen`: the version of the Lease when it last changed, and when that was noticed. */
  | {
      readonly type: 'following';
      readonly seen?: { readonly version: string; readonly atMs: number };
    }
  | { readonly type: 'leading'; readonly lease: Stored<Lease>; readonly renewedMs: number }
  /** For good. */
  | { readonly type: 'over' };

export class LeaderElection {
  readonly #options: ElectionOptions;
  readonly #times: LeaseTimes;
  readonly #stopping = new AbortController();
  #standing: Standing = { type: 'following' };
  #running: Promise<void> | undefined;
  #told: string | undefined;

  constructor(options: ElectionOptions) {
    this.#options = options;
    this.#times = options.times ?? LEASE_TIMES;
  }

  start(): void {
    this.#running ??= this.#run();
  }

  /** The fence of each write: true only while nobody else can have taken the Lease. */
  isLeader(): boolean {
    const { type } = this.#standing;
    return type === 'leading' && this.#leftMs() > 0;
  }

  /** Gives the Lease back, so that another leads within a second. What the leader does must have ended before. */
  async stop(): Promise<void> {
    const isLost = this.#isOver();
    this.#stopping.abort(new Error('the election stops'));
    await this.#running;
    this.#standing = { type: 'over' };
    this.#options.metrics?.leads(false);
    if (this.#running !== undefined && !isLost) await this.#release();
  }

  async #run(): Promise<void> {
    const { clock, random } = this.#options;
    const { signal } = this.#stopping;
    while (!this.#isOver()) {
      const error = await this.#try().catch((thrown: unknown) => thrown);
      if (this.#isStopping()) return;
      this.#tell(error);
      if (this.#standing.type === 'leading' && this.#leftMs() <= 0) this.#lose();
      if (this.#isOver()) return;
      const waitMs = this.#times.retryMs * (1 + random.float() / 5);
      await clock.sleep(Math.min(waitMs, this.#leftMs()), signal).catch(() => undefined);
      if (this.#isStopping()) return;
    }
  }

  /** Each problem once, as it comes again every two seconds; that others were faster is none. */
  #tell(error: unknown): void {
    const isProblem = error !== undefined && !isKubeError(error, 'Conflict', 'AlreadyExists');
    const message = error instanceof Error ? error.message : 'no reason';
    const told = isProblem ? message : undefined;
    if (told !== undefined && told !== this.#told)
      this.#options.log.warn('lease cannot be had or renewed, it is tried again', { err: error });
    this.#told = told;
  }

  #isStopping(): boolean {
    return this.#stopping.signal.aborted;
  }

  #isOver(): boolean {
    return this.#standing.type === 'over';
  }

  /** To lead; unbounded while following. */
  #leftMs(): number {
    if (this.#standing.type !== 'leading') return Infinity;
    const { clock } = this.#options;
    return this.#standing.renewedMs + this.#times.renewDeadlineMs - clock.nowMs();
  }

  #try(): Promise<void> {
    return this.#standing.type === 'leading' ? this.#renew(this.#standing.lease) : this.#follow();
  }

  async #renew(lease: Stored<Lease>): Promise<void> {
    const sentMs = this.#options.clock.nowMs();
    try {
      this.#lead(await this.#write(lease, {}), sentMs);
    } catch (error) {
      if (!isKubeError(error, 'Conflict', 'NotFound')) throw error;
      // Our own write of unknown outcome, an annotation by somebody, or another leader: the Lease says which.
      const now = await this.#read();
      if (now?.spec?.holderIdentity !== this.#options.identity) this.#lose();
      else this.#standing = { type: 'leading', lease: now, renewedMs: this.#renewedMs() };
      if (!this.#isOver()) throw error;
    }
  }

  #renewedMs(): number {
    return this.#standing.type === 'leading' ? this.#standing.renewedMs : 0;
  }

  async #follow(): Promise<void> {
    const { clock, identity, kube, lease } = this.#options;
    const sentMs = clock.nowMs();
    const found = await this.#read();
    if (found === undefined) {
      const spec = { ...this.#spec(), leaseTransitions: 0, acquireTime: this.#time() };
      const metadata = { name: lease.name, namespace: lease.namespace };
      const create = (options: CallOptions) => kube.create(LEASES, { metadata, spec }, options);
      const created = await this.#call(create);
      this.#lead(created, sentMs);
      return;
    }
    if (!this.#isFree(found)) return;
    const takenMs = clock.nowMs();
    const transitions =
      (found.spec?.leaseTransitions ?? 0) + (found.spec?.holderIdentity === identity ? 0 : 1);
    const taken = { leaseTransitions: transitions, acquireTime: this.#time() };
    this.#lead(await this.#write(found, taken), takenMs);
  }

  /** Nobody's, our own (of a write whose answer was lost), or unchanged for its whole duration while we watched. */
  #isFree({ metadata: { resourceVersion }, spec }: Stored<Lease>): boolean {
    const nowMs = this.#options.clock.nowMs();
    const holder = spec?.holderIdentity ?? '';
    if (holder === '' || holder === this.#options.identity) return true;
    const { seen } = this.#standing.type === 'following' ? this.#standing : {};
    if (seen?.version !== resourceVersion) {
      this.#standing = { type: 'following', seen: { version: resourceVersion, atMs: nowMs } };
      return false;
    }
    const durationMs = Math.max(this.#times.durationMs, (spec?.leaseDurationSeconds ?? 0) * 1_000);
    return nowMs - seen.atMs >= durationMs;
  }

  #lead(lease: Stored<Lease>, renewedMs: number): void {
    // An answer that comes after `stop` or the loss gives nothing back.
    if (this.#isStopping() || this.#isOver()) return;
    const isNew = this.#standing.type !== 'leading';
    this.#standing = { type: 'leading', lease, renewedMs };
    if (!isNew) return;
    this.#options.log.info('leading', { detail: { identity: this.#options.identity } });
    this.#options.metrics?.leads(true);
    this.#options.onLeading();
  }

  #lose(): void {
    if (this.#standing.type !== 'leading') return;
    this.#standing = { type: 'over' };
    this.#options.log.error('lease lost', { detail: { identity: this.#options.identity } });
    this.#options.metrics?.leads(false);
    this.#options.onLost();
  }

  async #release(): Promise<void> {
    const found = await this.#read().catch(() => undefined);
    if (found?.spec?.holderIdentity !== this.#options.identity) return;
    const given = { holderIdentity: '', leaseDurationSeconds: 1 };
    await this.#write(found, given).catch((error: unknown) => {
      this.#options.log.warn('lease not given back, it runs out', { err: error });
    });
  }

  async #read(): Promise<Stored<Lease> | undefined> {
    const { kube, lease } = this.#options;
    try {
      return await this.#call((options) => kube.get(LEASES, lease, options));
    } catch (error) {
      if (isKubeError(error, 'NotFound')) return undefined;
      throw error;
    }
  }

  /** Only if nobody wrote since `lease` was read. */
  #write({ metadata }: Stored<Lease>, change: Lease['spec']): Promise<Stored<Lease>> {
    const { kube, lease } = this.#options;
    const { uid, resourceVersion } = metadata;
    const spec = { ...this.#spec(), ...change };
    return this.#call((options) =>
      kube.patch(LEASES, lease, { spec }, { uid, resourceVersion, ...options }),
    );
  }

  #spec(): Lease['spec'] & object {
    return {
      holderIdentity: this.#options.identity,
      leaseDurationSeconds: Math.ceil(this.#times.durationMs / 1_000),
      renewTime: this.#time(),
    };
  }

  /** For people to read. */
  #time(): string {
    return microTime(this.#options.clock.wallMs());
  }

  /** No call takes longer than half the deadline: a frozen API server must not hide that the time is over. */
  async #call<R>(send: (options: CallOptions) => Promise<R>): Promise<R> {
    const limit = new AbortController();
    const limitMs = this.#times.renewDeadlineMs / 2;
    const timer = this.#options.clock.after(limitMs, () => {
      limit.abort(new Error(`no answer within ${limitMs} ms`));
    });
    const { signal } = this.#stopping;
    // Giving back is the one call after `stop`.
    const signals = signal.aborted ? [limit.signal] : [limit.signal, signal];
    try {
      return await send({ signal: AbortSignal.any(signals) });
    } finally {
      timer.cancel();
    }
  }
}
