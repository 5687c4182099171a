/**
 * What a project may keep, enforced a bounded few at a time with each commit, so that no commit pays for the history: a lowered limit is
 * reached over the next commits.
 */
import type { KeyValue } from './key-value.ts';
import { logKey, resultKey, turnKey } from './keys.ts';
import {
  turnBytes,
  type ConversationRow,
  type LogRow,
  type ProjectRow,
  type ResultRow,
} from './rows.ts';
import type { Retention, Turn } from './store.ts';

/** Beyond as many as the commit itself added. */
const EXTRA_DROPS_MAX = 16;

type ResultCounts = Pick<
  ProjectRow,
  'number' | 'logFirst' | 'logNext' | 'resultBytes' | 'storedBytes'
>;

/** Drops the oldest results that are too many, too large together or too old. */
export function trimResults<R extends ResultCounts>(
  kv: KeyValue,
  row: R,
  limits: { readonly retention: Retention; readonly wallMs: number; readonly added: number },
): R {
  const { retention, wallMs } = limits;
  let { logFirst, resultBytes, storedBytes } = row;
  for (let drops = limits.added + EXTRA_DROPS_MAX; drops > 0 && logFirst < row.logNext; drops--) {
    const key = logKey(row.number, logFirst);
    const oldest = kv.get(key) as LogRow;
    const keep =
      row.logNext - logFirst <= retention.resultsMax &&
      resultBytes <= retention.resultBytesMax &&
      oldest.finishedAtMs >= wallMs - retention.resultMs;
    if (keep) break;
    dropResult(kv, row.number, { order: logFirst, requestId: oldest.requestId });
    kv.remove(key);
    logFirst += 1;
    resultBytes -= oldest.bytes;
    storedBytes -= oldest.bytes;
  }
  return { ...row, logFirst, resultBytes, storedBytes };
}

/** A request id that ran again after its first result was dropped stands in the log twice; only the newer one is in the index. */
function dropResult(
  kv: KeyValue,
  number: number,
  entry: { order: number; requestId: string },
): void {
  const key = resultKey(number, entry.requestId);
  const indexed = kv.get(key) as ResultRow | undefined;
  if (indexed?.order === entry.order) kv.remove(key);
}

/** Drops the oldest turns of a conversation beyond `turnsMax`. */
export function trimTurns(
  kv: KeyValue,
  conversation: ConversationRow,
  limits: { readonly number: number; readonly turnsMax: number; readonly added: number },
): ConversationRow {
  let { first, bytes } = conversation;
  for (let drops = limits.added + EXTRA_DROPS_MAX; drops > 0; drops--) {
    if (conversation.turnCount - first <= limits.turnsMax) break;
    const key = turnKey(limits.number, conversation.number, first);
    bytes -= turnBytes(kv.get(key) as Turn);
    kv.remove(key);
    first += 1;
  }
  return { ...conversation, first, bytes };
}
