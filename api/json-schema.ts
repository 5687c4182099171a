/** The resource as JSON Schema (OpenAPI 3.0 dialect), still strict: what messages, defaults from outside and the CRD are made of. */
import { z } from 'zod';
import { agentPoolSchema } from './agent-pool.ts';

export interface JsonSchema {
  type?: 'object' | 'array' | 'string' | 'integer' | 'boolean';
  description?: string;
  default?: unknown;
  enum?: readonly string[];
  minimum?: number;
  maximum?: number;
  minLength?: number;
  maxLength?: number;
  minItems?: number;
  maxItems?: number;
  maxProperties?: number;
  pattern?: string;
  format?: 'date-time';
  items?: JsonSchema;
  properties?: Record<string, JsonSchema>;
  required?: string[];
  additionalProperties?: JsonSchema | false;
  anyOf?: JsonSchema[];
  'x-kubernetes-preserve-unknown-fields'?: true;
  'x-kubernetes-int-or-string'?: true;
  'x-kubernetes-list-type'?: 'map' | 'atomic';
  'x-kubernetes-list-map-keys'?: string[];
  'x-kubernetes-validations'?: { rule: string; message: string; fieldPath?: string }[];
}

export type FieldPath = readonly (string | number)[];

let cached: JsonSchema | undefined;

/** Shared and not to be changed: copy before you do. */
export function agentPoolJsonSchema(): JsonSchema {
  cached ??= z.toJSONSchema(agentPoolSchema, { target: 'openapi-3.0', io: 'input' }) as JsonSchema;
  return cached;
}

/** The schema of the field at `path`; undefined where there is no such field, or only a free-form one. */
export function schemaAt(
  path: FieldPath,
  root: JsonSchema = agentPoolJsonSchema(),
): JsonSchema | undefined {
  return path.reduce<JsonSchema | undefined>((schema, key) => {
    if (schema === undefined) return undefined;
    if (isFreeForm(schema)) return schema.properties?.[key];
    return typeof key === 'number' ? schema.items : childOf(schema, key);
  }, root);
}

/** Whether anything may stand below: nothing there is looked at. */
export function isFreeForm(schema: JsonSchema): boolean {
  return schema['x-kubernetes-preserve-unknown-fields'] === true;
}

/** `spec.projects[0].tenant`; a key that is no plain word stands in quotes. */
export function formatPath(path: FieldPath): string {
  return path.reduce<string>((text, key) => {
    if (typeof key === 'number') return `${text}[${key}]`;
    if (!/^[A-Za-z_][A-Za-z0-9_-]*$/.test(key)) return `${text}[${JSON.stringify(key)}]`;
    return text === '' ? key : `${text}.${key}`;
  }, '');
}

function childOf(schema: JsonSchema, key: string): JsonSchema | undefined {
  const { properties = {}, additionalProperties } = schema;
  if (Object.hasOwn(properties, key)) return properties[key];
  return additionalProperties === false ? undefined : additionalProperties;
}
