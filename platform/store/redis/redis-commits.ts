/** A commit as the flat arguments of its script. */
import type { Commit, CommitAnswer, TaskCommit } from '../store.ts';
import { resultBytes } from '../rows.ts';
import { COMMIT } from './commit-script.ts';
import type { Arg } from './redis-call.ts';
import { packLogEntry, packResult, packTurn, stateField } from './redis-codec.ts';
import type { RedisContext } from './redis-context.ts';

export async function commitTo(
  { connection, keys, time }: RedisContext,
  commit: Commit,
): Promise<CommitAnswer> {
  const { key } = commit.claim;
  const { record, state, log, results, again, conversations, names } = keys.project(key);
  const fixed = [record, state, log, results, again, conversations, names];
  const turns = new TurnKeys(fixed.length);
  const args = [time(), ...headOf(commit)];
  const { forget = [], tasks } = commit;
  args.push(forget.length, ...forget.flatMap((id) => [id, turns.indexOf(id)]), tasks.length);
  for (const task of tasks) pushTask(args, task, turns);
  const turnKeys = turns.conversations.map((id) => keys.turns(key, id));
  const answer = await connection.run(COMMIT, [...fixed, ...turnKeys], args);
  if (answer === 0) return { type: 'refused' };
  const [seq, conversationCount] = answer as readonly [number, number];
  return { type: 'committed', seq, conversations: conversationCount };
}

/** Each conversation's turns are one key, declared once. */
class TurnKeys {
  readonly #before: number;
  readonly #indexes = new Map<string, number>();

  constructor(before: number) {
    this.#before = before;
  }

  get conversations(): readonly string[] {
    return [...this.#indexes.keys()];
  }

  /** As Lua counts. */
  indexOf(conversation: string): number {
    const known = this.#indexes.get(conversation);
    if (known !== undefined) return known;
    const index = this.#before + this.#indexes.size + 1;
    this.#indexes.set(conversation, index);
    return index;
  }
}

function headOf(commit: Commit): Arg[] {
  const { claim, wallMs, paused, leases, rate, retention } = commit;
  return [
    claim.claimId,
    claim.seq,
    wallMs,
    paused === undefined ? '' : Number(paused),
    leases === undefined ? '' : JSON.stringify(leases),
    rate === undefined ? '' : JSON.stringify(rate),
    retention.resultMs,
    retention.resultsMax,
    retention.resultBytesMax,
    retention.turnsMaxPerConversation,
  ];
}

function pushTask(args: Arg[], { result, writes, turns }: TaskCommit, keys: TurnKeys): void {
  const { requestId, conversationId, agent } = result;
  args.push(requestId, packLogEntry(result), resultBytes(result), packResult(result));
  args.push(conversationId, keys.indexOf(conversationId), agent, writes.length);
  for (const { json, ...place } of writes) {
    const flag = json === undefined ? 0 : 1;
    args.push(stateField(place), Buffer.byteLength(place.key), flag, json ?? '');
  }
  args.push(turns.length);
  for (const turn of turns) args.push(packTurn(turn));
}
