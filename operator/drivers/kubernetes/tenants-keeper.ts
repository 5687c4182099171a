/**
 * Keeps the Secrets of tenants in front of their pods, in the background: no pass waits for it for long, and of all that this process may
 * ask the API server for it takes half at most. Knows the Secrets by name only, as a watch would need the right to read all there are.
 */
import type { AgentPoolSpec } from '../../../api/agent-pool.ts';
import type { PoolKey } from '../../../core/identifiers.ts';
import type { Clock } from '../../../platform/clock.ts';
import { KubeError } from '../../../platform/kube/kube-error.ts';
import type { Kube } from '../../../platform/kube/kube.ts';
import { rateBound } from '../../../platform/kube/rate-bound.ts';
import { hinderedBy } from '../../pool/hindered-by.ts';
import { Hindered } from '../../pool/hindered.ts';
import type { Hindrance } from '../../pool/hindrance.ts';
import type { PoolOwner } from './pod-of.ts';
import { type SecretRefs, TenantsRound } from './tenants-round.ts';

/** All pools together: half of what this process asks for at most. */
const READS = { callsPerSecondMax: 50, burstCalls: 50 } as const;
/** Not more often than this, and so that those of one pool come to a few requests a second. */
const AGAIN_MS = 30_000;
const MS_PER_TENANT = 200;
const RETRY_MS = 5_000;
/** A pool that is not asked for so long has no runtimes, or is gone. */
const FORGOTTEN_MS = 10 * 60_000;

export interface TenantsKeeperOptions {
  readonly kube: Kube;
  readonly clock: Clock;
  /** What is to be told of the pool has changed. */
  readonly onChange: (pool: PoolKey) => void;
}

type Tenants = AgentPoolSpec['tenants'];

interface Keeping {
  owner: PoolOwner;
  tenants: Tenants;
  refs: SecretRefs;
  /** Whose Secret was looked at, under which name. */
  seen: SecretRefs;
  /** Nothing is new in them. */
  checked: SecretRefs | undefined;
  used: ReadonlySet<number> | undefined;
  /** Of all of them again (monotonic ms). */
  dueMs: number;
  /** Not before. */
  notBeforeMs: number;
  askedMs: number;
  round: { readonly work: TenantsRound; readonly dueMs: number } | undefined;
  running: Promise<void> | undefined;
  readonly problems: Map<string, string>;
  failure: Hindrance | undefined;
  readonly stopped: AbortController;
}

export class TenantsKeeper {
  readonly #options: TenantsKeeperOptions;
  readonly #reads: Kube;
  /** Bounded by the pools that have runtimes, or had some minutes ago. */
  readonly #pools = new Map<PoolKey, Keeping>();

  constructor(options: TenantsKeeperOptions) {
    this.#options = options;
    this.#reads = rateBound(options.kube, { clock: options.clock, ...READS });
  }

  /** Begins what is due. Resolves when it is over, well or not; never rejects. */
  keep(pool: PoolKey, owner: PoolOwner, { tenants }: AgentPoolSpec): Promise<void> {
    const nowMs = this.#options.clock.nowMs();
    const keeping = this.#of(pool, owner, nowMs);
    keeping.owner = owner;
    keeping.askedMs = nowMs;
    if (keeping.tenants !== tenants) {
      keeping.tenants = tenants;
      keeping.refs = refsOf(tenants);
    }
    this.#begin(pool, keeping);
    return keeping.running ?? Promise.resolve();
  }

  /** What keeps tenants from what is theirs, and nobody else from anything. */
  complaintOf(pool: PoolKey): Hindrance | undefined {
    const keeping = this.#pools.get(pool);
    if (keeping === undefined) return undefined;
    const [first] = keeping.problems;
    if (first === undefined) return keeping.failure;
    const [tenant, why] = first;
    const name = `${keeping.owner.namespace}/${keeping.refs.get(tenant) ?? ''}`;
    const more = keeping.problems.size - 1;
    const others = more === 0 ? '' : `; ${more} more tenants have such a Secret`;
    const message = `the Secret ${name} of tenant ${tenant} is not given to runtimes: ${why}${others}`;
    return { reason: 'TenantSecretUnusable', message };
  }

