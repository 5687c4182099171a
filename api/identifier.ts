/** Tenant and project names in a manifest, as `core/identifiers.ts` has them. */
import { z } from 'zod';
import { IDENTIFIER_LENGTH_MAX, IDENTIFIER_PATTERN, isIdentifier } from '../core/identifiers.ts';
import { CEL_RULES } from './rules.ts';

const MESSAGE = `must be 1 to ${IDENTIFIER_LENGTH_MAX} characters of A-Z a-z 0-9 . _ : @ - and neither "." nor ".."`;

export function identifier(description: string): z.ZodString {
  return z
    .string()
    .min(1)
    .max(IDENTIFIER_LENGTH_MAX)
    .regex(IDENTIFIER_PATTERN, { error: MESSAGE })
    .refine((text) => !IDENTIFIER_PATTERN.test(text) || isIdentifier(text), { error: MESSAGE })
    .meta({
      description,
      [CEL_RULES]: [{ rule: "self != '.' && self != '..'", message: MESSAGE }],
    });
}
