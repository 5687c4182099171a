/** From the token that a caller presents to the principal behind it; reloads the token file when it changes. Decides nothing about methods. */
import { watch, type FSWatcher } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { basename, dirname } from 'node:path';
import { AppError } from '../../core/errors.ts';
import type { Clock, Timer } from '../../platform/clock.ts';
import type { Log } from '../../platform/log.ts';
import { LOCAL_ADMIN, type Principal } from './principal.ts';
import { hashOf, parseTokens, TokenFileError, type TokenTable } from './token-file.ts';

export interface Access {
  /** Without tokens everyone is the local admin, so nobody from elsewhere may reach the gateway. */
  readonly isLocalOnly: boolean;
  /** Of `Bearer …`, or undefined where the caller sent nothing. Throws TOKEN_INVALID. */
  authenticate(authorization: string | undefined): Principal;
  close(): void;
}

export const LOCAL_ACCESS: Access = {
  isLocalOnly: true,
  authenticate: () => LOCAL_ADMIN,
  close: () => undefined,
};

const BEARER = /^Bearer +(\S+) *$/i;
/** Editors write a file in several steps. */
const SETTLE_MS = 50;

export interface TokenAccessOptions {
  readonly path: string;
  readonly clock: Clock;
  readonly log: Log;
}

/** Rejects with TokenFileError when the file cannot be used; a file that breaks later leaves the tokens of before. */
export async function openTokenAccess(options: TokenAccessOptions): Promise<Access> {
  return new TokenAccess(options, await readTokens(options.path));
}

export function authenticateWith(tokens: TokenTable, authorization: string | undefined): Principal {
  if (authorization === undefined || authorization === '')
    throw new AppError('TOKEN_INVALID', 'a token is needed: authorization: Bearer TOKEN');
  const token = BEARER.exec(authorization)?.[1];
  const principal = token === undefined ? undefined : tokens.get(hashOf(token));
  if (principal === undefined) throw new AppError('TOKEN_INVALID', 'the token is not known here');
  return principal;
}

class TokenAccess implements Access {
  readonly isLocalOnly = false;
  readonly #options: TokenAccessOptions;
  readonly #watcher: FSWatcher;
  #tokens: TokenTable;
  #settling: Timer | undefined;

  constructor(options: TokenAccessOptions, tokens: TokenTable) {
    this.#options = options;
    this.#tokens = tokens;
    // The folder, as a file that is replaced by another is watched no more.
    const file = basename(options.path);
    this.#watcher = watch(dirname(options.path), { persistent: false }, (_event, changed) => {
      if (changed === null || changed === file) this.#reloadSoon();
    });
  }

  authenticate(authorization: string | undefined): Principal {
    return authenticateWith(this.#tokens, authorization);
  }

  close(): void {
    this.#settling?.cancel();
    this.#watcher.close();
  }

  #reloadSoon(): void {
    this.#settling?.cancel();
    this.#settling = this.#options.clock.after(SETTLE_MS, () => {
      void this.#reload();
    });
  }

  async #reload(): Promise<void> {
    const { log, path } = this.#options;
    try {
      this.#tokens = await readTokens(path);
      log.info('tokens reloaded', { detail: { tokens: this.#tokens.size } });
    } catch (error) {
      log.error('token file cannot be used, the tokens of before stay', { err: error });
    }
  }
}

async function readTokens(path: string): Promise<TokenTable> {
  let text: string;
  try {
    text = await readFile(path, 'utf8');
  } catch (error) {
    throw new TokenFileError(`the token file ${path} cannot be read`, { cause: error });
  }
  return parseTokens(text);
}
