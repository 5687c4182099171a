/** The three tiers, and which one a project gets; knows nothing of runtimes. */

export const TIERS = ['HOT', 'WARM', 'COLD'] as const;
export type Tier = (typeof TIERS)[number];

/** A number for each tier. */
export type TierCounts = Readonly<Record<Tier, number>>;

export const NONE_IN_ANY_TIER: TierCounts = Object.freeze({ HOT: 0, WARM: 0, COLD: 0 });

export function countOf({ HOT, WARM, COLD }: TierCounts): number {
  return HOT + WARM + COLD;
}

/** Who decided: an override by API, the manifest's `projects[]`, the classifier (later), or `tiers.default`. */
export type TierSource = 'Override' | 'Project' | 'Default';

/** A store record, written by compare-and-set on `generation`, read by operator, gateways and runtimes. */
export interface TierOverride {
  readonly tier: Tier;
  readonly sinceMs: number;
  /** Wall-clock ms since the epoch; undefined: until ended by API. */
  readonly expiresAtMs?: number;
  readonly generation: number;
}

export interface TierChoice {
  readonly tier: Tier;
  readonly source: TierSource;
  readonly expiresAtMs?: number;
  readonly sinceMs?: number;
}

export interface TierRules {
  readonly defaultTier: Tier;
  /** `spec.projects[].tier` of this project. */
  readonly projectTier?: Tier | undefined;
}

/** Override (until it expires) > `spec.projects[].tier` > `tiers.default`. */
export function chooseTier(
  rules: TierRules,
  override: TierOverride | undefined,
  wallMs: number,
): TierChoice {
  if (override !== undefined && (override.expiresAtMs ?? Infinity) > wallMs) {
    const { tier, sinceMs, expiresAtMs } = override;
    return expiresAtMs === undefined
      ? { tier, source: 'Override', sinceMs }
      : { tier, source: 'Override', sinceMs, expiresAtMs };
  }
  if (rules.projectTier !== undefined) return { tier: rules.projectTier, source: 'Project' };
  return { tier: rules.defaultTier, source: 'Default' };
}
