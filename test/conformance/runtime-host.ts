/** What a runtime host promises whatever carries its workers: the same agents, tasks and answers over threads and in process. */
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { agentPoolSpecSchema } from '../../api/agent-pool.ts';
import { RuntimeHost } from '../../agent-runtime/host/runtime-host.ts';
import type { StartWorker } from '../../agent-runtime/worker/protocol.ts';
import { systemClock } from '../../platform/clock.ts';
import type { TaskHeader } from '../../platform/link/frames.ts';
import { silentLog } from '../../platform/log.ts';
import { createMetrics } from '../../platform/metrics/registry.ts';
import { systemRandom } from '../../platform/random.ts';
import { MemoryStore } from '../../platform/store/memory-store.ts';
import { FakeTask } from '../fakes/fake-task.ts';
import { until } from '../e2e/until.ts';

const POOL = 'default~main';
const PROJECT = `${POOL}~acme~one`;

/** The agents of the suite, as the source of a module: threads import a file. */
export const AGENTS = `
const pause = (ms) => new Promise((resolve) => setTimeout(resolve, ms));
const tally = {
  name: 'tally',
  initialize(context) { if (context.project === 'broken') throw new Error('no tools here'); },
  async *process(task, context) {
    const [word, argument] = task.input.split(' ');
    if (word === 'stream') { for (let at = 0; at < Number(argument); at += 1) yield 'chunk ' + at + ';'; return 'streamed'; }
    if (word === 'turns') return String(context.conversation.turns.length);
    if (word === 'fail') { await context.state.set('count', 1000); throw new Error('as you wish'); }
    if (word === 'wait') await new Promise((resolve, reject) => {
      const timer = setTimeout(resolve, Number(argument));
      context.signal.addEventListener('abort', () => { clearTimeout(timer); reject(context.signal.reason); });
    });
    if (word === 'slow') await pause(Number(argument));
    return String(await context.state.update('count', (n = 0) => n + 1));
  },
};
const free = { name: 'free', concurrency: 'none', process: async (task, context) => { await pause(20); return String(await context.state.update('free', (n = 0) => n + 1)); } };
export default [tally, free];
`;

class Rig {
  readonly store = new MemoryStore(systemClock);
  readonly host: RuntimeHost;

  constructor(startWorker: StartWorker, modulePath: string) {
    this.host = new RuntimeHost(
      {
        clock: systemClock,
        random: systemRandom,
        store: this.store,
        log: silentLog,
        metrics: createMetrics(false),
        startWorker,
        hub: { moved: () => undefined, draining: () => undefined, links: 0 },
        peers: { ping: async () => 'silent', yieldProject: async () => false },
        processMemory: () => ({ rssBytes: 0, limitBytes: undefined }),
      },
      {
        incarnation: 'r1',
        name: 'r1',
        pool: POOL,
        address: 'unix:/r1',
        role: 'shared',
        revision: 'rev1',
        modulePath,
      },
    );
  }

  async open(isolation: 'WorkerThread' | 'Shared'): Promise<void> {
    const spec = agentPoolSpecSchema.parse({
      runtime: { isolation },
      limits: { cancelGraceSeconds: 2 },
      tiers: { warm: { quota: { requestsPerMinute: 10_000, memoryMb: 128 } } },
    });
    await this.store.putPool({
      key: POOL,
      generation: 1,
      spec,
      status: undefined,
      revision: 'rev1',
    });
    expect(await this.host.start()).toMatchObject({ type: 'ready' });
    this.host.open();
  }

  begin(requestId: string, input: string, header: Partial<TaskHeader> = {}): FakeTask {
    const task = new FakeTask(
      systemClock,
      { project: PROJECT, requestId, agent: '', ...header },
      input,
    );
    this.host.task(task);
    return task;
  }

  async run(requestId: string, input: string, header: Partial<TaskHeader> = {}): Promise<FakeTask> {
    const task = this.begin(requestId, input, header);
    await until(`the end of ${requestId}`, () => task.end !== undefined);
    return task;
  }
}

export interface HostSetup {
  readonly startWorker: StartWorker;
  readonly modulePath: string;
}

