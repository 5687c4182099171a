/** Who may call: the tokens of a file, or everyone on this machine. */
import { type Access, LOCAL_ACCESS, openTokenAccess } from '../../gateway/access/access.ts';
import { TokenFileError } from '../../gateway/access/token-file.ts';
import { systemClock } from '../../platform/clock.ts';
import type { Log } from '../../platform/log.ts';
import { CliError } from '../exit-code.ts';

/** @param tokens path of the file; undefined: none. */
export async function accessFor(tokens: string | undefined, log: Log): Promise<Access> {
  if (tokens === undefined) return LOCAL_ACCESS;
  try {
    return await openTokenAccess({ path: tokens, clock: systemClock, log });
  } catch (error) {
    if (!(error instanceof TokenFileError)) throw error;
    throw new CliError(
      error.message,
      undefined,
      'Write it as [{"token": "…", "subject": "ada", "tenants": ["acme"], "role": "caller"}].',
    );
  }
}
