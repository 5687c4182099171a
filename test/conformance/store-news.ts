/** What is told of runtimes: it may be left out, but who lays it over what was read knows what reading would have told. */
import { expect, it } from '@jest/globals';
import { layOver, RuntimeReads } from '../../platform/store/runtime-changes.ts';
import type { RuntimeRecord, Store } from '../../platform/store/store.ts';
import { settle } from '../fakes/fake-clock.ts';
import { join, runtimeRecord, unique } from './store-builders.ts';
import type { Subject } from './store.ts';

export function newsCases(subject: Subject): void {
  const newPool = (): string => `default~${unique('told')}`;

  it('tells of runtimes what reading them would tell', async () => {
    const { store, fixture } = subject;
    const pool = newPool();
    const listener = await Listener.start(store, pool);
    const [a, b, c] = [runtimeRecord({ pool }), runtimeRecord({ pool }), runtimeRecord({ pool })];
    const steps: readonly (() => Promise<unknown>)[] = [
      () => store.heartbeat(a, 10_000),
      () => Promise.all([store.heartbeat(b, 10_000), store.heartbeat({ ...a, blanks: 1 }, 10_000)]),
      () => join(store, { pool: newPool() }),
      () => store.heartbeat({ ...b, draining: true }, 10_000),
      () => store.heartbeat(c, 10_000),
      () => store.deregister(a.incarnation),
      () => fixture.clock.advance(6_000),
      () => store.heartbeat({ ...c, ready: false }, 10_000),
      () => fixture.clock.advance(5_000),
      () => store.heartbeat(b, 10_000),
    ];
    for (const step of steps) {
      await step();
      await listener.isUpToDate();
    }
    expect(listener.incarnations).toEqual([b.incarnation, c.incarnation].sort());
  });

  it('tells what happens while they are read, so that an answer from before it does no harm', async () => {
    const { store } = subject;
    const pool = newPool();
    const listener = await Listener.start(store, pool);
    const record = await join(store, { pool });
    const leaving = await join(store, { pool });
    await Promise.all([
      listener.read(),
      store.heartbeat({ ...record, ready: false }, 10_000),
      listener.read(),
      store.deregister(leaving.incarnation),
      store.heartbeat({ ...record, ready: true, draining: true }, 10_000),
      listener.read(),
    ]);
    await listener.isUpToDate();
  });

  it('tells what one runtime says in the order in which it said it', async () => {
    const { store } = subject;
    const pool = newPool();
    const listener = await Listener.start(store, pool);
    const record = await join(store, { pool });
    await Promise.all(
      Array.from({ length: 50 }, (_, blanks) => store.heartbeat({ ...record, blanks }, 10_000)),
    );
    await listener.isUpToDate();
    expect(listener.blanks).toEqual([...listener.blanks].sort((one, other) => one - other));
  });
}

/** Knows the runtimes of a pool as who follows them does: reads only where it is not told what has changed. */
class Listener {
  readonly #store: Store;
  readonly #pool: string;
  readonly #reads = new RuntimeReads();
  #known: readonly RuntimeRecord[] = [];
  /** That were told, one by one. */
  readonly blanks: number[] = [];

  static async start(store: Store, pool: string): Promise<Listener> {
    const listener = new Listener(store, pool);
    store.subscribe('runtimes', (of, changes) => {
      if (of !== undefined && of !== pool) return;
      if (changes === undefined) void listener.read();
      else listener.#take(changes);
    });
    await listener.read();
    return listener;
  }

  private constructor(store: Store, pool: string) {
    this.#store = store;
    this.#pool = pool;
  }

  get incarnations(): readonly string[] {
    return this.#known.map(({ incarnation }) => incarnation).sort();
  }

  read(): Promise<void> {
    return this.#reads.read(
      () => this.#store.listRuntimes(this.#pool),
      (records) => {
        this.#known = records;
      },
    );
  }

  #take(changes: Parameters<RuntimeReads['tell']>[0]): void {
    this.#reads.tell(changes);
    this.#known = layOver(this.#known, changes);
    for (const change of changes)
      if (change.type === 'lives') this.blanks.push(change.record.blanks);
  }

  /** Waits until it knows what there is: it may hear of it late, but must. */
  async isUpToDate(): Promise<void> {
    const byIncarnation = (list: readonly RuntimeRecord[]): string =>
      JSON.stringify([...list].sort((a, b) => (a.incarnation < b.incarnation ? -1 : 1)));
    for (let tries = 0; tries < 200; tries++) {
      const records = await this.#store.listRuntimes(this.#pool);
      await settle();
      if (byIncarnation(records) === byIncarnation(this.#known)) return;
    }
    expect(this.#known).toEqual(await this.#store.listRuntimes(this.#pool));
  }
}
