/**
 * The layout of the ordered map. Keys are printable ASCII, so every backend sorts them alike; parts are separated by a space, the
 * lowest character in use. Data of a project hangs under its number, not its name: keys stay short, and a number is never used twice,
 * so what an erased project left is out of reach at once and swept afterwards.
 *
 *   m schema                          {version}                      m counters      {projects, epochFloor, generations}
 *   m opener                          {pid, startedAt} (embedded: who has the folder open)
 *   q <pool>                          PoolRecord                     o <project>     TierOverride
 *   p <project>                       ProjectRow                     x <prefix>      keys under this prefix are to be swept
 *   d <number> s <conversation|.> <agent> <key>   StateEntry
 *   d <number> l <order>              LogRow: results in order of commit, without their bodies
 *   d <number> r <request id>         ResultRow: the result and its order in the log
 *   d <number> c <conversation>       ConversationRow
 *   d <number> t <conversation number> <index>    Turn
 */
import { createHash } from 'node:crypto';
import type { PoolKey, ProjectKey } from '../../core/identifiers.ts';
import type { KeyRange } from './key-value.ts';

const PLAIN = /^[!-~]{1,256}$/;
/** The character after the space: ends the range of everything under a prefix that ends in a space. */
const PAST_SPACE = '!';
/** The character after `~`, which separates the parts of pool and project keys. */
const PAST_TILDE = '\x7f';
/** Conversations are never named `.`, so this stands for state of the project itself. */
const NO_CONVERSATION = '.';

export const SCHEMA_KEY = 'm schema';
export const COUNTERS_KEY = 'm counters';
export const OPENER_KEY = 'm opener';
/** Written for nothing but to learn whether the disk takes it. */
export const PROBE_KEY = 'm probe';
export const SWEEP_PREFIX = 'x ';

/** Text of any length and alphabet as one part of a key; what is not short and plain is replaced by its digest. */
function part(text: string): string {
  return PLAIN.test(text) ? text : `~${createHash('sha256').update(text).digest('base64url')}`;
}

/** Non-negative integers such that their text sorts like they do: the number of digits first. */
function ordered(value: number): string {
  const digits = value.toString(36);
  return digits.length.toString(36) + digits;
}

export const poolKey = (pool: PoolKey): string => `q ${pool}`;
export const projectRowKey = (project: ProjectKey): string => `p ${project}`;
export const overrideKey = (project: ProjectKey): string => `o ${project}`;
export const sweepKey = (prefix: string): string => SWEEP_PREFIX + prefix;

/** Ends in a space, as all prefixes to be swept do. */
export const dataPrefix = (number: number): string => `d ${ordered(number)} `;

export function statePrefix(number: number, conversation?: string): string {
  const all = `${dataPrefix(number)}s `;
  return conversation === undefined ? all : `${all}${part(conversation)} `;
}

export function stateKey(
  number: number,
  entry: { readonly agent: string; readonly conversation?: string; readonly key: string },
): string {
  const conversation =
    entry.conversation === undefined ? NO_CONVERSATION : part(entry.conversation);
  return `${statePrefix(number)}${conversation} ${part(entry.agent)} ${part(entry.key)}`;
}

export const logPrefix = (number: number): string => `${dataPrefix(number)}l `;
export const logKey = (number: number, order: number): string => logPrefix(number) + ordered(order);
export const resultKey = (number: number, requestId: string): string =>
  `${dataPrefix(number)}r ${part(requestId)}`;
export const conversationPrefix = (number: number): string => `${dataPrefix(number)}c `;
export const conversationKey = (number: number, conversation: string): string =>
  conversationPrefix(number) + part(conversation);
export const turnPrefix = (number: number, conversation: number): string =>
  `${dataPrefix(number)}t ${ordered(conversation)} `;
export const turnKey = (number: number, conversation: number, index: number): string =>
  turnPrefix(number, conversation) + ordered(index);

/** Everything under a prefix that ends in a space. */
export function under(prefix: string): KeyRange {
  return { from: prefix, to: prefix.slice(0, -1) + PAST_SPACE };
}

/** Everything whose name starts with `<name>~`, under the one-letter table. */
export function underName(table: 'p' | 'o', name: string): KeyRange {
  return { from: `${table} ${name}~`, to: `${table} ${name}${PAST_TILDE}` };
}

/** The range without everything up to and including `key`. */
export function past(key: string, range: KeyRange): KeyRange {
  const from = key + PAST_SPACE;
  return from > range.from ? { ...range, from } : range;
}
