/** Which HOT projects get one of the places for dedicated runtimes: pure. */
import type { AgentPoolSpec } from '../../api/agent-pool.ts';
import type { ProjectKey } from '../../core/identifiers.ts';
import type { HotProject, HotSource, Observed } from './observed.ts';
import { hotPlaces, isLive } from './runtimes.ts';

const RANK: Readonly<Record<HotSource, number>> = { Project: 0, Override: 1, Default: 2 };

/** Pinned by the manifest, then by API, then by default; of equals those that have a runtime, then the longest so. */
export function selectHot(spec: AgentPoolSpec, observed: Observed): readonly HotProject[] {
  const housed = new Set<ProjectKey>();
  for (const one of observed.runtimes)
    if (isLive(one) && one.binding !== undefined) housed.add(one.binding.project);
  return activeHot(spec, observed)
    .toSorted(
      (a, b) =>
        RANK[a.source] - RANK[b.source] ||
        Number(housed.has(b.project)) - Number(housed.has(a.project)) ||
        compareAge(a, b) ||
        (a.project < b.project ? -1 : 1),
    )
    .slice(0, hotPlaces(spec));
}

/** HOT projects that are not idle: those that want a place. */
export function activeHot(spec: AgentPoolSpec, observed: Observed): readonly HotProject[] {
  return observed.hot.filter((one) => !isIdle(spec, one));
}

/** A project that the manifest pins is never idle. */
export function isIdle(spec: AgentPoolSpec, hot: HotProject): boolean {
  const idleMs = spec.tiers.hot.idleSeconds * 1_000;
  return idleMs > 0 && hot.source !== 'Project' && hot.idleMs >= idleMs;
}

/** Overrides: the oldest first; by default: the most recently used first. */
function compareAge(a: HotProject, b: HotProject): number {
  return a.source === 'Default' ? b.sinceMs - a.sinceMs : a.sinceMs - b.sinceMs;
}
