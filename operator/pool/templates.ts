/** The templates that a pool's runtimes are or were made of, by revision: remembered as long as one of them may be needed again. */
import { isDeepStrictEqual } from 'node:util';
import type { AgentPoolSpec } from '../../api/agent-pool.ts';
import { artifactOf, templateOf } from './observe.ts';
import type { SeenRuntime } from './observed.ts';
import type { PoolRun } from './pool-run.ts';
import type { ModuleState } from './wanted-pool.ts';

/** The revision of the spec as it is now; of a deleted pool, or while the module never loaded, what it was. */
export function noteTemplate(
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
  const { rollout, served } = run.memory;
  const from = rollout?.at === 'settled' ? undefined : rollout?.from;
  for (const revision of run.templates.keys())
    if (
      ![update, served, from].includes(revision) &&
      runtimes.every((one) => one.revision !== revision)
    )
      run.templates.delete(revision);
}

/** Where the modules of all of them are. */
export function modulePathsOf({ templates }: PoolRun): readonly string[] {
  return [...templates.values()].map(({ module }) => module.path);
}
