/** What can be read of projects, conversations and the small records, as of one view; writes nothing. */
import type { PoolKey, ProjectKey } from '../../core/identifiers.ts';
import type { TierOverride } from '../../core/tier.ts';
import { TURN_PAGE_BYTES_MAX } from './commit-limit.ts';
import type { KeyValueReader } from './key-value.ts';
import {
  conversationKey,
  conversationPrefix,
  past,
  poolKey,
  projectRowKey,
  resultKey,
  turnKey,
  under,
  underName,
} from './keys.ts';
import { readRow } from './ownership-ops.ts';
import {
  toRecord,
  turnBytes,
  type ConversationRow,
  type ProjectRow,
  type ResultRow,
} from './rows.ts';
import type {
  ConversationSummary,
  Page,
  PoolRecord,
  ProjectRecord,
  StoredResult,
  Turn,
} from './store.ts';

/** The most entries of one listing, whatever the caller asks: a page of 1,000, and the one that tells that there is another page. */
export const LISTED_MAX = 1_001;

export interface TurnWindow {
  readonly limit: number;
  readonly before?: number;
}

const limitOf = (asked: number): number => Math.max(0, Math.min(asked, LISTED_MAX));

export function readProject(kv: KeyValueReader, key: ProjectKey): ProjectRecord | undefined {
  const row = readRow(kv, key);
  return row === undefined ? undefined : toRecord(key, row);
}

export function listProjects(
  kv: KeyValueReader,
  pool: PoolKey,
  page: Page & { readonly tenant?: string },
): readonly ProjectRecord[] {
  const all = underName('p', page.tenant === undefined ? pool : `${pool}~${page.tenant}`);
  const range = page.after === undefined ? all : past(projectRowKey(page.after), all);
  const entries = kv.range({ ...range, limit: limitOf(page.limit) });
  return entries.map(({ key, value }) =>
    toRecord(key.slice(projectRowKey('').length), value as ProjectRow),
  );
}

export function readResult(
  kv: KeyValueReader,
  key: ProjectKey,
  requestId: string,
): StoredResult | undefined {
  const row = readRow(kv, key);
  if (row === undefined) return undefined;
  return (kv.get(resultKey(row.number, requestId)) as ResultRow | undefined)?.result;
}

export function readTurns(
  kv: KeyValueReader,
  place: { readonly key: ProjectKey; readonly conversation: string },
  window: TurnWindow,
): readonly Turn[] {
  const row = readRow(kv, place.key);
  if (row === undefined) return [];
  const found = kv.get(conversationKey(row.number, place.conversation)) as
    ConversationRow | undefined;
  if (found === undefined) return [];
  const end = Math.min(window.before ?? found.turnCount, found.turnCount);
  const start = Math.max(found.first, end - limitOf(window.limit));
  if (start >= end) return [];
  const at = (index: number): string => turnKey(row.number, found.number, index);
  if (found.bytes <= TURN_PAGE_BYTES_MAX)
    return kv.range({ from: at(start), to: at(end) }).map((entry) => entry.value as Turn);
  return newestThatFit(kv, { start, end, at });
}

/** One by one from the end: what is not answered is never held. */
function newestThatFit(
  kv: KeyValueReader,
  { start, end, at }: { start: number; end: number; at: (index: number) => string },
): readonly Turn[] {
  const turns: Turn[] = [];
  let bytes = 0;
  for (let index = end - 1; index >= start; index--) {
    const turn = kv.get(at(index)) as Turn;
    bytes += turnBytes(turn);
    if (turns.length > 0 && bytes > TURN_PAGE_BYTES_MAX) break;
    turns.push(turn);
  }
  return turns.reverse();
}

export function readConversation(
  kv: KeyValueReader,
  key: ProjectKey,
  conversation: string,
): ConversationSummary | undefined {
  const row = readRow(kv, key);
  if (row === undefined) return undefined;
  const found = kv.get(conversationKey(row.number, conversation)) as ConversationRow | undefined;
  return found === undefined ? undefined : summaryOf(found);
}

export function listConversations(
  kv: KeyValueReader,
  key: ProjectKey,
  page: Page,
): readonly ConversationSummary[] {
  const row = readRow(kv, key);
  if (row === undefined) return [];
  const all = under(conversationPrefix(row.number));
  const range = page.after === undefined ? all : past(conversationKey(row.number, page.after), all);
  const entries = kv.range({ ...range, limit: limitOf(page.limit) });
  return entries.map((entry) => summaryOf(entry.value as ConversationRow));
}

function summaryOf(row: ConversationRow): ConversationSummary {
  const { id, agent, turnCount, updatedMs } = row;
  return { id, agent, turnCount, updatedMs };
}

export function listTierOverrides(
  kv: KeyValueReader,
  pool: PoolKey,
): readonly { readonly key: ProjectKey; readonly override: TierOverride }[] {
  return kv
    .range(underName('o', pool))
    .map(({ key, value }) => ({ key: key.slice('o '.length), override: value as TierOverride }));
}

export function listPools(kv: KeyValueReader, pool?: PoolKey): readonly PoolRecord[] {
  if (pool !== undefined) {
    const record = kv.get(poolKey(pool)) as PoolRecord | undefined;
    return record === undefined ? [] : [record];
  }
  return kv.range(under(poolKey(''))).map((entry) => entry.value as PoolRecord);
}
