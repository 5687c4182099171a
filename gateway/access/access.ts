/** From the token that a caller presents to the principal behind it, by whoever knows tokens. Decides nothing about methods. */
import { readFile } from 'node:fs/promises';
import { AppError } from '../../core/errors.ts';
import type { Clock } from '../../platform/clock.ts';
import type { Log } from '../../platform/log.ts';
import { followFile } from './followed-file.ts';
import { LOCAL_ADMIN, type Principal } from './principal.ts';
import { hashOf, parseTokens, TokenFileError, type TokenTable } from './token-file.ts';

export interface Access {
  /** Without tokens everyone is the local admin, so nobody from elsewhere may reach the gateway. */
  readonly isLocalOnly: boolean;
  /**
   * Of `Bearer …`, or undefined where the caller sent nothing. A promise only where somebody else must be asked. Throws or rejects
   * with TOKEN_INVALID, or ACCESS_UNAVAILABLE when who must be asked does not answer.
   */
  authenticate(authorization: string | undefined): Principal | Promise<Principal>;
  close(): void;
}

export const LOCAL_ACCESS = {
  isLocalOnly: true,
  authenticate: () => LOCAL_ADMIN,
  close: () => undefined,
} as const satisfies Access;

/** Who knows some tokens. */
export interface TokenSource {
  /** Undefined: not one of these. A promise only where somebody else must be asked. */
  find(token: string): Principal | undefined | Promise<Principal | undefined>;
  close(): void;
}

const BEARER = /^Bearer +(\S+) *$/i;

/** Asks one source after the other. */
export function accessOf(sources: readonly TokenSource[]): Access {
  return {
    isLocalOnly: false,
    authenticate(authorization) {
      const token = tokenIn(authorization);
      const found = token === undefined ? undefined : firstOf(sources, token);
      return found instanceof Promise ? found.then(known) : known(found);
    },
    close() {
      for (const source of sources) source.close();
    },
  };
}

function tokenIn(authorization: string | undefined): string | undefined {
  if (authorization === undefined || authorization === '')
    throw new AppError('TOKEN_INVALID', 'a token is needed: authorization: Bearer TOKEN');
  return BEARER.exec(authorization)?.[1];
}

function firstOf(
  sources: readonly TokenSource[],
  token: string,
): Principal | undefined | Promise<Principal | undefined> {
  for (const [index, source] of sources.entries()) {
    const found = source.find(token);
    if (found instanceof Promise)
      return found.then((principal) => principal ?? firstOf(sources.slice(index + 1), token));
    if (found !== undefined) return found;
  }
  return undefined;
}

function known(principal: Principal | undefined): Principal {
  if (principal === undefined)
    throw new AppError(
      'TOKEN_INVALID',
      'this gateway does not know the token, it is wrong, expired or withdrawn: use another one',
    );
  return principal;
}

export function tableSource(tokens: () => TokenTable): TokenSource {
  return { find: (token) => tokens().get(hashOf(token)), close: () => undefined };
}

export interface TokenFileOptions {
  readonly path: string;
  readonly clock: Clock;
  readonly log: Log;
}

/** Rejects with TokenFileError when the file cannot be used; a file that breaks later leaves the tokens of before. */
export async function openTokenFile({ path, clock, log }: TokenFileOptions): Promise<TokenSource> {
  // Asked first for a sentence of its own.
  await readFile(path).catch((error: unknown) => {
    throw new TokenFileError(`the token file ${path} cannot be read`, { cause: error });
  });
  const file = await followFile({ path, what: 'token file', parse: parseTokens, clock, log });
  return { ...tableSource(() => file.current), close: () => file.close() };
}
