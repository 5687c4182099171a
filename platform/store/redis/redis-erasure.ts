/**
 * Erasures of projects. The record and the pool's lists are in two slots, so an erasure has steps; each may be the last that its process does, and
 * several may be at one at once: who erases, who comes to claim, who ends what was interrupted.
 *
 * - begin: the name goes into `erasing`, so that what is interrupted is found.
 * - mark: nobody can claim the record or commit to it any more.
 * - leave: the name goes off the list, and epochs go on from the record's; only while it is in `erasing`, or one so slow that others have ended
 *   the erasure would take the name of the project that was made anew. Begun again where it is not.
 * - sweep: conversations, some with each step, and with the last of them all the rest; then the name goes out of `erasing`.
 *
 * Where several were at it the name of a project that is gone may stay on the list: no listing shows it, and it goes with the pool. A project is never off
 * the list.
 */
import { poolKeyOfProject, type PoolKey, type ProjectKey } from '../../../core/identifiers.ts';
import { LISTED_MAX } from '../reads.ts';
import { StoreError } from '../store-error.ts';
import type { SeenProject } from '../store.ts';
import { BEGIN, DROP_OVERRIDE, LEAVE, MARK, STAY, SWEEP } from './erasure-scripts.ts';
import { textOrEmpty } from './redis-codec.ts';
import { read, type RedisContext } from './redis-context.ts';
import { readProjects } from './redis-reads.ts';

/** Of conversations that go with one step. */
const CONVERSATIONS_PER_STEP = 500;
/** Others take the name out of `erasing` when they have seen to it: that often in a row only by chance. */
const TRIES_MAX = 10;
/** With one call. */
const ENDED_MAX = 200;

type Marked = 'marked' | 'live' | 'absent';

/** What may be erased: a project, one that is as it was seen, or only what is left of an erasure or of a first claim. */
type Wanted = 'live' | 'left' | SeenProject;

export class RedisErasure {
  readonly #context: RedisContext;

  constructor(context: RedisContext) {
    this.#context = context;
  }

  async erase(key: ProjectKey, unchanged?: SeenProject): Promise<boolean> {
    const found = await this.#erase(key, unchanged ?? 'live');
    if (unchanged !== undefined && found !== 'marked') return false;
    if (found === 'absent' && (await this.#isListed(key))) await this.end(key);
    const { connection, keys, time } = this.#context;
    const channels = [keys.channel(poolKeyOfProject(key), 'tiers'), keys.tierChannel(key)];
    const args = [time(), key, ...channels, found === 'marked' ? 1 : 0];
    const dropped = await connection.run(DROP_OVERRIDE, [keys.poolOf(key).overrides], args);
    return found === 'marked' || dropped === 1;
  }

  /** What an erasure or a first claim left that was interrupted; a project that lives stays. */
  async end(key: ProjectKey): Promise<void> {
    await this.#erase(key, 'left');
  }

  /** See the port. */
  async endAll(pool: PoolKey, which: 'begun' | 'listed'): Promise<boolean> {
    const found = await this.#context.broken.within(pool, new Set<string>(), () =>
      this.#interrupted(pool, which),
    );
    // Whoever reads this may erase all pools' projects, and whoever wrote it may be limited to this one.
    const own = [...found].filter((name) => poolKeyOfProject(name) === pool);
    if (own.length < found.size) this.#context.broken.tell(pool, 'the name of a project');
    for (const name of own.slice(0, ENDED_MAX)) await this.end(name);
    return own.length > ENDED_MAX;
  }

  async #erase(key: ProjectKey, wanted: Wanted): Promise<Marked> {
    const { connection, keys, time } = this.#context;
    const { projects, erasing, counters } = keys.poolOf(key);
    for (let tries = 0; tries < TRIES_MAX; tries += 1) {
      await connection.run(BEGIN, [erasing], [time(), key]);
      const { found, epoch } = await this.#mark(key, wanted);
      if (found !== 'marked') {
        await this.#settle(key, found === 'live');
        return found;
      }
      const left = await connection.run(LEAVE, [projects, erasing, counters], [time(), key, epoch]);
      if (left === 1) {
        await this.#settle(key, await this.#sweep(key));
        return found;
      }
    }
    throw new StoreError('eraseProject: others ended it again and again', 'unknown');
  }

  async #mark(
    key: ProjectKey,
    wanted: Wanted,
  ): Promise<{ readonly found: Marked; readonly epoch: string }> {
    const { connection, keys, time } = this.#context;
    const [which, epoch, seq] =
      typeof wanted === 'string' ? [wanted, '', ''] : ['live', wanted.epoch, wanted.seq];
    const args = [time(), which, epoch, seq];
    const answer = await connection.run(MARK, [keys.project(key).record], args);
    const [found, of] = answer as readonly [Buffer, Buffer?];
    return { found: textOrEmpty(found) as Marked, epoch: textOrEmpty(of ?? null) };
  }

  async #settle(key: ProjectKey, lives: boolean): Promise<void> {
    const { connection, keys, time } = this.#context;
    const { projects, erasing } = keys.poolOf(key);
    if (lives) await connection.run(STAY, [projects, erasing], [time(), key]);
    else {
      const args = [erasing, key];
      await connection.call({ name: 'eraseProject', writes: true, command: 'SREM', args });
    }
  }

  /** All that a project marked as erased still has. Answers whether there is one that lives instead. */
  async #sweep(key: ProjectKey): Promise<boolean> {
    const { connection, keys, time } = this.#context;
    const { record, state, log, results, again, conversations, names } = keys.project(key);
    const range = ['ZRANGE', names, 0, CONVERSATIONS_PER_STEP - 1] as const;
    for (;;) {
      const found = ((await read(this.#context, 'eraseProject', range)) as Buffer[]).map(String);
      const all = [record, state, log, results, again, conversations, names];
      const turns = found.map((name) => keys.turns(key, name));
      const answer = await connection.run(SWEEP, [...all, ...turns], [time(), ...found]);
      if (answer !== 0) return answer === 2;
    }
  }

  async #isListed(key: ProjectKey): Promise<boolean> {
    const { projects } = this.#context.keys.poolOf(key);
    return Buffer.isBuffer(await read(this.#context, 'eraseProject', ['ZSCORE', projects, key]));
  }

  async #interrupted(pool: PoolKey, which: 'begun' | 'listed'): Promise<Set<string>> {
    const { erasing } = this.#context.keys.pool(pool);
    const members = await read(this.#context, 'endErasures', ['SMEMBERS', erasing]);
    const found = new Set((members as readonly Buffer[]).map(String));
    if (which === 'listed') for (const name of await this.#withoutRecord(pool)) found.add(name);
    return found;
  }

  /** Of those on the list. */
  async #withoutRecord(pool: PoolKey): Promise<readonly string[]> {
    const { projects } = this.#context.keys.pool(pool);
    const found: string[] = [];
    for (let from = '-'; ;) {
      const page = ['ZRANGEBYLEX', projects, from, '+', 'LIMIT', 0, LISTED_MAX] as const;
      const answer = (await read(this.#context, 'endErasures', page)) as readonly Buffer[];
      const names = answer.map(String);
      const records = await readProjects(this.#context, names);
      found.push(...names.filter((_, at) => records[at] === undefined));
      const last = names.at(-1);
      if (last === undefined || names.length < LISTED_MAX) return found;
      from = `(${last}`;
    }
  }
}
