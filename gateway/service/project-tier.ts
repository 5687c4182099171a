/** Which tier a project should have, who says so, and overrides by API. Moves nothing: runtimes and operator follow the record. */
import { AppError } from '../../core/errors.ts';
import { TIERS, type Tier, type TierOverride, type TierSource } from '../../core/tier.ts';
import type { Clock } from '../../platform/clock.ts';
import type { Store } from '../../platform/store/store.ts';
import { invalid } from '../request-fields.ts';
import type { ProjectTarget } from './project-target.ts';

export interface ProjectTier {
  readonly desired: Tier;
  /** Of the live instance, if there is one and it was asked. */
  readonly current: Tier | undefined;
  readonly source: TierSource;
  readonly reason: string;
  readonly sinceMs: number | undefined;
  readonly expiresAtMs: number | undefined;
}

export interface TierWish {
  readonly tier: Tier | undefined;
  readonly ttlSeconds: number;
}

/** An override against the manifest ends by itself. */
const NAMED_TTL_SECONDS = 3_600;
const TTL_SECONDS_MAX = 10 * 365 * 86_400;
const ATTEMPTS_MAX = 5;

const REASONS: Readonly<Record<TierSource, string>> = {
  Override: 'set by API',
  Project: 'spec.projects names the project with this tier',
  Default: 'spec.tiers.default',
};

export function describeTier(
  { pool, tenant, project }: ProjectTarget,
  override: TierOverride | undefined,
  now: { readonly wallMs: number; readonly current: Tier | undefined },
): ProjectTier {
  const { tier, source, sinceMs, expiresAtMs } = pool.tierOf(tenant, project, override, now.wallMs);
  return {
    desired: tier,
    current: now.current,
    source,
    reason: REASONS[source],
    sinceMs,
    expiresAtMs,
  };
}

export class TierOverrides {
  readonly #clock: Clock;
  readonly #store: Pick<Store, 'readTierOverride' | 'setTierOverride'>;

  constructor(options: {
    readonly clock: Clock;
    readonly store: Pick<Store, 'readTierOverride' | 'setTierOverride'>;
  }) {
    this.#clock = options.clock;
    this.#store = options.store;
  }

  /** By compare-and-set, again where somebody else wrote meanwhile: the last caller wins. Answers what is stored then. */
  async set(target: ProjectTarget, wish: TierWish): Promise<TierOverride | undefined> {
    checkWish(wish);
    for (let attempt = 1; attempt <= ATTEMPTS_MAX; attempt += 1) {
      const generation = (await this.#store.readTierOverride(target.key))?.generation ?? 0;
      const override = this.#overrideOf(target, wish);
      if (override === undefined && generation === 0) return undefined;
      if ((await this.#store.setTierOverride(target.key, override, generation)) === 'set')
        return override === undefined ? undefined : { ...override, generation: generation + 1 };
    }
    throw new AppError(
      'STORE_UNAVAILABLE',
      'the tier is being changed by others all the time: try again',
      {
        retryAfterMs: 1_000,
      },
    );
  }

  #overrideOf(
    { pool, tenant, project }: ProjectTarget,
    { tier, ttlSeconds }: TierWish,
  ): Omit<TierOverride, 'generation'> | undefined {
    if (tier === undefined) return undefined;
    const sinceMs = this.#clock.wallMs();
    const isNamed = pool.projectEntry(tenant, project) !== undefined;
    const seconds = ttlSeconds === 0 && isNamed ? NAMED_TTL_SECONDS : ttlSeconds;
    return seconds === 0
      ? { tier, sinceMs }
      : { tier, sinceMs, expiresAtMs: sinceMs + seconds * 1000 };
  }
}

function checkWish({ tier, ttlSeconds }: TierWish): void {
  if (tier !== undefined && !TIERS.includes(tier))
    throw invalid('tier', `must be one of ${TIERS.join(', ')}`);
  if (!Number.isInteger(ttlSeconds) || ttlSeconds < 0 || ttlSeconds > TTL_SECONDS_MAX)
    throw invalid('ttl_seconds', `must be a whole number up to ${TTL_SECONDS_MAX}`);
}