  close(): void {
    for (const { stopped } of this.#pools.values()) stopped.abort();
    this.#pools.clear();
  }

  #of(pool: PoolKey, owner: PoolOwner, nowMs: number): Keeping {
    const known = this.#pools.get(pool);
    if (known?.owner.uid === owner.uid) return known;
    for (const [key, { askedMs, stopped }] of this.#pools)
      if (key === pool || nowMs >= askedMs + FORGOTTEN_MS) {
        stopped.abort();
        this.#pools.delete(key);
      }
    const made = newKeeping(owner);
    this.#pools.set(pool, made);
    return made;
  }

  #begin(pool: PoolKey, keeping: Keeping): void {
    const nowMs = this.#options.clock.nowMs();
    if (keeping.running !== undefined || nowMs < keeping.notBeforeMs) return;
    keeping.round ??= this.#roundOf(keeping, nowMs);
    if (keeping.round === undefined) return;
    keeping.running = this.#run(pool, keeping, keeping.round).finally(() => {
      keeping.running = undefined;
      // Tenants may have come meanwhile.
      if (!keeping.stopped.signal.aborted) this.#begin(pool, keeping);
    });
  }

  /** Of all, or of those that are new; undefined: nothing is due. */
  #roundOf(keeping: Keeping, nowMs: number): Keeping['round'] {
    const { refs, seen, used } = keeping;
    const isFull = nowMs >= keeping.dueMs;
    if (!isFull && keeping.checked === refs) return undefined;
    const fresh = new Map([...refs].filter(([tenant, name]) => seen.get(tenant) !== name));
    const isGone = [...seen.keys()].some((tenant) => !refs.has(tenant));
    if (!isFull && fresh.size === 0 && !isGone) {
      keeping.checked = refs;
      return undefined;
    }
    const work = new TenantsRound({
      reads: this.#reads,
      refs: isFull ? refs : fresh,
      wanted: () => keeping.refs,
      used,
    });
    const nextMs = nowMs + againMs(refs);
    return { work, dueMs: isFull ? nextMs : Math.min(keeping.dueMs, nextMs) };
  }

  async #run(
    pool: PoolKey,
    keeping: Keeping,
    { work, dueMs }: NonNullable<Keeping['round']>,
  ): Promise<void> {
    const { owner, stopped } = keeping;
    const before = this.complaintOf(pool)?.message;
    try {
      await work.run({ kube: this.#options.kube, owner, signal: stopped.signal });
      keeping.round = undefined;
      keeping.seen = new Map([...keeping.seen, ...work.seen]);
      keeping.dueMs = dueMs;
      keeping.failure = undefined;
    } catch (error) {
      if (stopped.signal.aborted) return;
      keeping.notBeforeMs = this.#options.clock.nowMs() + RETRY_MS;
      keeping.failure = failureOf(error);
    }
    keeping.used = work.used;
    forgetGone(keeping, work);
    if (this.complaintOf(pool)?.message !== before) this.#options.onChange(pool);
  }
}

function newKeeping(owner: PoolOwner): Keeping {
  return {
    owner,
    tenants: [],
    refs: new Map(),
    seen: new Map(),
    checked: undefined,
    used: undefined,
    dueMs: -Infinity,
    notBeforeMs: -Infinity,
    askedMs: 0,
    round: undefined,
    running: undefined,
    problems: new Map(),
    failure: undefined,
    stopped: new AbortController(),
  };
}

function refsOf(tenants: Tenants): SecretRefs {
  return new Map(
    tenants.flatMap(({ name, secretRef }) =>
      secretRef === undefined ? [] : [[name, secretRef.name] as const],
    ),
  );
}

/** Infinity: there are none. */
function againMs({ size }: SecretRefs): number {
  return size === 0 ? Infinity : Math.max(AGAIN_MS, size * MS_PER_TENANT);
}

function forgetGone(keeping: Keeping, { problems }: TenantsRound): void {
  for (const [tenant, problem] of problems)
    if (problem === undefined) keeping.problems.delete(tenant);
    else keeping.problems.set(tenant, problem);
  for (const tenant of keeping.problems.keys())
    if (!keeping.refs.has(tenant)) keeping.problems.delete(tenant);
  keeping.seen = new Map([...keeping.seen].filter(([tenant]) => keeping.refs.has(tenant)));
}

/** Undefined: it goes by itself, and other steps of a pass tell it. */
function failureOf(error: unknown): Hindrance | undefined {
  if (error instanceof KubeError && (error.isRetryable || error.reason === 'NotLeader'))
    return undefined;
  const hindered = hinderedBy(error);
  if (hindered instanceof Hindered) return { reason: hindered.reason, message: hindered.message };
  const message = error instanceof Error ? error.message : String(error);
  return { reason: 'ReconcileFailed', message };
}
