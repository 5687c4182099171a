/** Why a runtime could not start, as it says before it exits with code 3: on its standard output, or where its pod looks for last words. */
import { z } from 'zod';

/** Exit code of a runtime whose agent module cannot be used. */
export const MODULE_EXIT_CODE = 3;

const startupFailureSchema = z.object({
  reason: z.string(),
  message: z.string(),
  stack: z.string().optional(),
});
export type StartupFailure = z.output<typeof startupFailureSchema>;

/** Undefined when the line is something else: agents may print, too. */
export function parseStartupFailure(line: string): StartupFailure | undefined {
  if (!line.startsWith('{')) return undefined;
  try {
    return startupFailureSchema.safeParse(JSON.parse(line)).data;
  } catch {
    return undefined;
  }
}
