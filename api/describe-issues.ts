/** Turns what zod found into sentences for people: which field, what is wrong, what to write instead. Knows no files and lines. */
import type { z } from 'zod';
import { didYouMean } from './did-you-mean.ts';
import { type FieldPath, type JsonSchema, schemaAt } from './json-schema.ts';

export interface FieldProblem {
  readonly path: FieldPath;
  readonly message: string;
}

const SHOWN_CHARACTERS_MAX = 60;

/** One problem per field, in the order of zod; each unknown field is one of its own. */
export function describeIssues(
  issues: readonly z.core.$ZodIssue[],
  input: unknown,
): FieldProblem[] {
  const seen = new Set<string>();
  return issues
    .flatMap((issue) => describeIssue(issue, input))
    .filter(({ path }) => {
      const key = JSON.stringify(path);
      return seen.has(key) ? false : seen.add(key);
    });
}

/** What `schema` wants, to be read after "must be": `a whole number from 0 to 100`. */
export function expectation(schema: JsonSchema | undefined): string {
  if (schema?.enum !== undefined)
    return `${schema.enum.length > 1 ? 'one of ' : ''}${schema.enum.join(', ')}`;
  switch (schema?.type) {
    case 'integer':
      return `a whole number from ${schema.minimum} to ${schema.maximum}`;
    case 'string':
      return stringExpectation(schema);
    case 'array':
      return 'a list';
    case 'boolean':
      return 'true or false';
    case 'object':
      return `a mapping${fieldsOf(schema)}`;
    case undefined:
      return 'another value';
  }
}

/** `"text" (a string)`, shortened. */
export function show(value: unknown): string {
  if (value === null) return 'empty';
  if (Array.isArray(value)) return 'a list';
  if (typeof value === 'object') return 'a mapping';
  if (typeof value !== 'string') return `${value as number | boolean}`;
  return JSON.stringify(
    value.length > SHOWN_CHARACTERS_MAX ? `${value.slice(0, SHOWN_CHARACTERS_MAX)}…` : value,
  );
}

function describeIssue(issue: z.core.$ZodIssue, input: unknown): FieldProblem[] {
  const path = issue.path.filter((key) => typeof key !== 'symbol');
  if (issue.code === 'unrecognized_keys')
    return issue.keys.map((key) => ({
      path: [...path, key],
      message: unknownField(key, schemaAt(path)),
    }));
  return [{ path, message: wrongValue(issue, path, input) }];
}

function unknownField(key: string, parent: JsonSchema | undefined): string {
  const known = Object.keys(parent?.properties ?? {});
  const meant = didYouMean(key, known);
  const hint = meant === undefined ? '' : `; did you mean "${meant}"?`;
  return `unknown field${hint}${hint === '' ? ';' : ''} known fields here: ${known.join(', ')}`;
}

function wrongValue(issue: z.core.$ZodIssue, path: FieldPath, input: unknown): string {
  const value = valueAt(input, path);
  const schema = schemaAt(path);
  if (issue.code === 'custom') return issue.message;
  if (value === undefined || value === null) return missing(schema);
  if (issue.code === 'invalid_format' || issue.code === 'invalid_union')
    return `${issue.message}, but is ${show(value)}`;
  if (issue.code === 'invalid_key') return wrongKey(issue);
  if (issue.code === 'too_big' && Array.isArray(value))
    return `has ${value.length} items, at most ${issue.maximum} are allowed; remove some`;
  return `must be ${expectation(schema)}, but is ${show(value)}${advice(schema, value)}`;
}

function wrongKey({ issues }: z.core.$ZodIssueInvalidKey): string {
  return issues.map(({ message }) => `this key ${message}`).join('; ');
}

function missing(schema: JsonSchema | undefined): string {
  const what = schema?.description === undefined ? '' : `. ${schema.description}`;
  return `required, but missing; must be ${expectation(schema)}${what}`;
}

function advice(schema: JsonSchema | undefined, value: unknown): string {
  if (value === '–' || value === '-') return '; leave the field out for none or the default';
  if (typeof value === 'string') {
    const meant = didYouMean(value, schema?.enum ?? []);
    return meant === undefined ? defaultOf(schema) : `; did you mean "${meant}"?`;
  }
  const isUnquoted = schema?.type === 'string' && typeof value !== 'object';
  return isUnquoted ? '; put it in quotes' : defaultOf(schema);
}

function defaultOf(schema: JsonSchema | undefined): string {
  const value = schema?.default;
  return value === undefined || typeof value === 'object' ? '' : `; the default is ${show(value)}`;
}

function stringExpectation({ minLength = 0, maxLength }: JsonSchema): string {
  if (maxLength === undefined) return 'a string';
  return `a string of ${minLength > 0 ? `${minLength} to` : 'at most'} ${maxLength} characters`;
}

function fieldsOf({ properties = {} }: JsonSchema): string {
  const names = Object.keys(properties);
  return names.length === 0 ? '' : ` with the fields ${names.join(', ')}`;
}

function valueAt(input: unknown, path: FieldPath): unknown {
  return path.reduce<unknown>((value, key) => {
    const isInside = typeof value === 'object' && value !== null && Object.hasOwn(value, key);
    return isInside ? (value as Record<string | number, unknown>)[key] : undefined;
  }, input);
}
