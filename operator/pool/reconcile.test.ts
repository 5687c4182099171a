/** The operator's loop over a fake driver and a real memory store: what becomes of pools as time passes and things fail. */
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { OperatorWorld } from '../../test/fakes/operator-world.ts';
import { loaded } from '../../test/fakes/fake-pool-source.ts';
import { templateOf } from './observe.ts';
import { spec } from '../../test/builders/pool-builders.ts';
import type { ModuleState } from './wanted-pool.ts';

const revisionOf = (digest: string): string => templateOf(spec(), { digest, path: '' }).revision;
const PROJECT = 'default~pool~acme~website';
const bundle = (digest: string): string => `/bundles/${digest}.mjs`;

describe('the operator', () => {
  let world: OperatorWorld;
  beforeEach(() => {
    world = new OperatorWorld();
  });
  afterEach(() => world.stop());

  it('brings a pool up and says so', async () => {
    const key = world.put({ replicas: 2 });
    await world.start();
    await world.pass(2_000);
    expect(world.running()).toHaveLength(2);
    expect(world.condition('Ready')).toBe('True AllReady');
    expect(world.condition('Available')).toBe('True MinimumAvailable');
    expect(world.condition('Progressing')).toBe('True RolloutComplete');
    expect(world.condition('Degraded')).toBe('False AsExpected');
    expect(world.condition('StoreDurable')).toBe('False StoreInMemory');
    expect(world.status).toMatchObject({
      replicas: 2,
      readyReplicas: 2,
      desiredReplicas: 2,
      updatedReplicas: 2,
      endpoint: '127.0.0.1:9090',
    });
    const [record] = await world.store.listPools();
    expect(record).toMatchObject({
      key,
      generation: 1,
      revision: world.status.updateRevision,
      status: world.status,
    });
    expect(record?.report).toMatchObject({
      driver: 'fake',
      notEnforced: [
        { field: 'spec.tiers.hot.quota.memoryMb' },
        { field: 'spec.tiers.hot.quota.cpuPercent' },
      ],
    });
  });

  it('is silent when nothing happens', async () => {
    world.put({ replicas: 1, tiers: { hot: { standby: 1 } } });
    await world.start();
    await world.pass(10_000);
    let writes = 0;
    for (const topic of ['pools', 'reports'] as const) world.store.subscribe(topic, () => writes++);
    await world.pass(120_000);
    expect(writes).toBe(0);
    expect(world.driver.creates).toBe(2);
  });

  it.each([
    ['every half minute at a pool that runs', 1, 4],
    ['rarely at one that has nothing, and wants nothing', 0, 0],
  ])('looks %s, though nothing happens', async (_how, replicas, looks) => {
    world.put({ replicas });
    await world.start();
    await world.pass(10_000);
    const before = world.driver.looks;
    await world.pass(125_000);
    expect(world.driver.looks - before).toBe(looks);
  });

  it('replaces a runtime that dies, and takes it out of the store at once', async () => {
    world.put({ replicas: 1 });
    await world.start();
    await world.pass(10_000);
    const [name = ''] = world.running();
    world.driver.runtime(name).exit('Crashed', 'was ended by SIGKILL');
    await world.pass(1);
    expect((await world.store.listRuntimes()).map((one) => one.incarnation)).not.toContain(name);
    await world.pass(1_000);
    expect(world.condition('Ready')).toBe('True AllReady');
    expect(world.running()).toHaveLength(1);
    expect(world.events()).toContain('RuntimeLost');
  });

  it('replaces one that somebody takes away just after it came, once', async () => {
    world.put({ replicas: 2 });
    await world.start();
    await world.pass(1_000);
    const [name = '', other = ''] = world.running();
    const isGone = world.driver.takeAway(name);
    await world.pass(250);
    const [, successor = ''] = world.running();
    await world.pass(5_000);
    await isGone;
    expect(world.running()).toEqual([other, successor]);
    expect(world.driver.creates).toBe(3);
    expect(world.events()).not.toContain('ScaledDown');
  });

  it('ends and replaces a runtime that falls silent', async () => {
    world.put({ replicas: 1 });
    await world.start();
    await world.pass(10_000);
    const [name = ''] = world.running();
    world.driver.runtime(name).freeze();
    await world.pass(1_000);
    expect(world.running()).not.toContain(name);
    expect(world.condition('Ready')).toBe('True AllReady');
  });

  it('restarts runtimes that keep dying with longer and longer waits', async () => {
    world.put({ replicas: 1 });
    world.driver.fates.set(revisionOf('one'), 'Crashed');
    await world.start();
    await world.pass(60_000);
    expect(world.driver.creates).toBeGreaterThan(5);
    expect(world.driver.creates).toBeLessThan(12);
    expect(world.condition('Degraded')).toBe('True RuntimeCrashLooping');
    expect(world.events().filter((reason) => reason === 'RuntimeCrashLooping')).toHaveLength(1);
    world.driver.fates.clear();
    await world.pass(60_000);
    expect(world.condition('Ready')).toBe('True AllReady');
    expect(world.condition('Degraded')).toBe('False AsExpected');
    expect(world.events()).toContain('Recovered');
  });

  it('tells a first start that its module does not load', async () => {
    world.put({ replicas: 1 });
    world.driver.fates.set(revisionOf('one'), 'AgentModuleInvalid');
    await world.start();
    const ready = world.operator.waitUntilReady(new AbortController().signal);
    const failed = expect(ready).rejects.toMatchObject({
      reason: 'AgentModuleInvalid',
      message: 'pool default/pool does not start: agents.ts:3:1: AgentModuleInvalid',
    });
    await world.pass(5_000);
    await failed;
    expect(world.driver.creates).toBe(1);
  });

  it('resolves waitUntilReady when the pool serves, and rejects when the waiting is ended', async () => {
    world.put({ replicas: 1 });
    await world.start();
    const ended = world.operator.waitUntilReady(AbortSignal.abort(new Error('enough')));
    await expect(ended).rejects.toThrow('enough');
    const ready = world.operator.waitUntilReady(new AbortController().signal);
    await world.pass(2_000);
    await expect(ready).resolves.toBeUndefined();
  });

  it('rolls a changed module out, a new runtime first', async () => {
    world.put({ replicas: 2 });
    await world.start();
    await world.pass(10_000);
    const before = world.running();
    world.put({ replicas: 2 }, loaded('two'));
    const ready: number[] = [];
    for (let i = 0; i < 100; i++) {
      await world.pass(100);
      ready.push(
        (await world.store.listRuntimes()).filter((one) => one.ready && !one.draining).length,
      );
      expect(
        world.driver.runtimes.filter((one) => one.isAlive && one.phase.at !== 'ending').length,
      ).toBeLessThanOrEqual(3);
    }
    expect(Math.min(...ready)).toBe(2);
    expect(world.running()).toHaveLength(2);
    expect(world.running().filter((name) => before.includes(name))).toEqual([]);
    expect(world.status).toMatchObject({
      currentRevision: revisionOf('two'),
      updateRevision: revisionOf('two'),
    });
    expect(world.events()).toEqual(expect.arrayContaining(['RolloutStarted', 'RolloutCompleted']));
  });

  it('publishes the new revision only when a runtime of it serves', async () => {
    world.put({ replicas: 1 });
    await world.start();
    await world.pass(10_000);
    world.put({ replicas: 1 }, loaded('two'));
    await world.pass(100);
    expect((await world.store.listPools())[0]?.revision).toBe(revisionOf('one'));
    expect(world.condition('Progressing')).toBe('True RollingOut');
    await world.pass(2_000);
    expect((await world.store.listPools())[0]?.revision).toBe(revisionOf('two'));
  });

  it('pauses a roll-out whose module does not load, and the old runtimes go on serving, also when one dies', async () => {
    world.put({ replicas: 1 });
    await world.start();
    await world.pass(10_000);
    const [old = ''] = world.running();
    world.driver.fates.set(revisionOf('two'), 'AgentModuleInvalid');
    world.put({ replicas: 1 }, loaded('two'));
    await world.pass(120_000);
    expect(world.running()).toEqual([old]);
    expect(world.driver.creates).toBeLessThan(8);
    expect(world.condition('Available')).toBe('True MinimumAvailable');
    expect(world.condition('Progressing')).toBe('False RolloutStalled');
    expect(world.condition('Degraded')).toBe('True AgentModuleInvalid');
    world.driver.runtime(old).exit('Crashed', 'was ended by SIGKILL');
    await world.pass(2_000);
    expect(world.driver.runtimes.map((one) => one.request.template.revision)).toEqual([
      revisionOf('one'),
    ]);
    expect(world.condition('Available')).toBe('True MinimumAvailable');
    expect((await world.store.listPools())[0]?.revision).toBe(revisionOf('one'));
    world.put({ replicas: 1 }, loaded('three'));
    await world.pass(5_000);
    expect(world.condition('Ready')).toBe('True AllReady');
    expect(world.status.currentRevision).toBe(revisionOf('three'));
  });

  it('goes on trying a revision that does not load where nobody knows what the one before was made of', async () => {
    world.put({ replicas: 1 });
    await world.start();
    await world.pass(10_000);
    const left = world.status;
    await world.stop();
    world = new OperatorWorld();
    world.source.leftStatus = left;
    world.driver.fates.set(revisionOf('two'), 'AgentModuleInvalid');
    world.put({ replicas: 1 }, loaded('two'));
    await world.start();
    await world.pass(30_000);
    expect(world.condition('Progressing')).toBe('False RolloutStalled');
    expect(world.driver.creates).toBeLessThan(6);
    world.driver.fates.delete(revisionOf('two'));
    await world.pass(40_000);
    expect(world.condition('Ready')).toBe('True AllReady');
  });

  it('pauses a roll-out that makes no progress in time', async () => {
    const fields = { replicas: 1, updateStrategy: { progressDeadlineSeconds: 30 } };
    world.put(fields);
    await world.start();
    await world.pass(10_000);
    const before = world.running();
    world.driver.fates.set(revisionOf('two'), 'Hangs');
    world.put(fields, loaded('two'));
    await world.pass(31_000);
    expect(world.condition('Progressing')).toBe('False RolloutStalled');
    expect(world.condition('Degraded')).toBe('True RolloutStalled');
    expect(world.running().filter((name) => before.includes(name))).toEqual(before);
  });

  it('goes on serving while the module file is broken, and says so', async () => {
    world.put({ replicas: 1 });
    await world.start();
    await world.pass(10_000);
    const before = world.running();
    world.put(
      { replicas: 1 },
      { at: 'broken', message: 'agents.ts:1:5: unexpected "}"', last: { digest: 'one', path: '' } },
    );
    await world.pass(5_000);
    expect(world.running()).toEqual(before);
    expect(world.condition('Ready')).toBe('True AllReady');
    expect(world.condition('Progressing')).toBe('False AgentModuleInvalid');
    expect(world.condition('Degraded')).toBe('True AgentModuleInvalid');
  });

  it('applies limits without touching a runtime', async () => {
    world.put({ replicas: 1 });
    await world.start();
    await world.pass(10_000);
    const before = world.running();
    world.put({
      replicas: 1,
      limits: { taskTimeoutSeconds: 5 },
      tiers: { warm: { quota: { requestsPerMinute: 7 } } },
    });
    await world.pass(10_000);
    expect(world.running()).toEqual(before);
    const [record] = await world.store.listPools();
    expect(record).toMatchObject({
      generation: 2,
      spec: { limits: { taskTimeoutSeconds: 5 } },
      status: { observedGeneration: 2 },
    });
  });

  it.each([
    ['environment', { env: [{ name: 'A', value: 'b' }] }],
    ['isolation', { isolation: 'Shared' as const }],
    ['configuration', { config: { a: 1 } }],
  ])('a changed %s of the runtime rolls', async (_title, runtime) => {
    world.put({ replicas: 1 });
    await world.start();
    await world.pass(10_000);
    const before = world.running();
    world.put({ replicas: 1, runtime });
    await world.pass(10_000);
    expect(world.running()).toHaveLength(1);
    expect(world.running()).not.toEqual(before);
  });

  it('scales up and down', async () => {
    world.put({ replicas: 1 });
    await world.start();
    await world.pass(10_000);
    expect(world.status).not.toHaveProperty('lastScaleTime');
    world.put({ replicas: 3 });
    await world.pass(10_000);
    expect(world.running()).toHaveLength(3);
    const { lastScaleTime: upAt = '', lastScaleReason } = world.status;
    expect(lastScaleReason).toBe('ScaledUp: spec.replicas is 3');
    world.put({ replicas: 2 });
    await world.pass(10_000);
    expect(world.running()).toHaveLength(2);
    const scaled = world.status;
    expect(Date.parse(scaled.lastScaleTime ?? '')).toBeGreaterThan(Date.parse(upAt));
    expect(scaled.lastScaleReason).toMatch(/^ScaledDown: .* is drained, spec.replicas is 2$/);
    await world.pass(60_000);
    expect(world.status).toEqual(scaled);
    expect(world.events()).toEqual(expect.arrayContaining(['ScaledUp', 'ScaledDown']));
    expect(world.condition('Ready')).toBe('True AllReady');
  });

  it('suspends and resumes', async () => {
    world.put({ replicas: 1, tiers: { hot: { standby: 1 } } });
    await world.start();
    await world.pass(10_000);
    world.put({ replicas: 1, tiers: { hot: { standby: 1 } }, operatingMode: 'Suspended' });
    await world.pass(5_000);
    expect(world.driver.runtimes).toEqual([]);
    expect(world.condition('Ready')).toBe('False Suspended');
    world.put({ replicas: 1, tiers: { hot: { standby: 1 } } });
    await world.pass(5_000);
    expect(world.condition('Ready')).toBe('True AllReady');
    expect(world.events()).toEqual(expect.arrayContaining(['Suspended', 'Resumed']));
  });

  it.each(['Retain', 'Delete'] as const)(
    'a pool that is gone takes its runtimes along; its projects: %s',
    async (deletionPolicy) => {
      const key = world.put({ replicas: 1, deletionPolicy });
      await world.start();
      await world.pass(5_000);
      await world.setTier(PROJECT, 'WARM');
      await world.store.claim({
        key: PROJECT,
        incarnation: world.running()[0] ?? '',
        claimId: 'c',
      });
      world.source.take(key);
      await world.pass(10_000);
      expect(world.driver.runtimes).toEqual([]);
      expect(await world.store.listPools()).toEqual([]);
      expect(world.operator.pools()).toEqual([]);
      expect(world.driver.forgotten).toEqual([[key, true]]);
      expect(await world.store.listProjects(key, { limit: 10 })).toHaveLength(
        deletionPolicy === 'Retain' ? 1 : 0,
      );
      expect(await world.store.listTierOverrides(key)).toHaveLength(
        deletionPolicy === 'Retain' ? 1 : 0,
      );
    },
  );

  it.each(['Retain', 'Delete'] as const)(
    'a crash while a pool goes: the next start does what its policy says, %s',
    async (deletionPolicy) => {
      const key = world.put({ replicas: 1, deletionPolicy });
      world.driver.times.drainMs = 60_000;
      await world.start();
      await world.pass(5_000);
      await world.store.claim({ key: PROJECT, incarnation: 'gone', claimId: 'c' });
      world.source.take(key);
      await world.pass(1_000);
      await world.stop();
      expect(await world.store.listProjects(key, { limit: 10 })).toHaveLength(1);
      await world.start();
      await world.pass(65_000);
      expect(await world.store.listPools()).toEqual([]);
      expect(world.driver.forgotten).toEqual([[key, true]]);
      expect(await world.store.listProjects(key, { limit: 10 })).toHaveLength(
        deletionPolicy === 'Retain' ? 1 : 0,
      );
    },
  );

  it('an edit that breaks module or manifest is an event, once, and the pool stays ready', async () => {
    const key = world.put({ replicas: 1 });
    await world.start();
    await world.pass(5_000);
    const { artifact: last } = loaded('one') as Extract<ModuleState, { at: 'loaded' }>;
    const module = { at: 'broken', message: 'agents.ts:1:23: Unexpected end', last } as const;
    world.put({ replicas: 1 }, module);
    await world.pass(5_000);
    world.source.spoil(key, ['pool.yaml:3: spec.replica: unknown field']);
    await world.pass(5_000);
    const told = world.view().events.filter(({ type }) => type === 'Warning');
    expect(told.map(({ reason, message, count }) => [reason, message, count])).toEqual([
      ['AgentModuleInvalid', 'agents.ts:1:23: Unexpected end', 1],
      ['ManifestInvalid', 'pool.yaml:3: spec.replica: unknown field', 1],
    ]);
    expect(world.running()).toHaveLength(1);
    world.put({ replicas: 1 });
    await world.pass(5_000);
    world.put({ replicas: 1 }, module);
    await world.pass(5_000);
    expect(world.view().events.find((one) => one.reason === 'AgentModuleInvalid')?.count).toBe(2);
  });

  it('tells which modules its runtimes need: the new, and the old while something of it runs', async () => {
    const key = world.put({ replicas: 1 });
    world.driver.times.drainMs = 10_000;
    await world.start();
    await world.pass(5_000);
    expect([...world.source.kept]).toEqual(['/bundles/one.mjs']);
    world.put({ replicas: 1 }, loaded('two'));
    await world.pass(1_000);
    world.put({ replicas: 1 }, loaded('three'));
    await world.pass(3_000);
    expect([...world.source.kept]).toEqual(expect.arrayContaining(['one', 'three'].map(bundle)));
    await world.pass(60_000);
    expect([...world.source.kept]).toEqual(['three'].map(bundle));
    world.source.take(key);
    await world.pass(60_000);
    expect([...world.source.kept]).toEqual([]);
  });

  it('refuses tasks of a pool that is going, until it is gone', async () => {
    const key = world.put({ replicas: 1 });
    world.driver.times.drainMs = 60_000;
    await world.start();
    await world.pass(5_000);
    world.source.take(key);
    await world.pass(1_000);
    expect((await world.store.listPools())[0]?.spec).toMatchObject({ operatingMode: 'Suspended' });
    await world.pass(70_000);
    expect(await world.store.listPools()).toEqual([]);
  });

  it('lets runtimes of an earlier run end in their time, however often it starts anew, and forgets their pool then', async () => {
    const key = world.put({ replicas: 2, limits: { taskTimeoutSeconds: 100 } });
    world.driver.times.drainMs = 90_000;
    await world.start();
    await world.pass(5_000);
    world.source.take(key);
    // One has been told to end, the other has not.
    await world.driver.drain({ pool: key, name: world.running()[0] ?? '' }, 115_000);
    for (const ms of [1_000, 80_000]) {
      await world.stop();
      await world.start();
      await world.pass(ms);
      expect(world.driver.runtimes.map(({ phase }) => phase.at)).toEqual(['ending', 'ending']);
      const [record] = await world.store.listPools();
      expect(record).toMatchObject({ key, spec: { operatingMode: 'Suspended' } });
    }
    await world.pass(20_000);
    expect(world.driver.runtimes).toEqual([]);
    expect(await world.store.listPools()).toEqual([]);
  });

  it('forgets the record of a pool of an earlier run, and keeps its projects', async () => {
    const key = 'default~other';
    await world.store.putPool({ key, generation: 1, spec: {}, status: {}, revision: 'r' });
    world.put({ replicas: 1 });
    await world.start();
    await world.pass(5_000);
    expect((await world.store.listPools()).map((record) => record.key)).toEqual(['default~pool']);
  });
});
