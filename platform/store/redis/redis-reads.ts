/** What can be read of projects and conversations; writes nothing. */
import type { PoolKey, ProjectKey } from '../../../core/identifiers.ts';
import { TURN_PAGE_BYTES_MAX } from '../commit-limit.ts';
import { LISTED_MAX, type TurnWindow } from '../reads.ts';
import { StoreError } from '../store-error.ts';
import type { ConversationSummary, Page, ProjectRecord, StoredResult, Turn } from '../store.ts';
import { READ_TURNS } from './pool-scripts.ts';
import type { Call } from './redis-call.ts';
import {
  numberOf,
  recordOf,
  RECORD_FIELDS,
  unpackConversation,
  unpackResult,
  unpackTurn,
} from './redis-codec.ts';
import { read, type RedisContext } from './redis-context.ts';

/** Of turns, that are asked for without knowing how many bytes they have. */
const SMALL_PAGE_BYTES = 1024 * 1024;
/** So much more room than its bytes a large page takes: one is read at a time. */
const LARGE_PAGE_ROOMS = 8;
/** What a record of a project may well have. */
const RECORD_BYTES = 1024;

const limitOf = (asked: number): number => Math.max(0, Math.min(asked, LISTED_MAX));

export async function readProject(
  context: RedisContext,
  key: ProjectKey,
): Promise<ProjectRecord | undefined> {
  const reply = await context.connection.call(readRecord(context, key));
  return recordOf(key, reply as readonly unknown[]);
}

function readRecord({ keys }: RedisContext, key: ProjectKey): Call {
  const args = [keys.project(key).record, ...RECORD_FIELDS];
  return { name: 'readProject', writes: false, command: 'HMGET', args };
}

/** Each as of its own moment within one round trip: they are in different slots. */
export async function readProjects(
  context: RedisContext,
  keys: readonly ProjectKey[],
): Promise<readonly (ProjectRecord | undefined)[]> {
  if (keys.length > LISTED_MAX)
    throw new StoreError(`at most ${LISTED_MAX} projects can be read at once`, 'not-applied');
  const replies = await context.answers.within(keys.length * RECORD_BYTES, () =>
    context.connection.callAll(keys.map((key) => readRecord(context, key))),
  );
  return keys.map((key, at) => recordOf(key, replies[at] as readonly unknown[]));
}

export async function listProjects(
  context: RedisContext,
  pool: PoolKey,
  page: Page & { readonly tenant?: string },
): Promise<readonly ProjectRecord[]> {
  const scope = page.tenant === undefined ? pool : `${pool}~${page.tenant}`;
  const limit = limitOf(page.limit);
  const { projects } = context.keys.pool(pool);
  const found: ProjectRecord[] = [];
  const isWithin = page.after !== undefined && page.after >= `${scope}~`;
  let from = isWithin ? `(${page.after}` : `[${scope}~`;
  while (found.length < limit) {
    const wanted = limit - found.length;
    const command = ['ZRANGEBYLEX', projects, from, `(${scope}\x7f`] as const;
    const names = (
      (await read(context, 'listProjects', [...command, 'LIMIT', 0, wanted])) as readonly Buffer[]
    ).map(String);
    const records = await readProjects(context, names);
    // A name without a record: its first claim, or its erasure, is under way.
    for (const record of records) if (record !== undefined) found.push(record);
    const last = names.at(-1);
    if (last === undefined || names.length < wanted) break;
    from = `(${last}`;
  }
  return found;
}

export async function readResult(
  context: RedisContext,
  key: ProjectKey,
  requestId: string,
): Promise<StoredResult | undefined> {
  const { results } = context.keys.project(key);
  const bytes = numberOf(await read(context, 'readResult', ['HSTRLEN', results, requestId]));
  if (bytes === 0) return undefined;
  const reply = await context.answers.within(bytes, () =>
    read(context, 'readResult', ['HGET', results, requestId], bytes),
  );
  return Buffer.isBuffer(reply) ? unpackResult(requestId, reply) : undefined;
}

export async function readTurns(
  context: RedisContext,
  place: { readonly key: ProjectKey; readonly conversation: string },
  window: TurnWindow,
): Promise<readonly Turn[]> {
  const { connection, keys, time } = context;
  const { key, conversation } = place;
  const { conversations } = keys.project(key);
  const { limit, before = '' } = window;
  const turns = keys.turns(key, conversation);
  // Again where there are more bytes than was thought: a page of them, or one turn that alone has more.
  for (let bytes = SMALL_PAGE_BYTES; ;) {
    const args = [time(), conversation, limitOf(limit), before, TURN_PAGE_BYTES_MAX, bytes];
    // Redis counts the turns of a large page one by one: not of many pages in a row, with everybody else behind them.
    const [room, large] = bytes > SMALL_PAGE_BYTES ? [LARGE_PAGE_ROOMS * bytes, bytes] : [bytes, 0];
    const reply = await context.answers.within(room, () =>
      connection.run(READ_TURNS, [conversations, turns], args, large),
    );
    const [start, items, found] = reply as readonly [number, readonly Buffer[] | null, number?];
    if (items !== null) return items.map((item, at) => unpackTurn(start + at, item));
    bytes = Number(found);
  }
}

export async function readConversation(
  context: RedisContext,
  key: ProjectKey,
  conversation: string,
): Promise<ConversationSummary | undefined> {
  const { conversations } = context.keys.project(key);
  const reply = await read(context, 'readConversation', ['HGET', conversations, conversation]);
  return Buffer.isBuffer(reply) ? unpackConversation(conversation, reply) : undefined;
}

export async function listConversations(
  context: RedisContext,
  key: ProjectKey,
  page: Page,
): Promise<readonly ConversationSummary[]> {
  const { conversations, names } = context.keys.project(key);
  const from = page.after === undefined ? '-' : `(${page.after}`;
  const limit = limitOf(page.limit);
  const command = ['ZRANGEBYLEX', names, from, '+', 'LIMIT', 0, limit] as const;
  const ids = ((await read(context, 'listConversations', command)) as readonly Buffer[]).map(
    String,
  );
  if (ids.length === 0) return [];
  const rows = (await read(context, 'listConversations', [
    'HMGET',
    conversations,
    ...ids,
  ])) as readonly unknown[];
  return ids.flatMap((id, at) => {
    const row = rows[at];
    return Buffer.isBuffer(row) ? [unpackConversation(id, row)] : [];
  });
}
