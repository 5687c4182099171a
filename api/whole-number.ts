/** A bounded whole number of a manifest: there is no number in the resource without both bounds. */
import { z } from 'zod';

export interface Bounds {
  readonly min: number;
  readonly max: number;
}

/** The unit stands in the field's name or in `description`; the default is added by the caller and described by the schema. */
export function wholeNumber(bounds: Bounds, description: string): z.ZodInt {
  return z.int().min(bounds.min).max(bounds.max).describe(description);
}

export const SECONDS_PER_DAY = 86_400;
export const BYTES_PER_KIB = 1_024;
export const BYTES_PER_MIB = 1_048_576;
