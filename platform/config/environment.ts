/** The environment as configuration: defaults of pools, the log level. Takes the variables as an argument. */
import { type FieldPath, schemaAt } from '../../api/json-schema.ts';
import { layDefaults, type PartialSpec } from '../../api/spec-defaults.ts';
import type { LogLevel } from '../log.ts';
import { readLogLevel } from './log-level.ts';
import { readValue } from './read-value.ts';
import { textOf, type Variables } from './text-of.ts';
import { LATER_VARIABLES, type SpecPath, type Variable, VARIABLES } from './variables.ts';

export interface Environment {
  /** Stands below a pool's manifest and above the schema's defaults. */
  readonly specDefaults: PartialSpec;
  /** Which variable set a field of `specDefaults`: `tiers.default` → `AGENT_POOL_DEFAULT_TIER`. */
  readonly sources: ReadonlyMap<string, string>;
  /** Undefined: the process chooses. */
  readonly logLevel: LogLevel | undefined;
  /** One sentence for each variable that is set and has no effect. */
  readonly warnings: readonly string[];
}

export type ReadEnvironment =
  | { readonly ok: true; readonly environment: Environment }
  /** A sentence each, the variable's name first. */
  | { readonly ok: false; readonly problems: readonly string[] };

/** An empty variable counts as unset. */
export function readEnvironment(variables: Variables): ReadEnvironment {
  const problems: string[] = [];
  const sources = new Map<string, string>();
  let specDefaults: PartialSpec = {};
  for (const variable of VARIABLES) {
    const part = readVariable(variable, variables);
    if (part === undefined) continue;
    if (!part.ok) {
      problems.push(part.problem);
      continue;
    }
    specDefaults = layDefaults(specDefaults, part.spec) as PartialSpec;
    for (const field of variable.fields) sources.set(field.join('.'), variable.name);
  }
  const level = readLogLevel(variables);
  if (!level.ok) problems.push(level.problem);
  if (!level.ok || problems.length > 0) return { ok: false, problems };
  const warnings = LATER_VARIABLES.filter((name) => textOf(name, variables) !== undefined).map(
    (name) => `${name} is set, but has no effect in this version: unset it`,
  );
  return { ok: true, environment: { specDefaults, sources, logLevel: level.logLevel, warnings } };
}

/** Those that are set and would be read on one machine: in a cluster nobody does. Names only. */
export function poolVariablesIn(variables: Variables): readonly string[] {
  const names = [...VARIABLES.map(({ name }) => name), ...LATER_VARIABLES];
  return names.filter((name) => textOf(name, variables) !== undefined);
}

type Part =
  | { readonly ok: true; readonly spec: PartialSpec }
  | { readonly ok: false; readonly problem: string };

function readVariable({ name, reading, fields }: Variable, variables: Variables): Part | undefined {
  const text = textOf(name, variables);
  if (text === undefined) return undefined;
  const [field] = fields;
  const schema = schemaAt(['spec', ...field] satisfies FieldPath);
  if (schema === undefined)
    throw new Error(`${name} sets spec.${field.join('.')}, which does not exist`);
  const read = readValue(text, reading, schema);
  if (!read.ok)
    return { ok: false, problem: `${name}: ${read.message} (it sets spec.${field.join('.')})` };
  const { value } = read;
  if (value === undefined) return undefined;
  const spec = fields.reduce<PartialSpec>(
    (merged, path) => layDefaults(merged, nest(path, value)) as PartialSpec,
    {},
  );
  return { ok: true, spec };
}

function nest(path: SpecPath, value: string | number): PartialSpec {
  const [first, ...rest] = path;
  const [second, ...deeper] = rest;
  return { [first]: second === undefined ? value : nest([second, ...deeper], value) };
}
