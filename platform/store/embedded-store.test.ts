import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { execFileSync, spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import {
  chmodSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  truncateSync,
  unlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import {
  claimed,
  commitOf,
  committed,
  POOL,
  taskCommit,
} from '../../test/conformance/store-builders.ts';
import { systemClock } from '../clock.ts';
import { EmbeddedBackend, openDatabase } from './embedded-backend.ts';
import { EXAMINED_VERSION, hearVisible, isBootKnown } from './embedded-visibility.ts';
import { EmbeddedStore } from './embedded-store.ts';
import type { OpenProblem, StoreOpenError } from './store-open-error.ts';
import type { Claim } from './store.ts';

type Database = ReturnType<typeof openDatabase>;

/** What lmdb-js would be if some of it were otherwise. */
function seenThrough(database: Database, changes: object): Database {
  return new Proxy(database, {
    get(target, name) {
      if (name in changes) return Reflect.get(changes, name) as unknown;
      const value: unknown = Reflect.get(target, name);
      return typeof value === 'function' ? (value.bind(target) as unknown) : value;
    },
  });
}

/** lmdb calls its own, not this one. */
const startWriting = (): void => undefined;

/** A database whose disk has a transaction later than its readers, or refuses it then. */
class HeldDisk {
  holds = false;
  fails = false;
  readonly database: Database;
  #release: () => void = () => undefined;
  readonly #released = new Promise<void>((resolve) => {
    this.#release = resolve;
  });

  constructor(database: Database) {
    const batch = (fill: () => void): Promise<unknown> => this.#reach(database.batch(fill));
    this.database = seenThrough(database, { batch });
  }

  release(): void {
    this.#release();
  }

  async #reach(written: Promise<unknown>): Promise<unknown> {
    const { holds, fails } = this;
    await written;
    if (holds) await this.#released;
    if (!fails) return true;
    const commitError = Promise.reject(new Error('the disk said no'));
    throw Object.assign(new Error('Commit failed (see commitError for details)'), { commitError });
  }
}

const KEY = `${POOL}~acme~one`;
let path: string;
let opened: EmbeddedStore[] = [];

function openStore(): EmbeddedStore {
  const store = EmbeddedStore.open(path, systemClock);
  opened.push(store);
  return store;
}

function openFailure(): { problem: OpenProblem; message: string } {
  try {
    openStore();
  } catch (error) {
    const { problem, message } = error as StoreOpenError;
    return { problem, message };
  }
  throw new Error('it opened');
}

beforeEach(() => {
  path = mkdtempSync(join(tmpdir(), 'agentpool-embedded-'));
});
afterEach(async () => {
  for (const store of opened) await store.close();
  opened = [];
  rmSync(path, { recursive: true, force: true });
});

describe('when a commit is answered', () => {
  it('is as soon as readers see it, and with flush when the disk has it', async () => {
    const database = openDatabase(path);
    const backend = new EmbeddedBackend(database, path, () => undefined);
    const order: string[] = [];
    // lmdb-js itself answers with the flush: whoever comes first in the same turn of the loop would be by chance.
    for (let n = 0; n < 20; n += 1) {
      await backend.write((kv) => {
        kv.put('n', n);
      });
      expect(database.get('n')).toBe(n);
      const flushed = backend.flush().then(() => order.push('flushed'));
      order.push('answered');
      await flushed;
    }
    await backend.close();
    expect(order).toEqual(Array.from({ length: 20 }, () => ['answered', 'flushed']).flat());
  });

  it('hears of every transaction of lmdb that it can be seen: else each would wait for the disk', async () => {
    const database = openDatabase(path);
    let seen = 0;
    const isHeard = hearVisible(database, () => () => {
      seen += 1;
    });
    for (let n = 0; n < 5; n += 1) {
      await database.put('n', n);
      await database.flushed;
    }
    await database.close();
    expect(isHeard).toBe(process.platform === 'linux');
    expect(seen).toBeGreaterThan(isHeard ? 0 : -1);
  });

  it('rests on one version of lmdb: whoever raises it reads again when lmdb tells what', () => {
    const root = new URL('../../', import.meta.url);
    const versionIn = (file: string): string =>
      JSON.stringify(JSON.parse(readFileSync(new URL(file, root), 'utf8')));
    expect(versionIn('package.json')).toContain(`"lmdb":"${EXAMINED_VERSION}"`);
    expect(versionIn('node_modules/lmdb/package.json')).toContain(
      `"version":"${EXAMINED_VERSION}"`,
    );
  });

  it.each<[string, (database: Database) => object]>([
    ['keeps its environment elsewhere', (database) => seenThrough(database, { env: undefined })],
    ['calls it by another name', (database) => seenThrough(database, { env: { writeNow: 1 } })],
    ['hands nothing over there', (database) => seenThrough(database, { env: { startWriting } })],
  ])('waits for the disk where lmdb %s', async (_how, changed) => {
    const database = openDatabase(path);
    const disk = new HeldDisk(changed(database) as Database);
    const backend = new EmbeddedBackend(disk.database, path, () => undefined);
    disk.holds = true;
    let isAnswered = false;
    const written = backend.write((kv) => {
      kv.put('n', 1);
    });
    void written.then(() => (isAnswered = true));
    while (database.get('n') === undefined) await systemClock.sleep(1);
    for (let turn = 0; turn < 20; turn += 1) await systemClock.sleep(1);
    expect(isAnswered).toBe(false);
    disk.release();
    await written;
    await backend.close();
  });

  it('is told apart from another start of the machine by a file of the kernel only', () => {
    const file = join(path, 'boot_id');
    writeFileSync(file, '0d5f2b1e-9b1c-4b0e-8a55-1d4d0c6f3f5e');
    expect(isBootKnown(file)).toBe(false);
    expect(isBootKnown(join(path, 'none'))).toBe(false);
    // Of procfs, and no number.
    expect(isBootKnown('/proc/self/comm')).toBe(false);
    expect(isBootKnown('/proc/sys/kernel/random/boot_id')).toBe(process.platform === 'linux');
  });
});

