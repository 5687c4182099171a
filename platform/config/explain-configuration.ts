/** Says for each field of a pool which value holds and where it comes from: `agentpool config`. */
import type { AgentPool } from '../../api/agent-pool.ts';
import { agentPoolJsonSchema, formatPath, type JsonSchema } from '../../api/json-schema.ts';
import { isMapping } from '../../api/spec-defaults.ts';
import type { Environment } from './environment.ts';

export interface ConfigurationRow {
  /** `spec.tiers.warm.idleSeconds`. */
  readonly field: string;
  /** Undefined: none, and the field has no default. */
  readonly value: unknown;
  /** `manifest`, `environment NAME` or `default`. */
  readonly source: string;
}

/** What `parsePool` and `parseManifests` give. */
export interface ExplainedPool {
  readonly pool: AgentPool;
  readonly written: Readonly<Record<string, unknown>>;
}

/** One row for each field of the spec, in the order of the schema; a list is one value. */
export function explainConfiguration(
  { pool, written }: ExplainedPool,
  { sources }: Pick<Environment, 'sources'>,
): ConfigurationRow[] {
  const spec = agentPoolJsonSchema().properties?.['spec'] ?? {};
  return leavesOf(spec, []).map((path) => ({
    field: formatPath(['spec', ...path]),
    value: valueAt(pool.spec, path),
    source: sourceOf(path, written['spec'], sources),
  }));
}

function sourceOf(
  path: readonly string[],
  writtenSpec: unknown,
  sources: ReadonlyMap<string, string>,
): string {
  if (valueAt(writtenSpec, path) !== undefined) return 'manifest';
  const variable = sources.get(path.join('.'));
  return variable === undefined ? 'default' : `environment ${variable}`;
}

function leavesOf(schema: JsonSchema, path: readonly string[]): (readonly string[])[] {
  if (schema.properties === undefined) return [path];
  return Object.entries(schema.properties).flatMap(([key, child]) =>
    leavesOf(child, [...path, key]),
  );
}

function valueAt(value: unknown, path: readonly string[]): unknown {
  return path.reduce<unknown>(
    (inner, key) => (isMapping(inner) && Object.hasOwn(inner, key) ? inner[key] : undefined),
    value,
  );
}
