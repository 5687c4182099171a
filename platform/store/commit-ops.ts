/** One commit inside one transaction: results, state, turns, leases and the next sequence number, at a cost that does not grow with the history. */
import { checkCommit } from '../../core/ownership.ts';
import type { KeyValue } from './key-value.ts';
import {
  conversationKey,
  logKey,
  projectRowKey,
  resultKey,
  stateKey,
  statePrefix,
  sweepKey,
  turnKey,
  turnPrefix,
  under,
} from './keys.ts';
import { readRow } from './ownership-ops.ts';
import { trimResults, trimTurns } from './retention.ts';
import {
  conversationsOf,
  resultBytes,
  stateBytes,
  turnBytes,
  type ConversationRow,
  type LogRow,
  type ProjectRow,
  type ResultRow,
} from './rows.ts';
import type {
  Commit,
  CommitAnswer,
  StateEntry,
  StateWrite,
  StoredResult,
  TaskCommit,
} from './store.ts';

/** Order: forgets what is to be forgotten, then applies the tasks as they stand, then trims. */
export function applyCommit(kv: KeyValue, commit: Commit): CommitAnswer {
  const { key } = commit.claim;
  const found = readRow(kv, key);
  if (found === undefined || checkCommit(found, commit.claim) === 'refused')
    return { type: 'refused' };
  let row = found;
  for (const conversation of commit.forget ?? []) row = forget(kv, row, conversation);
  for (const task of commit.tasks) row = applyTask(kv, row, { task, commit });
  const { retention, wallMs } = commit;
  row = trimResults(kv, row, { retention, wallMs, added: commit.tasks.length });
  const next: ProjectRow = {
    ...row,
    seq: row.seq + 1,
    requests: row.requests + commit.tasks.length,
    lastUsedMs: wallMs,
    paused: commit.paused ?? row.paused,
    leases: commit.leases ?? row.leases,
    ...(commit.rate === undefined ? {} : { rate: commit.rate }),
  };
  kv.put(projectRowKey(key), next);
  return { type: 'committed', seq: next.seq, conversations: conversationsOf(next) };
}

interface TaskStep {
  readonly task: TaskCommit;
  readonly commit: Commit;
}

function applyTask(kv: KeyValue, row: ProjectRow, step: TaskStep): ProjectRow {
  let next = appendResult(kv, row, step.task.result);
  for (const write of step.task.writes) next = writeState(kv, next, write);
  return step.task.turns.length === 0 ? next : appendTurns(kv, next, step);
}

function appendResult(kv: KeyValue, row: ProjectRow, result: StoredResult): ProjectRow {
  const order = row.logNext;
  const bytes = resultBytes(result);
  const { requestId, digest, finishedAtMs } = result;
  const logRow: LogRow = { requestId, digest, bytes, finishedAtMs };
  const resultRow: ResultRow = { order, result };
  kv.put(logKey(row.number, order), logRow);
  kv.put(resultKey(row.number, requestId), resultRow);
  return {
    ...row,
    logNext: order + 1,
    resultBytes: row.resultBytes + bytes,
    storedBytes: row.storedBytes + bytes,
  };
}

function writeState(kv: KeyValue, row: ProjectRow, write: StateWrite): ProjectRow {
  const key = stateKey(row.number, write);
  const before = kv.get(key) as StateEntry | undefined;
  const storedBytes = row.storedBytes - (before === undefined ? 0 : stateBytes(before));
  const { json, ...place } = write;
  if (json === undefined) {
    if (before !== undefined) kv.remove(key);
    return { ...row, storedBytes };
  }
  const entry: StateEntry = { ...place, json };
  kv.put(key, entry);
  return { ...row, storedBytes: storedBytes + stateBytes(entry) };
}

function appendTurns(kv: KeyValue, row: ProjectRow, step: TaskStep): ProjectRow {
  const { result, turns } = step.task;
  const key = conversationKey(row.number, result.conversationId);
  const known = kv.get(key) as ConversationRow | undefined;
  const before = known ?? newConversation(row.nextConversation, result);
  let { turnCount, bytes } = before;
  for (const turn of turns) {
    const { role, json, timeMs, requestId } = turn;
    kv.put(turnKey(row.number, before.number, turnCount), {
      index: turnCount,
      role,
      json,
      timeMs,
      requestId,
    });
    turnCount += 1;
    bytes += turnBytes(turn);
  }
  const appended = {
    ...before,
    turnCount,
    bytes,
    agent: result.agent,
    updatedMs: step.commit.wallMs,
  };
  const after = trimTurns(kv, appended, {
    number: row.number,
    turnsMax: step.commit.retention.turnsMaxPerConversation,
    added: turns.length,
  });
  kv.put(key, after);
  const more = known === undefined ? 1 : 0;
  return {
    ...row,
    nextConversation: row.nextConversation + more,
    conversations: conversationsOf(row) + more,
    storedBytes: row.storedBytes + after.bytes - before.bytes,
  };
}

function newConversation(number: number, result: StoredResult): ConversationRow {
  const { conversationId: id, agent } = result;
  return { id, number, agent, first: 0, turnCount: 0, bytes: 0, updatedMs: 0 };
}

/** Turns are out of reach at once and swept later; state of the conversation is small and goes with the commit. */
function forget(kv: KeyValue, row: ProjectRow, id: string): ProjectRow {
  let { storedBytes } = row;
  for (const { key, value } of kv.range(under(statePrefix(row.number, id)))) {
    storedBytes -= stateBytes(value as StateEntry);
    kv.remove(key);
  }
  const key = conversationKey(row.number, id);
  const conversation = kv.get(key) as ConversationRow | undefined;
  if (conversation === undefined) return { ...row, storedBytes };
  kv.remove(key);
  kv.put(sweepKey(turnPrefix(row.number, conversation.number)), true);
  storedBytes -= conversation.bytes;
  return { ...row, storedBytes, conversations: conversationsOf(row) - 1 };
}
