/** What the store tells of one pool, as plain data; what of it still holds while the store does not answer. Decides nothing. */
import type { AgentPoolSpec } from '../../api/agent-pool.ts';
import type { ProjectKey } from '../../core/identifiers.ts';
import { type ProjectRecord, StoreError, type Store } from '../../platform/store/store.ts';
import { type DrivenRuntime, isUp } from './driver.ts';
import type { TierFacts } from './hot-projects.ts';
import type { PoolLimits } from './pool-limits.ts';
import type { PoolRun } from './pool-run.ts';
import type { Told } from './told.ts';

const KEYS_PER_READ_MAX = 1_000;
const PROJECTS_PER_PAGE = 500;

export interface Question {
  readonly run: PoolRun;
  readonly spec: AgentPoolSpec;
  readonly driven: readonly DrivenRuntime[];
  readonly wallMs: number;
}

/** Undefined: the store does not answer. */
export async function hearStore(
  store: Store,
  question: Question,
  limits: PoolLimits,
): Promise<Told | undefined> {
  try {
    return await ask(store, question, limits);
  } catch (error) {
    if (error instanceof StoreError) return undefined;
    throw error;
  }
}

async function ask(store: Store, question: Question, limits: PoolLimits): Promise<Told> {
  const { run, spec, wallMs } = question;
  // Most of them are known before: whoever is promoted waits for one question less.
  const expected = keysOf(question, run.told?.overrides ?? []);
  const [members, overrides, early] = await Promise.all([
    store.listRuntimes(run.key),
    store.listTierOverrides(run.key),
    readRecords(store, [...expected]),
  ]);
  const late = [...keysOf(question, overrides)].filter((key) => !expected.has(key));
  const records = new Map([...early, ...(await readRecords(store, late))]);
  const used =
    spec.tiers.default === 'HOT'
      ? await scanProjects(store, run, limits.projectsScannedMax)
      : [...records.values()];
  return {
    atWallMs: wallMs,
    members,
    overrides,
    records,
    used: used.map(({ key, lastUsedMs }) => ({ key, lastUsedMs })),
  };
}

/** A runtime that has ended since is none any more: another one may have its name by now. */
export function stillTrue(told: Told, driven: readonly DrivenRuntime[]): Told {
  const running = new Set(driven.flatMap(({ name, phase }) => (hasNotEnded(phase.at) ? name : [])));
  return { ...told, members: told.members.filter(({ name }) => running.has(name)) };
}

function hasNotEnded(at: DrivenRuntime['phase']['at']): boolean {
  return isUp(at) || at === 'ending';
}

function keysOf(
  { run, spec, driven }: Question,
  overrides: TierFacts['overrides'],
): ReadonlySet<ProjectKey> {
  const bound = driven.flatMap(
    (one) => one.binding?.project ?? run.orders.bindingOf(one.name)?.project ?? [],
  );
  const hot =
    spec.tiers.hot.idleSeconds > 0
      ? overrides.filter(({ override }) => override.tier === 'HOT').map(({ key }) => key)
      : [];
  return new Set([...bound, ...hot]);
}

async function readRecords(
  store: Store,
  keys: readonly ProjectKey[],
): Promise<ReadonlyMap<ProjectKey, ProjectRecord>> {
  const records = new Map<ProjectKey, ProjectRecord>();
  for (let start = 0; start < keys.length; start += KEYS_PER_READ_MAX) {
    const chunk = keys.slice(start, start + KEYS_PER_READ_MAX);
    for (const record of await store.readProjects(chunk))
      if (record !== undefined) records.set(record.key, record);
  }
  return records;
}

async function scanProjects(
  store: Store,
  run: PoolRun,
  projectsMax: number,
): Promise<readonly ProjectRecord[]> {
  const all: ProjectRecord[] = [];
  for (let after: string | undefined; all.length < projectsMax;) {
    const page = await store.listProjects(run.key, {
      limit: PROJECTS_PER_PAGE,
      ...(after === undefined ? {} : { after }),
    });
    all.push(...page);
    after = page.at(-1)?.key;
    if (page.length < PROJECTS_PER_PAGE) break;
  }
  return all;
}
