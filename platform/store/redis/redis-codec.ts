/** Between the port's types and what stands in Redis: MessagePack for what only we read, JSON for what people may want to look at. */
import { Packr } from 'msgpackr';
import type { PoolKey, ProjectKey } from '../../../core/identifiers.ts';
import type { RateBucket } from '../../../core/rate.ts';
import { TIERS, type TierCounts, type TierOverride } from '../../../core/tier.ts';
import { resultBytes, turnBytes } from '../rows.ts';
import type {
  AgentInfo,
  ClientLease,
  ConversationSummary,
  PayloadArm,
  ProjectRecord,
  ResultId,
  RuntimeChange,
  RuntimeRecord,
  StateEntry,
  StoredResult,
  Turn,
} from '../store.ts';

// The scripts read and write the same with cmsgpack: plain lists, no extensions, whole numbers as 64 bits.
const packr = new Packr({ useRecords: false, copyBuffers: true, int64AsType: 'number' });

export const isBytes = (reply: unknown): reply is Buffer => Buffer.isBuffer(reply);

export const textOrEmpty = (reply: unknown): string =>
  Buffer.isBuffer(reply) ? reply.toString() : '';

export const numberOf = (reply: unknown): number =>
  typeof reply === 'number' ? reply : Number(textOrEmpty(reply));

export const jsonOf = (reply: unknown): unknown => JSON.parse(textOrEmpty(reply)) as unknown;

const SEPARATOR = '\0';

/** Conversation and agent are identifiers, so the key may hold anything. */
export function stateField(entry: {
  readonly agent: string;
  readonly conversation?: string;
  readonly key: string;
}): string {
  return [entry.conversation ?? '', entry.agent, entry.key].join(SEPARATOR);
}

/** Of `HGETALL`: fields and values in turn. */
export function stateOf(flat: readonly Buffer[]): readonly StateEntry[] {
  const entries: StateEntry[] = [];
  for (let at = 0; at < flat.length; at += 2) {
    const [conversation = '', agent = '', ...key] = textOrEmpty(flat[at]).split(SEPARATOR);
    entries.push({
      agent,
      ...(conversation === '' ? {} : { conversation }),
      key: key.join(SEPARATOR),
      json: textOrEmpty(flat[at + 1]),
    });
  }
  return entries;
}

export function packLogEntry(result: StoredResult): Buffer {
  return packr.pack([result.requestId, result.digest, resultBytes(result), result.finishedAtMs]);
}

export function unpackLogEntry(packed: Buffer): ResultId {
  const [requestId, digest] = packr.unpack(packed) as [string, string];
  return { requestId, digest };
}

export function packResult(result: StoredResult): Buffer {
  const { digest, agent, conversationId, output, finishedAtMs } = result;
  return packr.pack([digest, agent, conversationId, output.arm, output.body, finishedAtMs]);
}

export function unpackResult(requestId: string, packed: Buffer): StoredResult {
  const [digest, agent, conversationId, arm, body, finishedAtMs] = packr.unpack(packed) as [
    string,
    string,
    string,
    PayloadArm,
    Uint8Array,
    number,
  ];
  return { requestId, digest, agent, conversationId, output: { arm, body }, finishedAtMs };
}

/** Its cost in front: what the script takes off when it drops the turn. */
export function packTurn(turn: Omit<Turn, 'index'>): Buffer {
  const { role, json, timeMs, requestId } = turn;
  return Buffer.concat([
    Buffer.from(`${turnBytes(turn)} `),
    packr.pack([role, json, timeMs, requestId]),
  ]);
}

export function unpackTurn(index: number, packed: Buffer): Turn {
  const [role, json, timeMs, requestId] = packr.unpack(
    packed.subarray(packed.indexOf(' ') + 1),
  ) as [Turn['role'], string, number, string];
  return { index, role, json, timeMs, requestId };
}

export function unpackConversation(id: string, packed: Buffer): ConversationSummary {
  const [agent, , turnCount, , updatedMs] = packr.unpack(packed) as [
    string,
    number,
    number,
    number,
    number,
  ];
  return { id, agent, turnCount, updatedMs };
}

export const leasesOf = (reply: unknown): readonly ClientLease[] =>
  Buffer.isBuffer(reply) ? (jsonOf(reply) as readonly ClientLease[]) : [];

