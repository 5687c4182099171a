/** What becomes of a roll-out that is under way, or stalled, when another operator takes over: the good runtimes stay, and are made again. */
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import type { AgentPoolSpecInput } from '../../api/agent-pool.ts';
import { loaded } from '../../test/fakes/fake-pool-source.ts';
import { OperatorWorld } from '../../test/fakes/operator-world.ts';

const TEN_MINUTES_MS = 600_000;
const POOL = 'default~pool';
const HOT_PROJECT = { tenant: 'acme', project: 'website', tier: 'HOT' } as const;
const FIELDS = { replicas: 3, updateStrategy: { progressDeadlineSeconds: 60 } };

describe('an operator that takes over', () => {
  let world: OperatorWorld;
  beforeEach(async () => {
    world = new OperatorWorld();
    world.put(FIELDS);
    await world.start();
    await world.pass(20_000);
  });
  afterEach(() => world.stop());

  const rollOut = async (digest: string, ms: number): Promise<void> => {
    world.put(FIELDS, loaded(digest));
    await world.pass(ms);
  };
  /** With what the pool wants by then. */
  const takeOver = async (digest: string): Promise<void> => {
    await world.stop();
    world.source.leftStatus = world.status;
    world.put(FIELDS, loaded(digest));
    await world.start();
  };
  const digests = (): readonly string[] =>
    world.driver.runtimes
      .filter((one) => one.counts)
      .map((one) => one.request.template.module.digest)
      .toSorted();
  const endOne = (digest: string): void => {
    const one = world.driver.runtimes.find(
      ({ counts, request }) => counts && request.template.module.digest === digest,
    );
    one?.exit('Crashed', 'its node was lost');
  };

  it('knows when the pool was last scaled, and does not count itself as that', async () => {
    world.put({ ...FIELDS, replicas: 4 });
    await world.pass(20_000);
    const { lastScaleTime, lastScaleReason } = world.status;
    expect(lastScaleReason).toBe('ScaledUp: spec.replicas is 4');
    await world.stop();
    world.source.leftStatus = world.status;
    world.put({ ...FIELDS, replicas: 4 });
    await world.start();
    await world.pass(20_000);
    expect(world.status).toMatchObject({ lastScaleTime, lastScaleReason });
  });

  describe('of a roll-out that is stalled', () => {
    beforeEach(async () => {
      world.driver.fateOfDigest.set('two', 'Crashed');
      await rollOut('two', TEN_MINUTES_MS);
      expect(world.condition('Progressing')).toBe('False RolloutStalled');
    });

    it('makes a good one in place of a good one that ends', async () => {
      await takeOver('two');
      await world.pass(100);
      endOne('one');
      await world.pass(5_000);
      expect(digests().filter((digest) => digest === 'one')).toHaveLength(3);
    });

    it('has them all again, however many have ended meanwhile', async () => {
      await world.stop();
      for (let count = 0; count < 3; count++) endOne('one');
      world.source.leftStatus = world.status;
      world.put(FIELDS, loaded('two'));
      await world.start();
      await world.pass(20_000);
      expect(digests().filter((digest) => digest === 'one')).toHaveLength(3);
      expect(world.condition('Progressing')).toBe('False RolloutStalled');
      expect(world.condition('Degraded')).toBe('True RuntimeCrashLooping');
    });

    it.each(['three', 'one'])(
      'knows what to go back to when it meets another spec: %s',
      async (digest) => {
        world.driver.fateOfDigest.set('three', 'AgentModuleInvalid');
        await takeOver(digest);
        await world.pass(100);
        endOne('one');
        await world.pass(30_000);
        expect(digests().filter((one) => one === 'one')).toHaveLength(3);
      },
    );

    it('makes no other one while it cannot read what the good ones are made of', async () => {
      world.driver.faults.failKept = new Error('the API server is away');
      await takeOver('two');
      for (let count = 0; count < 3; count++) endOne('one');
      world.driver.modules = [];
      const before = world.driver.creates;
      await world.pass(60_000);
      expect(world.driver.modules).toEqual([]);
      expect(world.condition('Degraded')).toBe('True ReconcileFailed');
      expect(digests().filter((digest) => digest === 'one')).toEqual([]);
      world.driver.faults.failKept = undefined;
      await world.pass(30_000);
      expect(digests().filter((digest) => digest === 'one')).toHaveLength(3);
      expect(world.driver.modules.map(({ digest }) => digest).toSorted()).toEqual(['one', 'two']);
      expect(world.driver.creates).toBeGreaterThan(before);
    });

    it('tries the new one on where nothing was kept', async () => {
      world.driver.kept.clear();
      await takeOver('two');
      endOne('one');
      world.driver.fateOfDigest.clear();
      await world.pass(60_000);
      expect(digests()).toEqual(['two', 'two', 'two']);
    });

    it('keeps what the new ones are made of once one serves', async () => {
      const good = world.status.goodRevision;
      expect(world.driver.kept.get(POOL)?.revision).toBe(good);
      world.driver.fateOfDigest.clear();
      await world.pass(330_000);
      expect(world.status.goodRevision).toBe(world.status.updateRevision);
      expect(world.driver.kept.get(POOL)?.revision).toBe(world.status.updateRevision);
    });

    it.each<object>([{ operatingMode: 'Suspended' }, { replicas: 0 }])(
      'goes back to the good one after a time with none: %j',
      async (none) => {
        const good = world.status.goodRevision;
        world.put({ ...FIELDS, ...none }, loaded('two'));
        await world.pass(20_000);
        expect(digests()).toEqual([]);
        expect(world.status.goodRevision).toBe(good);
        expect(world.driver.kept.get(POOL)?.revision).toBe(good);
        await rollOut('two', TEN_MINUTES_MS);
        expect(digests().filter((digest) => digest === 'one')).toHaveLength(3);
        expect(world.condition('Progressing')).toBe('False RolloutStalled');
      },
    );

    it('goes on by itself once the new one is well', async () => {
      await takeOver('two');
      world.driver.fateOfDigest.clear();
      await world.pass(330_000);
      expect(world.condition('Ready')).toBe('True AllReady');
      expect(digests()).toEqual(['two', 'two', 'two']);
    });
  });

  it('of a roll-out that goes on goes back to what served before when it stalls', async () => {
    world.driver.fateOfDigest.set('two', 'Hangs');
    await rollOut('two', 10_000);
    expect(world.condition('Progressing')).toBe('True RollingOut');
    await takeOver('two');
    await world.pass(TEN_MINUTES_MS);
    expect(world.condition('Progressing')).toBe('False RolloutStalled');
    endOne('one');
    await world.pass(5_000);
    expect(digests().filter((digest) => digest === 'one')).toHaveLength(3);
    expect(world.told.filter((reason) => reason === 'RolloutStarted')).toHaveLength(2);
  });

  it('goes back to a revision that served and never was all there is', async () => {
    world.driver.fateOfRequest = ({ template }) =>
      template.module.digest === 'two' && world.driver.creates > 4 ? 'Hangs' : undefined;
    await rollOut('two', 40_000);
    expect(digests()).toContain('one');
    expect(digests()).toContain('two');
    world.driver.fateOfRequest = undefined;
    world.driver.fateOfDigest.set('three', 'AgentModuleInvalid');
    await rollOut('three', 20_000);
    const { currentRevision, goodRevision } = world.status;
    expect(goodRevision).not.toBe(currentRevision);
    await takeOver('three');
    for (let count = 0; count < 4; count++) endOne('one');
    for (let count = 0; count < 4; count++) endOne('two');
    await world.pass(20_000);
    expect(digests().filter((digest) => digest === 'two')).toHaveLength(3);
  });

  it('goes back to what served before where the spec was changed while nobody looked', async () => {
    world.driver.fateOfDigest.set('two', 'AgentModuleInvalid');
    await takeOver('two');
    await world.pass(10_000);
    for (let count = 0; count < 3; count++) endOne('one');
    await world.pass(10_000);
    expect(world.condition('Progressing')).toBe('False RolloutStalled');
    expect(digests().filter((digest) => digest === 'one')).toHaveLength(3);
  });

  it('makes good ones while nobody can say what the spec makes', async () => {
    const message = 'the ConfigMap is gone';
    await world.stop();
    world.source.leftStatus = world.status;
    world.put(FIELDS, { at: 'broken', message });
    await world.start();
    await world.pass(100);
    endOne('one');
    endOne('one');
    await world.pass(5_000);
    expect(digests()).toEqual(['one', 'one', 'one']);
  });

  it('asks for nothing where nothing rolls out', async () => {
    world.driver.faults.failKept = new Error('it was asked');
    await takeOver('one');
    await world.pass(60_000);
    expect(world.condition('Degraded')).toBe('False AsExpected');
  });

  it.each<AgentPoolSpecInput>([{}, { updateStrategy: { maxSurge: 0, maxUnavailable: 1 } }])(
    'keeps the good one of a HOT project alone: %j',
    async (fields) => {
      const hot = { ...fields, replicas: 0, projects: [HOT_PROJECT] };
      world.put(hot, loaded('one'));
      world.driver.isHot.add(`${POOL}~acme~website`);
      await world.pass(60_000);
      const { goodRevision } = world.status;
      world.driver.fateOfDigest.set('two', 'Crashed');
      world.put(hot, loaded('two'));
      await world.pass(60_000);
      endOne('one');
      await world.pass(TEN_MINUTES_MS);
      expect(world.status.goodRevision).toBe(goodRevision);
      expect(world.driver.kept.get(POOL)?.revision).toBe(goodRevision);
      expect(digests()).toContain('one');
    },
  );
});
