/** The conformance suite of the driver port: every driver, the fake included, passes all of it (driver.test.ts lists them). */
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { BoundElsewhere } from '../../operator/pool/bind-failures.ts';
import type {
  Driver,
  DrivenRuntime,
  RuntimeRequest,
  RuntimeTemplate,
} from '../../operator/pool/driver.ts';
import { templateOf } from '../../operator/pool/observe.ts';
import { spec } from '../builders/pool-builders.ts';

export type Behaviour = 'serves' | 'invalid' | 'crashes' | 'stubborn';

export interface DriverFixture {
  readonly driver: Driver;
  /** The path of a module with which a runtime behaves so. */
  moduleOf(behaviour: Behaviour): string;
  /** From outside, as by `kill -9` and `kill -STOP`. */
  kill(name: string): Promise<void>;
  freeze(name: string): Promise<void>;
  /** What a frozen one is seen as, if not as silent. */
  readonly frozenAs?: 'unseen';
  /** The runtime can be called. */
  listening(name: string): Promise<void>;
  /** Whether anything of the runtime still runs. */
  isAlive(name: string): boolean;
  /** Lets time pass until it holds; throws when it does not come about. */
  until(holds: () => Promise<boolean>): Promise<void>;
  close(): Promise<void>;
}

const POOL = 'default~assistants';
const at = (name: string) => ({ pool: POOL, name });
const NEVER = new AbortController().signal;

