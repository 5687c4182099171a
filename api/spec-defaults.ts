/** Fills in what a manifest leaves out from elsewhere (the environment), and drops empty fields; never overrides a field that is there. */
import { isFreeForm, type JsonSchema, schemaAt } from './json-schema.ts';

/** A part of a spec: each field optional at every depth. */
export interface PartialSpec {
  readonly [field: string]: unknown;
}

/**
 * `field:` without a value counts as left out, as an API server has it; inside free-form configuration null stays.
 * Items of lists stay, so that their positions do.
 */
export function dropEmptyFields(value: unknown, schema: JsonSchema | undefined): unknown {
  if (schema === undefined || isFreeForm(schema)) return value;
  if (Array.isArray(value))
    return value.map((item: unknown) => dropEmptyFields(item, schema.items));
  if (!isMapping(value)) return value;
  const kept = Object.entries(value).filter(([, child]) => child !== null);
  return Object.fromEntries(
    kept.map(([key, child]) => [key, dropEmptyFields(child, schemaAt([key], schema))]),
  );
}

/** `defaults` below `wanted`, mapping by mapping; lists and scalars are never mixed. */
export function layDefaults(defaults: PartialSpec, wanted: unknown): unknown {
  if (wanted === undefined) return defaults;
  if (!isMapping(wanted)) return wanted;
  const merged: Record<string, unknown> = { ...defaults, ...wanted };
  for (const [key, below] of Object.entries(defaults))
    if (isMapping(below)) merged[key] = layDefaults(below, wanted[key]);
  return merged;
}

export function isMapping(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