export const rateOf = (reply: unknown): RateBucket | undefined =>
  Buffer.isBuffer(reply) ? (jsonOf(reply) as RateBucket) : undefined;

/** The fields of a record in the order in which `recordOf` takes them. */
export const RECORD_FIELDS = [
  'owner',
  'claim',
  'epoch',
  'seq',
  'paused',
  'leases',
  'bytes',
  'requests',
  'used',
  'erased',
] as const;

/** Undefined: there is none, or its erasure is under way. */
export function recordOf(key: ProjectKey, reply: readonly unknown[]): ProjectRecord | undefined {
  const [owner, claim, epoch, seq, paused, leases, bytes, requests, used, erased] = reply;
  if (!Buffer.isBuffer(epoch) || Buffer.isBuffer(erased)) return undefined;
  const record = {
    key,
    epoch: numberOf(epoch),
    seq: numberOf(seq),
    paused: isTrue(paused),
    leases: leasesOf(leases),
    storedBytes: numberOf(bytes),
    requests: numberOf(requests),
    lastUsedMs: numberOf(used),
  };
  if (!Buffer.isBuffer(owner)) return record;
  return {
    ...record,
    owner: { incarnation: owner.toString(), claimId: textOrEmpty(claim) },
  };
}

export const isTrue = (reply: unknown): boolean => textOrEmpty(reply) === '1';

/** The time to live of its lease stands in front, where the script can read it. Undefined: no record of a runtime of this pool. */
export function runtimeOf(pool: PoolKey, reply: unknown): RuntimeRecord | undefined {
  const text = textOrEmpty(reply);
  const said = parsedOrUndefined(text.slice(text.indexOf('{')));
  return isRecordOf(pool, said) ? said : undefined;
}

/** What an announcement of the pool's runtimes says. Undefined: only that there is something to read, as one of another version may. */
export function runtimeChangesOf(
  pool: PoolKey,
  message: string,
): readonly RuntimeChange[] | undefined {
  const said = parsedOrUndefined(message);
  if (Array.isArray(said)) {
    const incarnations: readonly unknown[] = said;
    if (!incarnations.every((one) => typeof one === 'string')) return undefined;
    return incarnations.map((incarnation) => ({ type: 'gone', incarnation }));
  }
  return isRecordOf(pool, said) ? [{ type: 'lives', record: said }] : undefined;
}

/** Whoever may write the pool's keys may say anything here: nobody who hears it is to fail over it. */
function isRecordOf(pool: PoolKey, said: unknown): said is RuntimeRecord {
  const record = fieldsOf<RuntimeRecord>(said);
  const { incarnation, name, address, role, revision, ready, draining, agents } = record;
  const { protocolMin, protocolMax, maxConcurrentTasks, blanks, bound = '' } = record;
  const { HOT, WARM, COLD } = fieldsOf<TierCounts>(record.instances);
  return (
    record.pool === pool &&
    areAll('string', incarnation, name, address, role, revision, bound) &&
    areAll('boolean', ready, draining) &&
    areAll('number', protocolMin, protocolMax, maxConcurrentTasks, blanks, HOT, WARM, COLD) &&
    Array.isArray(agents) &&
    agents.every((agent) => areAll('string', fieldsOf<AgentInfo>(agent).name))
  );
}

const fieldsOf = <Fields>(value: unknown): Partial<Record<keyof Fields, unknown>> => value ?? {};

const areAll = (type: 'string' | 'boolean' | 'number', ...values: readonly unknown[]): boolean =>
  values.every((value) => typeof value === type);

function parsedOrUndefined(text: string): unknown {
  try {
    return JSON.parse(text) as unknown;
  } catch {
    return undefined;
  }
}

/** The generation stands in front, where the script can compare it. Undefined: there is none, or nobody can read it. */
export function overrideOf(reply: unknown): TierOverride | undefined {
  const text = textOrEmpty(reply);
  const space = text.indexOf(' ');
  const override = parsedOrUndefined(text.slice(space + 1));
  const { tier, sinceMs } = fieldsOf<TierOverride>(override);
  if (!TIERS.some((known) => known === tier) || !areAll('number', sinceMs)) return undefined;
  const generation = Number(text.slice(0, space));
  return { ...(override as Omit<TierOverride, 'generation'>), generation };
}