describe('a disk that refuses what was answered already', () => {
  const put = (backend: EmbeddedBackend, n: number): Promise<void> =>
    backend.write((kv) => {
      kv.put('n', n);
    });

  async function refused(): Promise<{ backend: EmbeddedBackend; disk: HeldDisk }> {
    const disk = new HeldDisk(openDatabase(path));
    const backend = new EmbeddedBackend(disk.database, path, () => undefined);
    disk.fails = true;
    await put(backend, 1).catch(() => undefined);
    await expect(backend.flush()).rejects.toMatchObject({ outcome: 'unknown' });
    return { backend, disk };
  }

  it('ends nobody, and later commits are answered by the disk again until it takes one', async () => {
    const { backend, disk } = await refused();
    await expect(put(backend, 2)).rejects.toMatchObject({
      reason: 'STORE_UNAVAILABLE',
      outcome: 'unknown',
      message: expect.stringContaining('the disk said no'),
    });
    disk.fails = false;
    await put(backend, 3);
    await backend.flush();
    await put(backend, 4);
    await backend.close();
  });

  it('is asked again before anybody relies on what was not answered', async () => {
    const { backend, disk } = await refused();
    await expect(backend.recover()).rejects.toMatchObject({ reason: 'STORE_UNAVAILABLE' });
    disk.fails = false;
    await backend.recover();
    await backend.flush();
    await backend.close();
  });
});

describe('what is on the disk', () => {
  it('is there after closing and opening again: projects, turns, overrides, pools, but no lease', async () => {
    const first = openStore();
    const record = { key: POOL, generation: 1, spec: { a: 1 }, status: {}, revision: 'r' };
    await first.putPool(record);
    await first.setTierOverride(KEY, { tier: 'HOT', sinceMs: 1 }, 0);
    const task = taskCommit();
    await committed(first, (await claimed(first, KEY, 'runtime')).claim, {
      tasks: [task],
      flush: true,
    });
    const before = await first.readProject(KEY);
    await first.close();
    const second = openStore();
    expect(await second.readProject(KEY)).toEqual(before);
    expect(await second.readTurns(KEY, 'c1', { limit: 9 })).toHaveLength(2);
    expect(await second.readResult(KEY, task.result.requestId)).toMatchObject({ agent: 'echo' });
    expect(await second.readTierOverride(KEY)).toMatchObject({ tier: 'HOT' });
    expect(await second.listPools()).toEqual([record]);
    expect(await second.readOwner(KEY)).toBeUndefined();
    expect(await second.listRuntimes()).toEqual([]);
  });

  it('is swept at the next start when a sweep was cut off', async () => {
    const first = openStore();
    const tasks = Array.from({ length: 2_000 }, () => taskCommit());
    const { claim } = await claimed(first, KEY, 'runtime');
    const keys = first.keyCount;
    await committed(first, claim, { tasks });
    const erasing = first.eraseProject(KEY).catch(() => undefined);
    await first.close();
    await erasing;
    const second = openStore();
    while (second.keyCount > keys) await second.listPools().then(() => systemClock.sleep(5));
    expect(second.keyCount).toBeLessThanOrEqual(keys);
  });
});

