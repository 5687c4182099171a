/** What becomes of pools something of which fails again and again while the rest is well: told, tried less and less often, and mended by itself. */
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { loaded } from '../../test/fakes/fake-pool-source.ts';
import { OperatorWorld } from '../../test/fakes/operator-world.ts';

const projectOf = (name: string): string => `default~pool~acme~${name}`;
const HOT = (name: string) => ({ tenant: 'acme', project: name, tier: 'HOT' as const });
const TEN_MINUTES_MS = 600_000;
/** Two a minute, and those that are made at first. */
const TEN_MINUTES_CREATES = 32;

describe('while something fails again and again', () => {
  let world: OperatorWorld;
  beforeEach(() => {
    world = new OperatorWorld();
  });
  afterEach(() => world.stop());

  const messageOf = (type: string): string =>
    world.status.conditions.find((one) => one.type === type)?.message ?? '';
  const createsWithin = async (ms: number): Promise<number> => {
    const before = world.driver.creates;
    await world.pass(ms);
    return world.driver.creates - before;
  };

  it.each([
    ['that crashes', 'Crashed', 'RuntimeCrashLooping'],
    ['that its node does not take', 'Evicted', 'RuntimesEvicted'],
  ] as const)('a runtime %s beside one that is well', async (_what, fate, reason) => {
    world.driver.fateOfRequest = () => (world.driver.creates > 1 ? fate : undefined);
    world.put({ replicas: 2 });
    await world.start();
    expect(await createsWithin(TEN_MINUTES_MS)).toBeLessThan(TEN_MINUTES_CREATES);
    expect(world.condition('Ready')).toBe(`False ${reason}`);
    expect(world.condition('Degraded')).toBe(`True ${reason}`);
    world.driver.fateOfRequest = undefined;
    await world.pass(60_000);
    expect(world.condition('Ready')).toBe('True AllReady');
    expect(world.condition('Degraded')).toBe('False AsExpected');
    expect(world.told.filter((one) => one === 'Recovered')).toHaveLength(1);
  });

  it('a HOT project with a quota that is too small, whose old runtime serves', async () => {
    world.driver.enforces = { hotLimits: true };
    const pool = (memoryMb: number) =>
      world.put({ replicas: 1, projects: [{ ...HOT('a'), quota: { memoryMb } }] });
    world.driver.isHot.add(projectOf('a'));
    world.driver.fateOfBound = ({ resources }) =>
      resources.memoryMb === 128 ? 'Crashed' : 'Serves';
    pool(2_048);
    await world.start();
    await world.pass(20_000);
    expect(world.condition('Ready')).toBe('True AllReady');
    pool(128);
    expect(await createsWithin(TEN_MINUTES_MS)).toBeLessThan(TEN_MINUTES_CREATES);
    expect(world.condition('Ready')).toBe('False RuntimeCrashLooping');
    expect(world.condition('Degraded')).toBe('True RuntimeCrashLooping');
    expect(messageOf('Degraded')).toContain('acme/a');
    pool(1_024);
    await world.pass(120_000);
    expect(world.condition('Ready')).toBe('True AllReady');
    expect(world.condition('Degraded')).toBe('False AsExpected');
  });

  it('standbys, and shared runtimes are well', async () => {
    world.driver.fateOfRequest = ({ role }) => (role === 'dedicated' ? 'Crashed' : undefined);
    world.put({ replicas: 2, tiers: { hot: { standby: 1 } } });
    await world.start();
    expect(await createsWithin(TEN_MINUTES_MS)).toBeLessThan(TEN_MINUTES_CREATES);
    expect(world.condition('Degraded')).toBe('True RuntimeCrashLooping');
    expect(world.told.filter((one) => one === 'RuntimeCrashLooping')).toHaveLength(1);
    expect(world.told).not.toContain('Recovered');
    const [shared = ''] = world.running();
    world.driver.runtime(shared).exit('Crashed', 'was ended by SIGKILL');
    await world.pass(1_000);
    expect(world.running()).toHaveLength(2);
    world.put({ replicas: 2 });
    await world.pass(120_000);
    expect(world.condition('Degraded')).toBe('False AsExpected');
    expect(world.condition('Ready')).toBe('True AllReady');
  });

  it('nothing is said any more of a project that is not HOT any more', async () => {
    world.put({ replicas: 1 });
    world.driver.fateOfBound = () => 'Crashed';
    await world.start();
    await world.setTier(projectOf('a'), 'HOT');
    await world.pass(120_000);
    expect(world.condition('Degraded')).toBe('True RuntimeCrashLooping');
    await world.setTier(projectOf('a'), 'WARM');
    await world.pass(120_000);
    expect(world.condition('Degraded')).toBe('False AsExpected');
  });

  it('a good revision rolls out, though nodes refuse its first runtimes', async () => {
    world.put({ replicas: 2 });
    await world.start();
    await world.pass(10_000);
    let refused = 3;
    world.driver.fateOfRequest = () => (refused-- > 0 ? 'Evicted' : undefined);
    world.put({ replicas: 2 }, loaded('two'));
    await world.pass(60_000);
    expect(world.condition('Ready')).toBe('True AllReady');
    expect(world.told).not.toContain('RolloutStalled');
  });

  describe('one HOT project in a roll-out', () => {
    const update = { progressDeadlineSeconds: 60 };
    const pool = (digest: string) =>
      world.put(
        { replicas: 1, updateStrategy: update, projects: [HOT('a'), HOT('b'), HOT('c')] },
        loaded(digest),
      );
    const digestsOf = (): Readonly<Record<string, string>> =>
      Object.fromEntries(
        world.driver.runtimes
          .filter((one) => one.counts && one.binding !== undefined)
          .map((one) => [one.binding?.project ?? '', one.request.template.module.digest]),
      );
    beforeEach(async () => {
      for (const name of ['a', 'b', 'c']) world.driver.isHot.add(projectOf(name));
      pool('one');
      await world.start();
      await world.pass(20_000);
      world.driver.fateOfBound = ({ template }, project) =>
        project === projectOf('a') && template.module.digest === 'two' ? 'Crashed' : 'Serves';
    });

    it('holds up no other, and is named', async () => {
      pool('two');
      await world.pass(300_000);
      expect(digestsOf()).toEqual({
        [projectOf('a')]: 'one',
        [projectOf('b')]: 'two',
        [projectOf('c')]: 'two',
      });
      expect(world.condition('Progressing')).toBe('False RolloutStalled');
      for (const type of ['Progressing', 'Degraded', 'Ready'])
        expect(messageOf(type)).toContain('acme/a');
    });

    it('follows by itself when it is mended', async () => {
      pool('two');
      await world.pass(300_000);
      world.driver.fateOfBound = undefined;
      await world.pass(330_000);
      expect(world.condition('Ready')).toBe('True AllReady');
      expect(digestsOf()[projectOf('a')]).toBe('two');
    });
  });

  describe('a stalled roll-out', () => {
    const fields = { replicas: 3, updateStrategy: { progressDeadlineSeconds: 60 } };
    const digests = () =>
      world.driver.runtimes
        .filter((one) => one.counts)
        .map((one) => one.request.template.module.digest)
        .sort();

    it.each(['Crashed', 'AgentModuleInvalid', 'Hangs', 'Evicted'] as const)(
      'tries on, less and less often, and goes on by itself: %s',
      async (fate) => {
        world.put(fields);
        await world.start();
        await world.pass(20_000);
        world.driver.fateOfDigest.set('two', fate);
        world.put(fields, loaded('two'));
        await world.pass(TEN_MINUTES_MS);
        expect(world.condition('Progressing')).toBe('False RolloutStalled');
        expect(digests().filter((digest) => digest === 'one')).toHaveLength(3);
        expect(await createsWithin(3_600_000)).toBeLessThan(60);
        expect(messageOf('Progressing')).toContain('tried again');
        world.driver.fateOfDigest.clear();
        await world.pass(330_000);
        expect(world.condition('Ready')).toBe('True AllReady');
        expect(digests()).toEqual(['two', 'two', 'two']);
      },
    );

    describe('whose good runtimes cannot be made any more', () => {
      const refusals: string[] = [];
      beforeEach(async () => {
        refusals.length = 0;
        world.put(fields);
        await world.start();
        await world.pass(20_000);
        world.driver.fateOfDigest.set('two', 'Crashed');
        world.put(fields, loaded('two'));
        await world.pass(TEN_MINUTES_MS);
        expect(digests().filter((digest) => digest === 'one')).toHaveLength(3);
        const [lost = ''] = world.running();
        world.driver.runtime(lost).exit('Evicted', 'its node is drained');
      });
      const refuse = (...refused: readonly string[]): void => {
        world.driver.refuses = ({ template: { module } }) => {
          const isRefused = refused.includes(module.digest);
          if (isRefused) refusals.push(module.digest);
          return isRefused;
        };
      };

      it('goes on by itself all the same', async () => {
        refuse('one');
        await world.pass(TEN_MINUTES_MS);
        expect(digests().filter((digest) => digest === 'one')).toHaveLength(2);
        world.driver.fateOfDigest.clear();
        await world.pass(330_000);
        expect(world.condition('Ready')).toBe('True AllReady');
        expect(digests()).toEqual(['two', 'two', 'two']);
      });

      it('nor new ones: both are tried, less and less often', async () => {
        refuse('one', 'two');
        await world.pass(TEN_MINUTES_MS);
        for (const digest of ['one', 'two']) {
          const tries = refusals.filter((one) => one === digest).length;
          expect(tries).toBeGreaterThan(10);
          expect(tries).toBeLessThan(TEN_MINUTES_CREATES);
        }
        expect(world.told.filter((one) => one === 'PodRejected').length).toBeLessThan(3);
        world.driver.refuses = undefined;
        await world.pass(60_000);
        expect(digests().filter((digest) => digest === 'one')).toHaveLength(3);
      });
    });

    it('of standbys goes on by itself, too', async () => {
      const hot = { ...fields, tiers: { hot: { standby: 1 } } };
      world.put(hot);
      await world.start();
      await world.pass(20_000);
      world.driver.fateOfRequest = ({ role, template }) =>
        template.module.digest === 'one' ? undefined : role === 'dedicated' ? 'Crashed' : 'Hangs';
      world.put(hot, loaded('two'));
      await world.pass(TEN_MINUTES_MS);
      expect(world.condition('Progressing')).toBe('False RolloutStalled');
      world.driver.fateOfRequest = undefined;
      await world.pass(330_000);
      expect(world.condition('Ready')).toBe('True AllReady');
    });

    it('of a pool with HOT projects alone goes on by itself, too', async () => {
      const hot = { ...fields, replicas: 0, projects: [HOT('a'), HOT('b')] };
      for (const name of ['a', 'b']) world.driver.isHot.add(projectOf(name));
      world.put(hot);
      await world.start();
      await world.pass(20_000);
      world.driver.fateOfDigest.set('two', 'Crashed');
      world.put(hot, loaded('two'));
      await world.pass(TEN_MINUTES_MS);
      expect(world.condition('Progressing')).toBe('False RolloutStalled');
      expect(digests().filter((digest) => digest === 'one')).toHaveLength(2);
      world.driver.fateOfDigest.clear();
      await world.pass(330_000);
      expect(world.condition('Ready')).toBe('True AllReady');
    });

    it('takes no good one away for one that is ready and ends again', async () => {
      world.put(fields);
      await world.start();
      await world.pass(20_000);
      const before = world.running();
      world.driver.fateOfDigest.set('two', 'Crashed');
      world.put(fields, loaded('two'));
      await world.pass(60_000);
      world.driver.fateOfDigest.clear();
      world.driver.onCreate = ({ name }) =>
        world.clock.after(2_000, () => world.driver.runtime(name).exit('Crashed', 'dies young'));
      await world.pass(TEN_MINUTES_MS);
      expect(world.running()).toEqual(expect.arrayContaining([...before]));
    });

    it('without room for one more says so, and goes on once there is', async () => {
      const tight = (maxSurge: number) => ({
        replicas: 3,
        updateStrategy: { maxSurge, maxUnavailable: 1, progressDeadlineSeconds: 60 },
      });
      world.put(tight(0));
      await world.start();
      await world.pass(20_000);
      world.driver.fateOfDigest.set('two', 'Crashed');
      world.put(tight(0), loaded('two'));
      await world.pass(TEN_MINUTES_MS);
      expect(digests()).toEqual(['one', 'one', 'one']);
      expect(messageOf('Progressing')).toContain('maxSurge');
      world.driver.fateOfDigest.clear();
      world.put(tight(1), loaded('two'));
      await world.pass(330_000);
      expect(world.condition('Ready')).toBe('True AllReady');
    });
  });

  it('one that cannot be ended keeps no others from being made', async () => {
    world.put({ replicas: 2 });
    await world.start();
    await world.pass(10_000);
    const [stuck = ''] = world.running();
    world.driver.faults.stuck = new Set([stuck]);
    world.driver.runtime(stuck).exit('Crashed', 'was ended by SIGKILL');
    world.put({ replicas: 5 });
    await world.pass(60_000);
    expect(world.status.readyReplicas).toBe(5);
    expect(world.condition('Degraded')).toBe('True ReconcileFailed');
    expect(messageOf('Degraded')).toContain(stuck);
    world.driver.faults.stuck = new Set();
    await world.pass(60_000);
    expect(world.condition('Degraded')).toBe('False AsExpected');
  });

  it('one that cannot be drained counts, and the others are replaced', async () => {
    world.put({ replicas: 3 });
    await world.start();
    await world.pass(10_000);
    const [stuck = ''] = world.running();
    world.driver.faults.stuck = new Set([stuck]);
    let most = 0;
    world.driver.onCreate = () => (most = Math.max(most, world.running().length));
    world.put({ replicas: 3 }, loaded('two'));
    await world.pass(120_000);
    expect(world.running()).toHaveLength(4);
    expect(world.running()).toContain(stuck);
    expect(most).toBeLessThanOrEqual(4);
    expect(messageOf('Degraded')).toContain(stuck);
    world.driver.faults.stuck = new Set();
    await world.pass(120_000);
    expect(world.condition('Ready')).toBe('True AllReady');
  });
});
