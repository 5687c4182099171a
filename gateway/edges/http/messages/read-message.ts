/** Untrusted fields → a checked message, or one INVALID_FIELD that names each wrong field. */
import { z } from 'zod';
import { didYouMean } from '../../../../api/did-you-mean.ts';
import { HttpError, type FieldProblem } from '../wire/problem.ts';
import {
  camelCase,
  type Fields,
  pathInInput,
  valueSchema,
  withSchemaNames,
} from './field-names.ts';

const PROBLEMS_MAX = 20;

/** Bodies: JSON values. */
export function readMessage<Schema extends z.ZodObject>(
  schema: Schema,
  input: Fields,
): z.output<Schema> {
  const found = schema.safeParse(withSchemaNames(input, schema));
  if (found.success) return found.data;
  throw wrongFields(found.error.issues.flatMap((issue) => describe(issue, schema, input)));
}

/** Paths and queries: every value is text, and becomes what the schema wants where it looks like that. */
export function readTexts<Schema extends z.ZodObject>(
  schema: Schema,
  input: Readonly<Record<string, string>>,
): z.output<Schema> {
  const values = Object.entries(input).map(
    ([name, text]) => [name, valueOf(fieldNamed(schema, name), text)] as const,
  );
  return readMessage(schema, Object.fromEntries(values));
}

function fieldNamed(schema: z.ZodObject, name: string): z.ZodType | undefined {
  const shape = schema.shape as Readonly<Record<string, z.ZodType>>;
  const key = Object.keys(shape).find((known) => known === name || camelCase(known) === name);
  return key === undefined ? undefined : shape[key];
}

function valueOf(field: z.ZodType | undefined, text: string): unknown {
  const schema = field === undefined ? undefined : valueSchema(field);
  if (schema?.def.type === 'number' && /^\d{1,16}$/.test(text)) return Number(text);
  if (schema?.def.type === 'boolean' && (text === 'true' || text === 'false'))
    return text === 'true';
  return text;
}

function wrongFields(problems: readonly FieldProblem[]): HttpError {
  const errors = problems.slice(0, PROBLEMS_MAX);
  const message = errors.map(({ field, detail }) => `${field}: ${detail}`).join('; ');
  const [first] = errors;
  return new HttpError('INVALID_FIELD', message, {
    errors,
    ...(first === undefined ? {} : { field: first.field }),
  });
}

function describe(issue: z.core.$ZodIssue, schema: z.ZodObject, input: Fields): FieldProblem[] {
  const path = pathInInput(input, issue.path);
  if (issue.code !== 'unrecognized_keys')
    return [{ field: path, detail: wrongValue(issue, valueAt(input, path)) }];
  const known = Object.keys(messageAt(schema, issue.path).shape);
  return issue.keys.map((key) => ({
    field: path === '' ? key : `${path}.${key}`,
    detail: unknownField(key, known),
  }));
}

function unknownField(key: string, known: readonly string[]): string {
  const meant = didYouMean(key, known);
  const fields = known.length === 0 ? 'there are none here' : `there are ${known.join(', ')}`;
  return meant === undefined
    ? `unknown field; ${fields}`
    : `unknown field; did you mean ${JSON.stringify(meant)}?`;
}

function wrongValue(issue: z.core.$ZodIssue, value: unknown): string {
  if (value === undefined) return 'must be given';
  if (issue.code === 'invalid_value') return oneOf(issue.values.map(String), value);
  if (issue.code === 'invalid_type')
    return `must be ${article(issue.expected)}, but is ${kindOf(value)}`;
  return issue.message;
}

function oneOf(allowed: readonly string[], value: unknown): string {
  const meant =
    typeof value === 'string' ? didYouMean(withoutPrefix(value, allowed), allowed) : undefined;
  return `must be one of ${allowed.join(', ')}${meant === undefined ? '' : `; did you mean ${meant}?`}`;
}

/** `TIER_HOT` is the contract's name, `HOT` is JSON's. */
function withoutPrefix(value: string, allowed: readonly string[]): string {
  return allowed.find((name) => value.toUpperCase().endsWith(`_${name}`)) ?? value;
}

function article(expected: string): string {
  if (expected === 'int' || expected === 'number') return 'a whole number';
  if (expected === 'boolean') return 'true or false';
  return expected === 'record' || expected === 'object' ? 'an object' : `a ${expected}`;
}

function kindOf(value: unknown): string {
  if (value === null) return 'null';
  if (Array.isArray(value)) return 'a list';
  if (typeof value === 'object') return 'an object';
  return typeof value === 'number' || typeof value === 'boolean'
    ? String(value)
    : `a ${typeof value}`;
}

function messageAt(schema: z.ZodObject, path: readonly PropertyKey[]): z.ZodObject {
  let at: z.ZodType = schema;
  for (const key of path) {
    at =
      ((at as z.ZodObject).shape as Readonly<Record<PropertyKey, z.ZodType>>)[key] ?? z.object({});
    at = valueSchema(at);
  }
  return at as z.ZodObject;
}

function valueAt(input: unknown, path: string): unknown {
  return path.split('.').reduce<unknown>((value, name) => {
    const isInside = typeof value === 'object' && value !== null && Object.hasOwn(value, name);
    return isInside ? (value as Fields)[name] : undefined;
  }, input);
}