describe('kill -9 of the process that writes', () => {
  it('loses nothing acknowledged, leaves nothing half, and leaves no lock', async () => {
    const writer = startWriter();
    const acknowledged = await killAfter(writer, 150);
    const store = openStore();
    const record = (await store.readProject(KEY))!;
    expect(record.seq).toBeGreaterThanOrEqual(acknowledged);
    const { state, results } = await claimed(store, KEY, 'next');
    expect(state).toEqual([{ agent: 'echo', key: 'count', json: String(record.seq) }]);
    expect(await store.readConversation(KEY, 'c1')).toMatchObject({ turnCount: 2 * record.seq });
    expect(results.map(({ requestId }) => requestId)).toEqual(
      Array.from({ length: record.seq }, (_, i) => `r${i + 1}`).slice(-1_000),
    );
    const turns = await store.readTurns(KEY, 'c1', { limit: 4 });
    expect(turns.map(({ index }) => index)).toEqual(
      [-4, -3, -2, -1].map((back) => 2 * record.seq + back),
    );
  });

  it('refuses a second opener while the first lives, even frozen', async () => {
    const writer = startWriter();
    await nextLine(writer);
    const lived = openFailure();
    expect(lived.problem).toBe('locked');
    expect(lived.message).toContain(`process ${writer.pid}`);
    expect(lived.message).toContain(path);
    writer.kill('SIGSTOP');
    expect(openFailure().problem).toBe('locked');
    await killAfter(writer, 0);
    expect((await openStore().readProject(KEY))?.seq).toBeGreaterThan(0);
  });

  function startWriter(): ChildProcess {
    const script = new URL('../../test/fakes/store-writer.ts', import.meta.url).pathname;
    return spawn(process.execPath, [script, path, KEY], {
      stdio: ['ignore', 'pipe', 'inherit'],
      execArgv: [],
    } as object);
  }

  async function nextLine(child: ChildProcess): Promise<string> {
    const [line] = (await once(createInterface({ input: child.stdout! }), 'line')) as [string];
    return line;
  }

  /** Kills once it has acknowledged so many; answers the last number it acknowledged. */
  async function killAfter(child: ChildProcess, count: number): Promise<number> {
    let last = 0;
    const lines = createInterface({ input: child.stdout! });
    if (count === 0) child.kill('SIGKILL');
    for await (const line of lines) {
      last = Number(line);
      if (last === count) child.kill('SIGKILL');
    }
    if (child.signalCode === null) await once(child, 'exit');
    return last;
  }
});

