/** The pool that `agentpool dev` makes up for a module without a manifest. */
import { basename, dirname, extname, resolve } from 'node:path';
import { type AgentPool, API_VERSION, KIND } from '../../api/agent-pool.ts';
import { formatPath } from '../../api/json-schema.ts';
import { parsePool } from '../../api/parse-pool.ts';
import type { PartialSpec } from '../../api/spec-defaults.ts';
import { CliError } from '../exit-code.ts';
import { readDotEnv } from './dot-env.ts';

export interface MadePool {
  readonly pool: AgentPool;
  /** What its module is relative to. */
  readonly folder: string;
}

const NAME_CHARACTERS_MAX = 63;

/** Named after the file, so that its state is found again. */
export async function makePool(module: string, defaults: PartialSpec): Promise<MadePool> {
  const path = resolve(module);
  const folder = dirname(path);
  const parsed = parsePool(
    {
      apiVersion: API_VERSION,
      kind: KIND,
      metadata: { name: poolNameOf(path) },
      spec: { runtime: { agentModule: `./${basename(path)}`, env: await readDotEnv(folder) } },
    },
    defaults,
  );
  if (parsed.ok) return { pool: parsed.pool, folder };
  const lines = parsed.problems.map(
    ({ path: field, message }) => `${formatPath(field)}: ${message}`,
  );
  throw new CliError(
    lines.join('\n'),
    undefined,
    'Correct .env beside the module, or the environment.',
  );
}

/** `My_Agents.v2.ts` → `my-agents-v2`. */
export function poolNameOf(path: string): string {
  const name = basename(path, extname(path))
    .toLowerCase()
    .replaceAll(/[^a-z0-9]+/g, '-')
    .replaceAll(/^-+|-+$/g, '')
    .slice(0, NAME_CHARACTERS_MAX)
    .replace(/-+$/, '');
  return name === '' ? 'agents' : name;
}
