/** What the store on Redis costs: activations and commits beside plain SET and GET of the same Redis in the same run, and whether a commit pays for the history. */
import { systemClock as clock } from '../../platform/clock.ts';
import { silentLog as log } from '../../platform/log.ts';
import { systemRandom as random } from '../../platform/random.ts';
import { openRedisStore, type RedisStore } from '../../platform/store/redis/redis-store.ts';
import { RedisServer } from '../../test/e2e/redis-server.ts';
import { StoreLoad } from '../baseline/store-load.ts';
import { cells, type Figures, figuresOf } from '../measure/figures.ts';
import { inRounds, type Compared } from '../measure/rounds.ts';
import type { BenchProgram, Goal, Size } from '../program.ts';
import { goalOf as historyGoal, inStore, rowsOf as historyRows } from './commit.ts';

const KEY = 'default~bench~acme~activated';
const VALUE = 'x'.repeat(4_096);
const MANY = 50;

const SERVERS = {
  'no file': {},
  'appendfsync always': { appendonly: 'yes', appendfsync: 'always' },
} as const;

type Way =
  'SET 4 KB' | 'GET 4 KB' | 'activate' | 'commit' | 'SET 4 KB, 50 at once' | 'commit, 50 at once';

export const redis: BenchProgram = {
  name: 'redis',
  id: '',
  about:
    'the store on Redis over a Unix socket, without a file and with appendfsync always: activation (claim, state, result ids) and commit of one task beside SET and GET of 4 KB; commits after 10, 1,000 and 10,000 turns',
  async run(size) {
    const rows: Record<string, string>[] = [];
    const goals: Goal[] = [];
    const data: unknown[] = [];
    for (const [name, settings] of Object.entries(SERVERS)) {
      const server = await RedisServer.start(settings);
      const store = await openRedisStore({ access: { url: server.url }, clock, random, log });
      const compared = await besidePlain(server, store, size);
      for (const [what, figures] of Object.entries(compared.figures))
        rows.push({ Redis: name, what, ...cells(figures) });
      const histories = await inStore(store, size);
      for (const row of historyRows('commit', histories)) rows.push({ Redis: name, ...row });
      goals.push(historyGoal(`commit, ${name}`, histories));
      data.push({ name, rounds: compared.rounds, histories: histories.rounds });
      await store.close();
      await server.stop();
    }
    return { manifests: [], rows, goals, data };
  },
};

async function besidePlain(
  server: RedisServer,
  store: RedisStore,
  size: Size,
): Promise<Compared<Way>> {
  const [rounds, count] = size === 'full' ? [7, 1_000] : [1, 20];
  const one = await StoreLoad.claim(store, 'one');
  const many = await Promise.all(
    Array.from({ length: MANY }, (_, index) => StoreLoad.claim(store, `many-${index}`)),
  );
  await (await StoreLoad.claim(store, 'activated')).commit(10);
  return server.admin((plain) => {
    const set = (index: number): Promise<unknown> => plain.set(`plain:${index}`, VALUE);
    return inRounds<Way>(rounds, {
      'SET 4 KB': () => timed(count, () => set(0)),
      'GET 4 KB': () => timed(count, () => plain.get('plain:0')),
      activate: () => timed(count, () => activate(store)),
      commit: async () => figuresOf(await one.commit(count)),
      'SET 4 KB, 50 at once': () =>
        atOnce(
          Array.from({ length: MANY }, (_, at) => () => timedEach(count / MANY, () => set(at))),
        ),
      'commit, 50 at once': () => atOnce(many.map((load) => () => load.commit(count / MANY))),
    });
  });
}

/** As after an eviction: the same runtime, a new claim. */
async function activate(store: RedisStore): Promise<void> {
  const answer = await store.claim({ key: KEY, incarnation: 'bench', claimId: random.id() });
  if (answer.type !== 'claimed') throw new Error(answer.type);
}

async function timed(count: number, step: (index: number) => Promise<unknown>): Promise<Figures> {
  return figuresOf(await timedEach(count, step));
}

async function timedEach(
  count: number,
  step: (index: number) => Promise<unknown>,
): Promise<readonly number[]> {
  const times: number[] = [];
  for (let index = 0; index < count; index += 1) {
    const beforeMs = performance.now();
    await step(index);
    times.push(performance.now() - beforeMs);
  }
  return times;
}

async function atOnce(lines: readonly (() => Promise<readonly number[]>)[]): Promise<Figures> {
  const startMs = performance.now();
  const times = await Promise.all(lines.map((line) => line()));
  return figuresOf(times.flat(), performance.now() - startMs);
}