describe('a folder that cannot be opened', () => {
  const data = (): string => join(path, 'data.mdb');

  it('is refused when this process has it open already', () => {
    openStore();
    expect(openFailure()).toMatchObject({
      problem: 'locked',
      message: expect.stringContaining(path),
    });
  });

  it.each([
    ['text', Buffer.from('this is no database at all, but long enough to look at. '.repeat(400))],
    ['noise', Buffer.from(Array.from({ length: 20_000 }, (_, i) => (i * 7_919) % 251))],
    ['a few bytes', Buffer.from('oops')],
  ])('is refused and left alone when its file is %s', (_, content) => {
    writeFileSync(data(), content);
    const { problem, message } = openFailure();
    expect(problem).toBe('corrupt');
    expect(message).toContain(path);
    expect(message).toContain('backup');
    expect(readFileSync(data()).equals(content)).toBe(true);
  });

  it('is refused and left alone when its file was cut short', async () => {
    const store = openStore();
    const tasks = Array.from({ length: 900 }, () =>
      taskCommit({ output: { arm: 'text', body: new Uint8Array(3_000) } }),
    );
    await committed(store, (await claimed(store, KEY, 'runtime')).claim, { tasks });
    await store.close();
    truncateSync(data(), 100 * 4_096);
    const before = readFileSync(data());
    expect(openFailure()).toMatchObject({
      problem: 'corrupt',
      message: expect.stringContaining('cut short'),
    });
    expect(readFileSync(data()).equals(before)).toBe(true);
  });

  it('is refused when a later version wrote it', async () => {
    await openStore().close();
    const database = openDatabase(path);
    await database.put('m schema', { version: 2 });
    await database.close();
    expect(openFailure()).toMatchObject({
      problem: 'newer',
      message: expect.stringContaining('schema 2'),
    });
  });

  it('is refused when another program’s database is in it', async () => {
    const database = openDatabase(path);
    await database.put('something', 'else');
    await database.close();
    expect(openFailure().problem).toBe('foreign');
    const again = openDatabase(path);
    expect([...again.getKeys()]).toEqual(['something']);
    await again.close();
  });

  it('is refused when a file stands where the folder should be', () => {
    const folder = path;
    path = join(folder, 'file');
    writeFileSync(path, '');
    expect(openFailure()).toMatchObject({
      problem: 'unusable',
      message: expect.stringContaining('folder'),
    });
    path = folder;
  });

  it('is refused without the right to it', () => {
    chmodSync(path, 0o000);
    // Root may do anything: look as somebody else.
    const root = process.geteuid?.() === 0;
    if (root) process.seteuid?.(65_534);
    try {
      expect(openFailure()).toMatchObject({
        problem: 'denied',
        message: expect.stringContaining('access'),
      });
    } finally {
      if (root) process.seteuid?.(0);
      chmodSync(path, 0o700);
    }
  });

  it('takes the folder of a process that is gone, and of an earlier process with the same id', async () => {
    await openStore().close();
    const database = openDatabase(path);
    await database.put('m opener', { pid: process.ppid, startedAt: '1' });
    await database.close();
    await expect(openStore().listPools()).resolves.toEqual([]);
  });
});

const mayMount = process.platform === 'linux' && process.getuid?.() === 0 && canMount();

function canMount(): boolean {
  const folder = mkdtempSync(join(tmpdir(), 'agentpool-mount-'));
  try {
    execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=1m', 'tmpfs', folder], { stdio: 'ignore' });
    execFileSync('umount', [folder]);
    return true;
  } catch {
    return false;
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/** Only where this user may mount a file system. */
const describeMounted = mayMount
  ? describe
  : (_name: string, _cases: () => void): void => undefined;

describeMounted('a disk of its own', () => {
  let disk: string;
  beforeEach(() => {
    disk = path;
    execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=16m', 'tmpfs', disk]);
    path = join(disk, 'store');
  });
  afterEach(async () => {
    for (const store of opened) await store.close();
    opened = [];
    execFileSync('umount', [disk]);
    path = disk;
  });

  it('that is full fails commits clearly, loses nothing, and service resumes when there is space', async () => {
    const ballast = join(disk, 'ballast');
    writeFileSync(ballast, Buffer.alloc(4 * 1024 * 1024));
    const store = openStore();
    let { claim } = await claimed(store, KEY, 'runtime');
    const body = new Uint8Array(100_000);
    let failed: unknown;
    while (failed === undefined) {
      const commit = commitOf(claim, { tasks: [taskCommit({ output: { arm: 'text', body } })] });
      await store.commit(commit).then(
        () => (claim = { ...claim, seq: claim.seq + 1 }),
        (error: unknown) => (failed = error),
      );
    }
    expect(failed).toMatchObject({
      reason: 'STORE_UNAVAILABLE',
      outcome: 'not-applied',
      message: expect.stringContaining('disk'),
    });
    await expect(store.commit(bigCommit(claim))).rejects.toMatchObject({
      reason: 'STORE_UNAVAILABLE',
    });
    expect(await store.readProject(KEY)).toMatchObject({ seq: claim.seq });
    unlinkSync(ballast);
    claim = await committed(store, claim);
    await store.close();
    expect(await openStore().readProject(KEY)).toMatchObject({ seq: claim.seq });
  });

  it('that is full refuses to start a new store', () => {
    writeFileSync(join(disk, 'ballast'), Buffer.alloc(14 * 1024 * 1024));
    expect(openFailure().problem).toBe('full');
  });

  it('that is mounted read-only refuses to start', async () => {
    await openStore().close();
    execFileSync('mount', ['-o', 'remount,ro', disk]);
    expect(openFailure()).toMatchObject({ problem: 'denied' });
  });

  const bigCommit = (claim: Claim) =>
    commitOf(claim, {
      tasks: [taskCommit({ output: { arm: 'text', body: new Uint8Array(1_000_000) } })],
    });
});
