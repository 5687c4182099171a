/** What ioredis throws, as the port's error: whether a write may have been applied, and never the arguments of a command (they hold payloads and passwords). */
import { StoreError } from '../store-error.ts';

/** The value of a key is why: not one of the kind, or the form, that is written there. */
export class BrokenValueError extends StoreError {}

/** As Redis says it of a command, and where a script stumbles over what it has read. */
const BROKEN = /^(WRONGTYPE\b|ERR (user_script:\d+: |.*not (a valid float|an integer)\b))/;
/** Redis refuses these before anything is done. */
const REFUSED =
  /^(NOSCRIPT|LOADING|READONLY|MASTERDOWN|MISCONF|NOREPLICAS|OOM|BUSY|NOAUTH|WRONGPASS|NOPERM|MOVED|ASK|TRYAGAIN|CLUSTERDOWN|CROSSSLOT|UNKILLABLE)\b/;
/** The client refuses these before anything is sent. */
const UNSENT = /^Stream isn't writeable/;
/** The client says this of whatever was on its way when the connection ended, in words about its own options. */
const LOST =
  /^(Reached the max retries per request limit|Command aborted due to connection close|Connection is closed)/;
const SILENT = /^Socket timeout\. .* (\d+)ms\.$/;

const ADVICE: readonly (readonly [RegExp, string])[] = [
  [/^(NOAUTH|WRONGPASS)/, 'check user and password'],
  [/^NOPERM|ACL failure|permission/i, 'give the user the rights that docs/redis.md lists'],
  [/^OOM/, 'Redis has no memory left: raise maxmemory or delete data'],
  [/^MISCONF/, 'Redis cannot write to its disk: look at its log'],
  [/^READONLY/, 'this is a replica: connect to the primary'],
  [/^(CROSSSLOT|MOVED|ASK)/, 'this is one node of a cluster'],
];

export function textOf(thrown: unknown): string {
  const { message, code } = thrown as { readonly message?: unknown; readonly code?: unknown };
  const known = [message, code].find((text) => typeof text === 'string' && text !== '');
  const text = typeof known === 'string' ? known : 'no answer';
  return text.split('\n', 1)[0] ?? text;
}

export function explain(thrown: unknown): string {
  const text = textOf(thrown);
  const silentMs = SILENT.exec(text)?.[1];
  if (silentMs !== undefined) return `no answer for ${silentMs} ms`;
  const advice = ADVICE.find(([pattern]) => pattern.test(text))?.[1];
  return advice === undefined ? text : `${text} (${advice})`;
}

export function isNoScript(thrown: unknown): boolean {
  return textOf(thrown).startsWith('NOSCRIPT');
}

/** @param problem why the connection ended, where it did. */
export function toStoreError(
  { name, writes }: { readonly name: string; readonly writes: boolean },
  thrown: unknown,
  problem: string,
): StoreError {
  const text = textOf(thrown);
  if (UNSENT.test(text)) return new StoreError(`${name}: no connection to Redis`, 'not-applied');
  const outcome = writes && !REFUSED.test(text) ? 'unknown' : 'not-applied';
  const what = LOST.test(text) ? `the connection to Redis was lost: ${problem}` : explain(thrown);
  const Failure = BROKEN.test(text) ? BrokenValueError : StoreError;
  return new Failure(`${name}: ${what}`, outcome);
}