export function describeRuntimeHost(name: string, setUp: () => Promise<HostSetup>): void {
  describe.each(['WorkerThread', 'Shared'] as const)(
    `a runtime host over ${name}, isolation %s`,
    (isolation) => {
      let rig: Rig;

      beforeEach(async () => {
        const { startWorker, modulePath } = await setUp();
        rig = new Rig(startWorker, modulePath);
        await rig.open(isolation);
      });
      afterEach(async () => {
        rig.host.stop();
        await rig.store.close();
      });

      it('keeps state between tasks and across hibernation', async () => {
        expect((await rig.run('q1', 'count')).text).toBe('1');
        await rig.host.call({ method: 'remove', project: PROJECT, force: false });
        expect((await rig.run('q2', 'count')).text).toBe('2');
      });

      it('keeps projects apart', async () => {
        await rig.run('q1', 'count');
        expect((await rig.run('q1', 'count', { project: `${POOL}~acme~two` })).text).toBe('1');
      });

      it('commits what runs side by side without losing any of it', async () => {
        const tasks = Array.from({ length: 10 }, (_, at) =>
          rig.run(`q${at}`, 'count', { conversationId: `c${at}` }),
        );
        const answers = (await Promise.all(tasks)).map(({ text }) => Number(text));
        expect(answers.sort((a, b) => a - b)).toEqual([1, 2, 3, 4, 5, 6, 7, 8, 9, 10]);
        expect((await rig.store.readProject(PROJECT))?.requests).toBe(10);
      });

      it('lets an agent without order run in parallel in one conversation', async () => {
        const tasks = Array.from({ length: 5 }, (_, at) =>
          rig.run(`q${at}`, 'x', { agent: 'free' }),
        );
        const answers = (await Promise.all(tasks)).map(({ text }) => Number(text));
        expect(new Set(answers)).toEqual(new Set([1, 2, 3, 4, 5]));
      });

      it('answers a repeat from the record, also while the first is on its way', async () => {
        const [first, second] = await Promise.all([
          rig.run('q1', 'slow 50'),
          rig.run('q1', 'slow 50'),
        ]);
        expect([first.text, second.text]).toEqual(['1', '1']);
        expect((await rig.run('q1', 'slow 50')).end).toMatchObject({
          text: '1',
          header: { replayed: true },
        });
      });

      it('streams to whoever wants it, all of it and in order', async () => {
        const task = await rig.run('q1', 'stream 2000', { stream: true });
        expect(task.chunks.join('')).toBe(
          Array.from({ length: 2000 }, (_, at) => `chunk ${at};`).join(''),
        );
        expect(task.text).toBe('streamed');
      });

      it('holds a stream back until there is room', async () => {
        const task = rig.begin('q1', 'stream 5000', { stream: true });
        task.roomy = false;
        await until('the window is used up', () => task.chunks.length > 100);
        await new Promise((resolve) => setTimeout(resolve, 100));
        expect(task.chunks.length).toBeLessThan(5000);
        task.openWindow();
        await until('the end', () => task.end !== undefined);
        expect(task.chunks).toHaveLength(5000);
      });

      it('gives the agent the turns of its conversation, also after hibernation', async () => {
        await rig.run('q1', 'count');
        expect((await rig.run('q2', 'turns')).text).toBe('2');
        await rig.host.call({ method: 'remove', project: PROJECT, force: false });
        expect((await rig.run('q3', 'turns')).text).toBe('4');
        expect((await rig.run('q4', 'turns', { conversationId: 'other' })).text).toBe('0');
      });

      it('drops what a failed task wrote', async () => {
        await rig.run('q1', 'count');
        expect((await rig.run('q2', 'fail')).end).toMatchObject({
          error: { reason: 'AGENT_ERROR', message: 'as you wish' },
        });
        expect((await rig.run('q3', 'count')).text).toBe('2');
      });

      it('cancels a task whose caller leaves, and goes on', async () => {
        const task = rig.begin('q1', 'wait 20000');
        await until('it runs', () => task.events.includes('started'));
        task.leave();
        await until('its end', () => task.end !== undefined);
        expect(task.reason).toBe('CANCELLED');
        expect((await rig.run('q2', 'count')).text).toBe('1');
      });

      it('forgets a conversation with its turns', async () => {
        await rig.run('q1', 'count');
        await rig.host.call({
          method: 'forgetConversation',
          project: PROJECT,
          conversationId: 'c1',
        });
        expect((await rig.run('q2', 'turns')).text).toBe('0');
      });

      it('tells callers why an agent cannot be initialised, and others nothing', async () => {
        const broken = await rig.run('q1', 'count', { project: `${POOL}~acme~broken` });
        expect(broken.end).toMatchObject({
          error: {
            reason: 'AGENT_ERROR',
            message: 'initialize of agent tally failed: no tools here',
          },
        });
        expect((await rig.run('q2', 'count')).text).toBe('1');
      });

      it('drains: what runs ends well, nothing stays claimed', async () => {
        const task = rig.begin('q1', 'slow 100');
        await until('it runs', () => task.events.includes('started'));
        await rig.host.drain();
        expect(task.text).toBe('1');
        expect((await rig.store.readProject(PROJECT))?.owner).toBeUndefined();
        expect(await rig.store.listRuntimes()).toEqual([]);
      });
    },
  );
}
