/** The rehearsal of a runtime goes the whole way of a first task, on its own things, and neither leaves nor breaks any of the runtime's. */
import { beforeEach, describe, expect, it } from '@jest/globals';
import { agentPoolSpecSchema, type AgentPoolSpecInput } from '../api/agent-pool.ts';
import { FakeClock, settle } from '../test/fakes/fake-clock.ts';
import { FlakyStore, type FlakyOptions } from '../test/fakes/flaky-store.ts';
import { type Clock, systemClock } from '../platform/clock.ts';
import { type Log, silentLog } from '../platform/log.ts';
import { systemRandom as random } from '../platform/random.ts';
import { MemoryStore } from '../platform/store/memory-store.ts';
import type { Commit, PoolRecord, Store } from '../platform/store/store.ts';
import type { HostIdentity } from './host/host-ports.ts';
import { REHEARSAL_MS_MAX, rehearse } from './rehearsal.ts';

const POOL = 'default~assistants';
const PROJECT = `${POOL}~rehearsal~rehearsal`;

const IDENTITY: HostIdentity = {
  incarnation: 'd1',
  name: 'd1',
  pool: POOL,
  address: 'unix:/d1',
  role: 'dedicated',
  revision: 'rev1',
  // Nobody may import it.
  modulePath: '/nowhere/agents.mjs',
};

interface Call {
  readonly method: string;
  readonly args: readonly unknown[];
}

function recorded(
  inner: MemoryStore,
  clock: Clock,
  calls: Call[],
  plan: FlakyOptions['plan'] = () => undefined,
): Store {
  const recordAndPlan: FlakyOptions['plan'] = (method, args) => {
    calls.push({ method, args });
    return plan(method, args);
  };
  return new FlakyStore(inner, { clock, plan: recordAndPlan }).store;
}

class World {
  readonly clock: Clock;
  /** What the runtime itself has. */
  readonly real: MemoryStore;
  readonly asked: Call[] = [];
  /** What the rehearsal did to its own store. */
  readonly played: Call[] = [];
  readonly lines: string[] = [];
  readonly memories: MemoryStore[] = [];
  plan: FlakyOptions['plan'] = () => undefined;
  listPools: (() => Promise<readonly PoolRecord[]>) | undefined;

  constructor(clock: Clock) {
    this.clock = clock;
    this.real = new MemoryStore(clock);
  }

  async publish(spec: AgentPoolSpecInput = {}): Promise<this> {
    const pool = { key: POOL, generation: 1, status: undefined, revision: 'rev1' };
    await this.real.putPool({ ...pool, spec: agentPoolSpecSchema.parse(spec) });
    return this;
  }

  rehearse(role: HostIdentity['role'] = 'dedicated'): Promise<void> {
    const say = (message: string): void => void this.lines.push(message);
    const log: Log = { debug: say, info: say, warn: say, error: say, with: () => log };
    const { listPools } = this;
    return rehearse({
      clock: this.clock,
      random,
      log,
      store: listPools === undefined ? recorded(this.real, this.clock, this.asked) : { listPools },
      memoryStore: (clock) => {
        const memory = new MemoryStore(clock);
        this.memories.push(memory);
        return recorded(memory, clock, this.played, (method, args) => this.plan(method, args));
      },
      identity: { ...IDENTITY, role },
    });
  }

  times(method: string): number {
    return this.played.filter((call) => call.method === method).length;
  }

  get commits(): readonly Commit[] {
    return this.played
      .filter(({ method }) => method === 'commit')
      .flatMap(({ args }) => args as Commit[]);
  }
}