export function describeDriver(title: string, make: () => Promise<DriverFixture>): void {
  describe(`driver: ${title}`, () => {
    let fixture: DriverFixture;
    let driver: Driver;
    let told: string[];
    beforeEach(async () => {
      fixture = await make();
      driver = fixture.driver;
      told = [];
      driver.watch((pool) => told.push(pool));
    });
    afterEach(() => fixture.close());

    const requestOf = (
      name: string,
      behaviour: Behaviour = 'serves',
      pool = POOL,
    ): RuntimeRequest => ({
      name,
      pool,
      role: 'dedicated',
      resources: { memoryMb: 512 },
      template: {
        revision: `rev-${behaviour}`,
        module: { digest: behaviour, path: fixture.moduleOf(behaviour) },
        spec: spec({ runtime: { image: 'agents:1', env: [{ name: 'GREETING', value: 'hello' }] } }),
      },
    });
    const create = async (name: string, behaviour?: Behaviour, pool?: string): Promise<void> =>
      driver.create(requestOf(name, behaviour, pool), NEVER);
    const one = async (name: string): Promise<DrivenRuntime | undefined> =>
      (await driver.list(POOL)).find((runtime) => runtime.name === name);
    const reaches = (name: string, at: DrivenRuntime['phase']['at']): Promise<void> =>
      fixture.until(async () => (await one(name))?.phase.at === at);

    const isOver = (runtime: DrivenRuntime | undefined): boolean =>
      runtime === undefined || runtime.phase.at === 'exited';
    /** As it was told to: some drivers forget it then, others show it until it is removed. */
    const ends = async (name: string): Promise<void> => {
      await fixture.until(async () => isOver(await one(name)));
      const phase = (await one(name))?.phase ?? { reason: 'Ordered' };
      expect(phase).toMatchObject({ reason: 'Ordered' });
    };

    it('shows a created runtime as it was asked for', async () => {
      await create('pool-a1');
      expect(await one('pool-a1')).toMatchObject({
        name: 'pool-a1',
        pool: POOL,
        role: 'dedicated',
        revision: 'rev-serves',
        resources: { memoryMb: 512 },
        phase: { at: 'running' },
      });
      expect((await one('pool-a1'))?.binding).toBeUndefined();
    });

    it('takes the same name twice for one runtime', async () => {
      await create('pool-a1');
      await create('pool-a1');
      expect(await driver.list(POOL)).toHaveLength(1);
    });

    it('keeps pools apart', async () => {
      await create('pool-a1');
      await create('other-b2', 'serves', 'default~other');
      expect((await driver.list(POOL)).map((runtime) => runtime.name)).toEqual(['pool-a1']);
      expect([...(await driver.listPools())].sort()).toEqual([POOL, 'default~other']);
    });

    it('tells of a new runtime, and of its end', async () => {
      await create('pool-a1');
      expect(told).toContain(POOL);
      told.length = 0;
      await fixture.kill('pool-a1');
      await fixture.until(async () => told.length > 0);
      await reaches('pool-a1', 'exited');
    });

    it('tells nobody who does not want to know any more', async () => {
      let count = 0;
      const end = driver.watch(() => count++);
      end();
      await create('pool-a1');
      expect(count).toBe(0);
    });

    it('keeps one that was killed until it is removed', async () => {
      await create('pool-a1');
      await fixture.kill('pool-a1');
      await reaches('pool-a1', 'exited');
      expect((await one('pool-a1'))?.phase).toMatchObject({
        reason: 'Crashed',
        message: expect.stringContaining('SIGKILL'),
      });
      await driver.remove(at('pool-a1'));
      expect(await one('pool-a1')).toBeUndefined();
    });

    it('says that a runtime ended by itself', async () => {
      await create('pool-a1', 'crashes');
      await reaches('pool-a1', 'exited');
      expect((await one('pool-a1'))?.phase).toMatchObject({ reason: 'Crashed' });
    });

    it('says why an agent module cannot be used', async () => {
      await create('pool-a1', 'invalid');
      await reaches('pool-a1', 'exited');
      expect((await one('pool-a1'))?.phase).toMatchObject({
        reason: 'AgentModuleInvalid',
        message: expect.stringContaining('agents.ts:3:1'),
      });
    });

    it('drains one: it is ending, then ended as ordered', async () => {
      await create('pool-a1');
      await fixture.listening('pool-a1');
      await driver.drain(at('pool-a1'), 20_000);
      expect((await one('pool-a1'))?.phase.at).toBe('ending');
      await ends('pool-a1');
      expect(fixture.isAlive('pool-a1')).toBe(false);
    });

    it('ends one that does not drain in time', async () => {
      await create('pool-a1', 'stubborn');
      await fixture.listening('pool-a1');
      await driver.drain(at('pool-a1'), 200);
      await fixture.until(async () => isOver(await one('pool-a1')));
      expect(fixture.isAlive('pool-a1')).toBe(false);
    });

    it('removes one that runs: nothing of it is left', async () => {
      await create('pool-a1');
      await driver.remove(at('pool-a1'));
      await fixture.until(async () => (await one('pool-a1')) === undefined);
      expect(fixture.isAlive('pool-a1')).toBe(false);
    });

    it('removes one that is frozen', async () => {
      await create('pool-a1');
      await fixture.listening('pool-a1');
      await fixture.freeze('pool-a1');
      await driver.remove(at('pool-a1'));
      await fixture.until(async () => (await one('pool-a1')) === undefined);
      expect(fixture.isAlive('pool-a1')).toBe(false);
    });

    it('notices one that falls silent', async () => {
      await create('pool-a1');
      await fixture.listening('pool-a1');
      await fixture.freeze('pool-a1');
      await reaches('pool-a1', fixture.frozenAs ?? 'silent');
    });

    it('binds a standby once for life', async () => {
      await create('pool-a1');
      await fixture.listening('pool-a1');
      const project = `${POOL}~acme~website`;
      await driver.bind(at('pool-a1'), project, NEVER);
      await driver.mark?.(at('pool-a1'), project, NEVER);
      expect((await one('pool-a1'))?.binding?.project).toBe(project);
      await driver.bind(at('pool-a1'), project, NEVER);
      await driver.mark?.(at('pool-a1'), project, NEVER);
      await expect(driver.bind(at('pool-a1'), `${POOL}~acme~shop`, NEVER)).rejects.toBeInstanceOf(
        BoundElsewhere,
      );
      expect((await one('pool-a1'))?.binding?.project).toBe(project);
    });

    it('keeps what good runtimes are made of, of one revision at a time, or makes none that outlive it', async () => {
      const live = spec({ runtime: { image: 'agents:1' } });
      const templateWith = (digest: string): RuntimeTemplate =>
        templateOf(live, { digest, path: './agents.ts' });
      const [one, two] = [templateWith('one'), templateWith('two')];
      const read = async ({ revision }: RuntimeTemplate): Promise<RuntimeTemplate | undefined> =>
        driver.keptTemplate?.(POOL, revision, live, NEVER);
      const kept = async () => [await read(one), await read(two)];
      const isKeeping = driver.keepTemplate !== undefined;
      expect(driver.keptTemplate !== undefined).toBe(isKeeping);
      expect(await kept()).toEqual([undefined, undefined]);
      for (const template of [one, one, two]) {
        await driver.keepTemplate?.(POOL, template, NEVER);
        expect(await kept()).toEqual(
          [one, two].map((each) => (isKeeping && each === template ? each : undefined)),
        );
      }
    });

    it('does not know what it did not make', async () => {
      await expect(driver.bind(at('pool-zz'), `${POOL}~a~b`, NEVER)).rejects.toThrow();
      await driver.mark?.(at('pool-zz'), `${POOL}~a~b`, NEVER);
      await driver.drain(at('pool-zz'), 10);
      await driver.remove(at('pool-zz'));
      expect(await driver.list(POOL)).toEqual([]);
    });
  });
}
