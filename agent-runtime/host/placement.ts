/** Whether a project that has nothing to do stays on its runtime, as data: tiers are followed at quiescence only. */
import type { Tier } from '../../core/tier.ts';
import type { Target } from './project-ports.ts';

export interface PlacementSituation {
  readonly role: 'shared' | 'dedicated';
  readonly draining: boolean;
  /** Callers hold leases on the instance: it leaves for a drain only. */
  readonly leased: boolean;
  /** What the project should have now. */
  readonly wanted: Tier;
  /** What its instance was activated as. */
  readonly serving: Tier;
  /** Its own dedicated runtime, where that is ready. */
  readonly dedicated: Target | undefined;
}

export type Placement =
  | { readonly type: 'stay' }
  /** Hibernate: the next task activates it here with the quota of its new tier. */
  | { readonly type: 'reclass' }
  | { readonly type: 'move'; readonly reason: 'drain' | 'tier'; readonly to: Target | undefined };

export function decidePlacement(situation: PlacementSituation): Placement {
  const { role, draining, leased, wanted, serving, dedicated } = situation;
  const to = role === 'shared' && wanted === 'HOT' ? dedicated : undefined;
  if (draining) return { type: 'move', reason: 'drain', to };
  if (leased) return { type: 'stay' };
  if (role === 'dedicated')
    return wanted === 'HOT' ? { type: 'stay' } : { type: 'move', reason: 'tier', to: undefined };
  if (to !== undefined) return { type: 'move', reason: 'tier', to };
  return servedTier(role, wanted) === serving ? { type: 'stay' } : { type: 'reclass' };
}

/** A shared runtime serves a HOT project as WARM until its own runtime is ready. */
export function servedTier(role: 'shared' | 'dedicated', wanted: Tier): Tier {
  if (role === 'dedicated') return 'HOT';
  return wanted === 'HOT' ? 'WARM' : wanted;
}