describe('the rehearsal of a runtime', () => {
  let clock: FakeClock;
  let world: World;

  beforeEach(async () => {
    clock = new FakeClock();
    world = await new World(clock).publish();
  });

  it.each<[string, AgentPoolSpecInput]>([
    ['projects that are WARM', { tiers: { default: 'WARM' } }],
    ['one worker for all', { runtime: { isolation: 'Shared' } }],
    ['commits that the disk has', { checkpoint: { durability: 'Machine' } }],
  ])(
    'claims, runs three tasks, reads a conversation and commits with a spec of %s',
    async (_name, spec) => {
      await world.publish(spec);
      await world.rehearse();
      const tasks = world.commits.flatMap((commit) => commit.tasks);
      expect(tasks.map(({ result }) => result.requestId)).toEqual(['1', '2', '3']);
      expect(tasks.every(({ writes, turns }) => writes.length === 1 && turns.length === 2)).toBe(
        true,
      );
      expect([world.times('claim'), world.times('readTurns')]).toEqual([1, 1]);
      expect(await world.memories[0]?.readProject(PROJECT)).toMatchObject({ epoch: 1 });
      expect(world.lines).toEqual([]);
    },
  );

  it.each(['WARM', 'COLD'] as const)(
    'does so without a promotion where it is shared, %s',
    async (tier) => {
      await world.publish({ tiers: { default: tier } });
      await world.rehearse('shared');
      expect(world.commits.flatMap((commit) => commit.tasks)).toHaveLength(3);
      expect(world.times('setTierOverride')).toBe(0);
      expect([world.lines, clock.pendingTimers]).toEqual([[], 0]);
    },
  );

  it('asks the real store for the pool only, and writes nothing there', async () => {
    const before = world.real.dump().keys();
    await world.rehearse();
    expect(world.asked.map(({ method }) => method)).toEqual(['listPools']);
    expect(world.real.dump().keys()).toEqual(before);
    expect(await world.real.listRuntimes()).toEqual([]);
  });

  it('leaves no timer, and nothing goes on later', async () => {
    await world.rehearse();
    expect(clock.pendingTimers).toBe(0);
    const played = world.played.length;
    await clock.advance(60_000);
    expect([clock.pendingTimers, world.played.length]).toEqual([0, played]);
  });

  it('leaves nothing that Node would wait for', async () => {
    const before = process.getActiveResourcesInfo().sort();
    await (await new World(systemClock).publish()).rehearse();
    expect(process.getActiveResourcesInfo().sort()).toEqual(before);
  });

  it('is over without a word to anybody but the log when the store fails', async () => {
    world.listPools = () => Promise.reject(new Error('the store is away'));
    await world.rehearse();
    expect(world.lines).toEqual(['rehearsal given up']);
    expect([clock.pendingTimers, world.played.length]).toEqual([0, 0]);
  });

  it('is over when it cannot even begin', async () => {
    const parts = { clock, random, log: silentLog, store: world.real, identity: IDENTITY };
    const memoryStore = (): Store => {
      throw new Error('no memory');
    };
    await expect(rehearse({ ...parts, memoryStore })).resolves.toBeUndefined();
  });

  it('is given up when the pool comes too late, and does not begin then', async () => {
    const pool = Promise.withResolvers<readonly PoolRecord[]>();
    world.listPools = () => pool.promise;
    const rehearsed = world.rehearse();
    await clock.advance(REHEARSAL_MS_MAX);
    await rehearsed;
    pool.resolve(await world.real.listPools(POOL));
    await settle();
    expect(world.lines).toEqual(['rehearsal given up: it takes too long']);
    expect([clock.pendingTimers, world.played.length]).toEqual([0, 0]);
  });

  it.each(['heartbeat', 'claim', 'commit', 'readTurns'])(
    'is given up in time when %s never answers',
    async (stuck) => {
      world.plan = (method) => (method === stuck ? { requestDelayMs: 3_600_000 } : undefined);
      const rehearsed = world.rehearse();
      while (world.times(stuck) === 0) await settle();
      await clock.advance(REHEARSAL_MS_MAX);
      await rehearsed;
      expect(clock.pendingTimers).toBe(0);
      expect(world.lines).toEqual(['rehearsal given up: it takes too long']);
    },
  );

  it('goes on where tasks are refused', async () => {
    await world.publish({ tiers: { hot: { quota: { requestsPerMinute: 1 } } } });
    await world.rehearse();
    expect(world.commits.flatMap((commit) => commit.tasks)).toHaveLength(1);
    expect(world.lines).toEqual([]);
  });
});
