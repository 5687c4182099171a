/** The templates that a pool's runtimes are or were made of, by revision: remembered as long as one of them may be needed again. */
import { isDeepStrictEqual } from 'node:util';
import type { AgentPoolSpec } from '../../api/agent-pool.ts';
import type { Driver } from './driver.ts';
import { artifactOf, templateOf } from './observe.ts';
import type { SeenRuntime } from './observed.ts';
import type { PoolRun } from './pool-run.ts';
import type { ModuleState } from './wanted-pool.ts';

interface Reader {
  readonly driver: Driver;
  readonly signal: AbortSignal;
}

/**
 * Notes what the spec makes of runtimes now; once, what an operator before this one has kept, too.
 *
 * @returns the revision of the spec as it is now; of a deleted pool, or while the module never loaded, what it was.
 */
export async function noteTemplates(
  run: PoolRun,
  spec: AgentPoolSpec,
  module: ModuleState | undefined,
  reader: Reader,
): Promise<string | undefined> {
  const update = noteTemplate(run, spec, module);
  if (run.unread !== undefined) await readKept(run, run.unread.revision, spec, reader);
  return update;
}

/** What cannot be read is asked for again: until then nothing else is made in its place, and nothing that it may need goes. */
async function readKept(
  run: PoolRun,
  revision: string,
  spec: AgentPoolSpec,
  { driver, signal }: Reader,
): Promise<void> {
  try {
    const kept = run.templates.has(revision)
      ? undefined
      : await driver.keptTemplate?.(run.key, revision, spec, signal);
    if (kept !== undefined) run.templates.set(revision, kept);
    run.unread = undefined;
  } catch (error) {
    run.unread = { revision, error: error instanceof Error ? error : new Error(String(error)) };
  }
}

/** For operators to come, which may never have seen a spec that says it: what good runtimes are made of. */
export async function keepTemplate(
  run: PoolRun,
  driver: Driver,
  signal: AbortSignal,
): Promise<void> {
  const { key, unread, templates, observed } = run;
  if (unread?.error !== undefined) throw unread.error;
  const template = observed?.good === undefined ? undefined : templates.get(observed.good);
  // Else what was kept stays: it may be needed still, also when a pool that has nothing now is wanted again.
  if (template !== undefined) await driver.keepTemplate?.(key, template, signal);
}

export async function keepModules(
  { key, unread, templates }: PoolRun,
  driver: Driver,
  signal: AbortSignal,
): Promise<void> {
  if (unread !== undefined) return;
  const modules = [...templates.values()].map(({ module }) => module);
  await driver.keepModules?.(key, modules, signal);
}

function noteTemplate(
  run: PoolRun,
  spec: AgentPoolSpec,
  module: ModuleState | undefined,
): string | undefined {
  const artifact = module && artifactOf(module);
  const before = run.observed?.update;
  if (artifact === undefined) return before;
  // A pass over a pool where nothing happened is to cost next to nothing: there may be thousands.
  const known = before === undefined ? undefined : run.templates.get(before);
  if (known?.spec === spec && isDeepStrictEqual(known.module, artifact)) return before;
  const template = templateOf(spec, artifact);
  run.templates.set(template.revision, template);
  return template.revision;
}

/** What still runs may start workers from its module. */
export function forgetTemplates(
  run: PoolRun,
  update: string | undefined,
  runtimes: readonly SeenRuntime[],
): void {
  const { rollout, served, good } = run.memory;
  const from = rollout?.at === 'settled' ? undefined : rollout?.from;
  for (const revision of run.templates.keys())
    if (
      ![update, served, good, from].includes(revision) &&
      runtimes.every((one) => one.revision !== revision)
    )
      run.templates.delete(revision);
}

/** Where the modules of all of them are. */
export function modulePathsOf({ templates }: PoolRun): readonly string[] {
  return [...templates.values()].map(({ module }) => module.path);
}
