/** Free-form parts of a manifest (configuration for agents, overlays for pods): any JSON object, bounded in bytes and depth. */
import { z } from 'zod';
import { BYTES_PER_KIB } from './whole-number.ts';

export const CONFIG_BYTES_MAX = 64 * BYTES_PER_KIB;
const DEPTH_MAX = 32;

type Verdict = 'fine' | 'too deep' | 'not JSON';

/** What agents read as `context.config`. */
export const freeForm = openEnded(
  z.record(z.string(), z.unknown()),
  'keep large data in a file of the agent module',
);

/** An object whose unknown fields are kept as they are; `advice` is for whoever writes more than 64 KiB into it. */
export function openEnded<Schema extends z.ZodType>(schema: Schema, advice: string): Schema {
  return schema
    .check((context) => {
      const problem = problemOf(context.value, advice);
      if (problem === undefined) return;
      context.issues.push({ code: 'custom', message: problem, input: context.value });
    })
    .meta({ 'x-kubernetes-preserve-unknown-fields': true });
}

function problemOf(value: unknown, advice: string): string | undefined {
  const verdict = judge(value, DEPTH_MAX);
  if (verdict === 'too deep') return `is nested deeper than ${DEPTH_MAX} levels; flatten it`;
  if (verdict === 'not JSON')
    return 'holds a value that JSON does not know (a binary, a date, .nan or .inf); write it as a string';
  const bytes = new TextEncoder().encode(JSON.stringify(value)).length;
  if (bytes <= CONFIG_BYTES_MAX) return undefined;
  return `has ${bytes} bytes as JSON, the limit is ${CONFIG_BYTES_MAX}; ${advice}`;
}

function judge(value: unknown, depthLeft: number): Verdict {
  if (value === null || typeof value === 'string' || typeof value === 'boolean') return 'fine';
  if (typeof value === 'number') return Number.isFinite(value) ? 'fine' : 'not JSON';
  if (!isPlain(value)) return 'not JSON';
  if (depthLeft === 0) return 'too deep';
  const verdicts = Object.values(value).map((child) => judge(child, depthLeft - 1));
  return verdicts.find((verdict) => verdict !== 'fine') ?? 'fine';
}

function isPlain(value: unknown): value is object {
  return Array.isArray(value) || Object.prototype.toString.call(value) === '[object Object]';
}
