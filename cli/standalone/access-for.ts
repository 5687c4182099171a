/** Who may call: the tokens of a file, or everyone on this machine. */
import {
  type Access,
  accessOf,
  LOCAL_ACCESS,
  openTokenFile,
  type TokenSource,
} from '../../gateway/access/access.ts';
import { TokenFileError } from '../../gateway/access/token-file.ts';
import { systemClock } from '../../platform/clock.ts';
import type { Log } from '../../platform/log.ts';
import { CliError } from '../exit-code.ts';

/** @param tokens path of the file; undefined: none. */
export async function accessFor(tokens: string | undefined, log: Log): Promise<Access> {
  return tokens === undefined ? LOCAL_ACCESS : accessOf([await openTokens(tokens, log)]);
}

/** Throws a CliError that says what is wrong with the file. */
export async function openTokens(path: string, log: Log): Promise<TokenSource> {
  try {
    return await openTokenFile({ path, clock: systemClock, log });
  } catch (error) {
    if (!(error instanceof TokenFileError)) throw error;
    throw new CliError(
      error.message,
      undefined,
      'Write it as [{"token": "…", "subject": "ada", "tenants": ["acme"], "role": "caller"}].',
    );
  }
}
