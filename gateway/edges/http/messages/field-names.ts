/** Field names of requests: snake_case and lowerCamelCase mean the same; messages show the one that the caller wrote. */
import type { z } from 'zod';
import { invalidField } from '../wire/problem.ts';

export type Fields = Readonly<Record<string, unknown>>;

/** `conversationId` → `conversation_id`. */
export function snakeCase(name: string): string {
  return name.replaceAll(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);
}

/** `conversation_id` → `conversationId`. */
export function camelCase(name: string): string {
  return name.replaceAll(/_([a-z])/g, (_, letter: string) => letter.toUpperCase());
}

/** The input with the schema's names, at each level that is a message; maps and payloads keep theirs. Unknown names stay. */
export function withSchemaNames(input: Fields, schema: z.ZodObject, path = ''): Fields {
  const known = schema.shape as Readonly<Record<string, z.ZodType>>;
  refuseProto(input, path);
  const renamed = new Map<string, unknown>();
  for (const [name, value] of Object.entries(input)) {
    const key = keyIn(known, name);
    if (renamed.has(key))
      throw invalidField(path + name, `given twice, as ${key} and as ${camelCase(key)}`);
    renamed.set(
      key,
      nested(Object.hasOwn(known, key) ? known[key] : undefined, value, `${path}${name}.`),
    );
  }
  return Object.fromEntries(renamed);
}

function keyIn(known: Readonly<Record<string, unknown>>, name: string): string {
  if (Object.hasOwn(known, name) || name.includes('_')) return name;
  const snake = snakeCase(name);
  return Object.hasOwn(known, snake) ? snake : name;
}

/** zod passes over this one name in silence; nobody sends it by accident. */
function refuseProto(input: Fields, path: string): void {
  if (Object.hasOwn(input, '__proto__'))
    throw invalidField(`${path}__proto__`, 'is no field of a request');
}

function nested(schema: z.ZodType | undefined, value: unknown, path: string): unknown {
  const inner = schema === undefined ? undefined : valueSchema(schema);
  if (!isFields(value) || Array.isArray(value)) return value;
  if (inner?.def.type === 'object') return withSchemaNames(value, inner as z.ZodObject, path);
  if (inner?.def.type === 'record') refuseProto(value, path);
  return value;
}

/** What a field holds, without what is said of its absence. */
export function valueSchema(schema: z.ZodType): z.ZodType {
  const { type } = schema.def;
  const isWrapped = type === 'optional' || type === 'default' || type === 'prefault';
  return isWrapped ? valueSchema((schema as z.ZodOptional<z.ZodType>).unwrap()) : schema;
}

/** The path as the caller wrote it. @param path in the schema's names. */
export function pathInInput(input: unknown, path: readonly PropertyKey[]): string {
  let value = input;
  const names = path.map((key) => {
    const name = nameIn(value, String(key));
    value = isFields(value) && Object.hasOwn(value, name) ? value[name] : undefined;
    return name;
  });
  return names.join('.');
}

function nameIn(value: unknown, key: string): string {
  const camel = camelCase(key);
  return isFields(value) && !Object.hasOwn(value, key) && Object.hasOwn(value, camel) ? camel : key;
}

function isFields(value: unknown): value is Fields {
  return typeof value === 'object' && value !== null;
}
