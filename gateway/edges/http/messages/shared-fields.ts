/** The fields that many messages share. What a pattern says here, the gateway checks again for every edge. */
import { z } from 'zod';
import {
  IDENTIFIER_LENGTH_MAX,
  IDENTIFIER_PATTERN,
  isIdentifier,
  isPoolName,
} from '../../../../core/identifiers.ts';
import { INSTANCE_STATES } from '../../../../core/instance-state.ts';
import { TIERS } from '../../../../core/tier.ts';
import { IDENTIFIER_RULE, POOL_NAME_RULE } from '../../../request-fields.ts';

const UINT32_MAX = 2 ** 32 - 1;

/** A required name. */
export function identifier(description: string): z.ZodString {
  return z
    .string()
    .regex(IDENTIFIER_PATTERN, IDENTIFIER_RULE)
    .refine((text) => !IDENTIFIER_PATTERN.test(text) || isIdentifier(text), IDENTIFIER_RULE)
    .meta({ description });
}

/** A name that may be left out; the empty string means the same. */
export function optionalIdentifier(description: string): z.ZodDefault<z.ZodString> {
  return z
    .string()
    .refine((text) => text === '' || isIdentifier(text), IDENTIFIER_RULE)
    .meta({ description, maxLength: IDENTIFIER_LENGTH_MAX })
    .default('');
}

export function uint32(description: string): z.ZodNumber {
  return z
    .number()
    .int('must be a whole number')
    .min(0, 'must not be negative')
    .max(UINT32_MAX, `must be at most ${UINT32_MAX}`)
    .meta({ description });
}

export const pool = z
  .string()
  .refine((text) => text === '' || isPoolName(text), POOL_NAME_RULE)
  .meta({
    description:
      'Name of the pool, or namespace/name. May be left out where the gateway serves one pool.',
    examples: ['getting-started'],
  })
  .default('');

export const tenant = identifier('Who the work is for.').meta({
  description: 'Who the work is for.',
  examples: ['acme'],
});
export const project = identifier(
  'A project of the tenant: the unit of state, tier and quota.',
).meta({
  description: 'A project of the tenant: the unit of state, tier and quota.',
  examples: ['website'],
});
export const tier = z.enum(TIERS).meta({
  description:
    'HOT: a runtime of its own; WARM: kept in a shared runtime; COLD: started for each use.',
});
export const instanceState = z
  .enum(INSTANCE_STATES)
  .meta({ description: 'State of the instance.' });

export const timestamp = z.string().meta({
  format: 'date-time',
  description: 'RFC 3339, UTC.',
  examples: ['2026-11-21T10:00:00.000Z'],
});
export const count = (description: string): z.ZodNumber =>
  z.number().int().min(0).meta({ description });
export const any = (description: string): z.ZodUnknown => z.unknown().meta({ description });

export const pageSize = uint32(
  'Most entries in the answer, cut to 1,000; left out or 0: 100.',
).default(0);
export const pageToken = z
  .string()
  .max(4_096, 'is no page token')
  .meta({ description: 'next_page_token of the page before.' })
  .default('');
export const nextPageToken = z
  .string()
  .meta({ description: 'Give it as page_token for the next page; empty: this is the last.' });

/** Wall-clock milliseconds as RFC 3339. */
export function timestampText(wallMs: number): string {
  return new Date(wallMs).toISOString();
}

/** A field with the time, or no field where there is none: undefined or 0. */
export function timestampOrNone<Name extends string>(
  name: Name,
  wallMs: number | undefined,
): Partial<Record<Name, string>> {
  if (wallMs === undefined || wallMs === 0) return {};
  return { [name]: timestampText(wallMs) } as Partial<Record<Name, string>>;
}
