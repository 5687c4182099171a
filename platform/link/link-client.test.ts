/** What the gateway's end does in time: welcome or give up, ping, notice silence, come back with backoff. Every frame is the test's. */
import { describe, expect, it } from '@jest/globals';
import { FakeClock, settle } from '../../test/fakes/fake-clock.ts';
import { framePair, type FramePair } from '../../test/fakes/frame-pair.ts';
import {
  record,
  RESULT_HEADER,
  TASK_HEADER,
  TaskRecorder,
} from '../../test/fakes/task-recorder.ts';
import { PROTOCOL_MAX, type FromRuntime, type ToRuntime } from './frames.ts';
import { createRuntimeLink } from './link-client.ts';
import { GATEWAY_SILENCE_MS_MAX, LINK_TASKS_MAX, LINK_TIMES } from './link-limits.ts';
import type { RuntimeLink } from './task-link.ts';

const WELCOME: FromRuntime = {
  type: 'welcome',
  incarnation: 'runtime-1',
  revision: 'r',
  protocol: 1,
};
const body = new Uint8Array();

class Bench {
  readonly clock = new FakeClock();
  readonly pairs: FramePair[] = [];
  /** What the runtime has received on all connections. */
  readonly heard: ToRuntime[] = [];
  readonly states: string[] = [];
  readonly dialledAtMs: number[] = [];
  credits = 0;
  refuses = false;
  readonly link: RuntimeLink;

  readonly #framesMax: number;

  constructor({
    dice = 1,
    framesMax = Infinity,
  }: { readonly dice?: number; readonly framesMax?: number } = {}) {
    this.#framesMax = framesMax;
    this.link = createRuntimeLink(
      { gateway: 'g', incarnation: 'runtime-1', address: 'unix:/r', times: LINK_TIMES },
      {
        clock: this.clock,
        random: { float: () => dice, id: () => 'id' },
        dial: () => this.#dial(),
        events: {
          stateChanged: (link) => this.states.push(link.state),
          creditChanged: () => (this.credits += 1),
          moved: () => undefined,
          draining: () => undefined,
        },
      },
    );
  }

  #dial(): FramePair['gateway'] {
    this.dialledAtMs.push(this.clock.nowMs());
    const pair = framePair({ framesMax: this.#framesMax });
    this.pairs.push(pair);
    pair.runtime.listen({
      frame: (frame) => void this.heard.push(frame),
      drain: () => undefined,
      closed: () => undefined,
    });
    if (!this.refuses) return pair.gateway;
    return {
      send: () => true,
      close: () => undefined,
      listen: (listener) =>
        queueMicrotask(() => listener.closed({ reason: 'connect ECONNREFUSED', refused: true })),
    };
  }

  /** The runtime says this on the newest connection. */
  async say(...frames: FromRuntime[]): Promise<void> {
    for (const frame of frames) this.pairs.at(-1)?.runtime.send(frame);
    await settle();
  }

  heardOf<Type extends ToRuntime['type']>(
    type: Type,
  ): Extract<ToRuntime, { readonly type: Type }>[] {
    return this.heard.filter(
      (frame): frame is Extract<ToRuntime, { readonly type: Type }> => frame.type === type,
    );
  }
}

async function readyBench(tasks = 10): Promise<Bench> {
  const bench = new Bench();
  await bench.say(WELCOME, { type: 'grant', tasks });
  return bench;
}

describe('opening', () => {
  it('dials when it is made and is ready after the welcome', async () => {
    const bench = new Bench();
    await settle();
    expect(bench.heard).toEqual([
      { type: 'hello', gateway: 'g', protocolMin: 1, protocolMax: PROTOCOL_MAX },
    ]);
    expect(bench.link.state).toBe('connecting');
    await bench.clock.advance(20);
    await bench.say(WELCOME);
    expect(bench.link.state).toBe('ready');
    expect(bench.link.sinceMs).toBe(bench.clock.wallMs());
    expect(bench.heardOf('ping')).toHaveLength(1);
    expect(bench.link.credit).toBe(0);
  });

  it('gives up without a welcome', async () => {
    const bench = new Bench();
    await bench.clock.advance(LINK_TIMES.connectTimeoutMs - 1);
    expect(bench.link.state).toBe('connecting');
    await bench.clock.advance(1);
    expect(bench.link.state).toBe('backoff');
    expect(bench.pairs[0]?.isClosed).toBe(true);
    await expect(bench.link.call({ method: 'metrics' }, 10)).rejects.toMatchObject({
      reason: 'OWNER_UNREACHABLE',
      retryAfterMs: 1_000,
      message: expect.stringContaining('no welcome'),
    });
  });

  it.each([
    [
      'another runtime',
      { ...WELCOME, incarnation: 'runtime-2' },
      { refused: true, reason: 'another runtime answers at unix:/r' },
    ],
    [
      'an unknown protocol',
      { ...WELCOME, protocol: 9 },
      { refused: false, reason: 'the runtime speaks protocol 9, this gateway 1 to 1' },
    ],
  ] as const)('turns away from %s', async (_name, welcome, cause) => {
    const bench = new Bench();
    await bench.say(welcome);
    expect(bench.link.state).toBe('backoff');
    expect(await record(bench.link).done).toEqual({ type: 'lost', ran: false, ...cause });
  });

  it.each([
    [1, [50, 100, 200, 400, 800, 1600, 3200, 5000, 5000]],
    [0, [25, 50, 100, 200, 400, 800, 1600, 2500, 2500]],
  ])('comes back with jittered exponential backoff (dice %d)', async (dice, waits) => {
    const bench = new Bench({ dice });
    bench.refuses = true;
    bench.pairs[0]?.cut('gone');
    await settle();
    await bench.clock.advance(30_000);
    const gaps = bench.dialledAtMs
      .slice(1, waits.length + 1)
      .map((atMs, index) => atMs - bench.dialledAtMs[index]!);
    expect(gaps).toEqual(waits);
  });

  it('starts the backoff anew after a welcome', async () => {
    const bench = new Bench();
    bench.refuses = true;
    bench.pairs[0]?.cut('gone');
    await settle();
    await bench.clock.advance(700);
    bench.refuses = false;
    await bench.clock.advance(1000);
    await bench.say(WELCOME);
    expect(bench.link.state).toBe('ready');
    bench.pairs.at(-1)?.cut('gone');
    await settle();
    const dials = bench.dialledAtMs.length;
    await bench.clock.advance(50);
    expect(bench.dialledAtMs).toHaveLength(dials + 1);
  });

  it('dials no more once it is closed', async () => {
    const bench = new Bench();
    bench.pairs[0]?.cut('gone');
    await settle();
    bench.link.close();
    bench.link.close();
    await bench.clock.advance(60_000);
    expect(bench.dialledAtMs).toHaveLength(1);
    expect(bench.states).toEqual(['backoff', 'closed']);
    expect(bench.clock.pendingTimers).toBe(0);
  });
});

describe('an open link', () => {
  it('pings every pingMs with what the gateway wants', async () => {
    const bench = await readyBench();
    bench.link.setDemand(7);
    for (let second = 0; second < 3; second += 1) {
      await bench.clock.advance(1000);
      await bench.say({ type: 'pong', nonce: second });
    }
    expect(bench.heardOf('ping').map(({ nonce, demand }) => [nonce, demand])).toEqual([
      [1, 0],
      [2, 7],
      [3, 7],
      [4, 7],
    ]);
  });

  it('pings often enough to be no silent gateway, however long pingMs is', async () => {
    const bench = await readyBench();
    bench.link.retime({ ...LINK_TIMES, pingMs: 60_000 });
    for (let second = 0; second < 60; second += 1) {
      await bench.clock.advance(1_000);
      await bench.say({ type: 'pong', nonce: second });
    }
    expect(bench.heardOf('ping').length).toBeGreaterThan(60_000 / GATEWAY_SILENCE_MS_MAX);
    expect(bench.link.state).toBe('ready');
  });

  it.each([
    ['shorter', { before: { pingMs: 600_000 }, after: { pingMs: 100 }, ms: 2_000, isLost: true }],
    ['longer', { before: {}, after: { pingTimeoutMs: 9_000 }, ms: 9_000, isLost: false }],
  ])(
    'follows times that become %s without waiting for the old ones',
    async (_name, { before, after, ms, isLost }) => {
      const bench = await readyBench();
      bench.link.retime({ ...LINK_TIMES, ...before });
      await bench.clock.advance(1);
      bench.link.retime({ ...LINK_TIMES, ...after });
      await bench.clock.advance(ms);
      expect(bench.states.includes('backoff')).toBe(isLost);
    },
  );

  it('dials sooner when reconnectMaxMs becomes shorter meanwhile', async () => {
    const bench = new Bench();
    bench.link.retime({ ...LINK_TIMES, reconnectMinMs: 60_000, reconnectMaxMs: 60_000 });
    bench.pairs[0]?.cut('gone');
    await settle();
    await bench.clock.advance(1_000);
    expect(bench.dialledAtMs).toHaveLength(1);
    bench.link.retime({ ...LINK_TIMES, reconnectMinMs: 50, reconnectMaxMs: 50 });
    await bench.clock.advance(50);
    expect(bench.dialledAtMs).toHaveLength(2);
    expect(bench.clock.pendingTimers).toBe(1);
  });

  it('pings early, but not often, when demand outgrows the grant', async () => {
    const bench = await readyBench(4);
    for (const demand of [5, 6, 7, 8]) bench.link.setDemand(demand);
    await bench.clock.advance(50);
    bench.link.setDemand(3);
    await bench.clock.advance(100);
    expect(bench.heardOf('ping').map(({ demand }) => demand)).toEqual([0, 8]);
  });

  it('is lost after pingMs + pingTimeoutMs of silence', async () => {
    const bench = await readyBench();
    const task = record(bench.link);
    bench.pairs[0]?.hold();
    await bench.clock.advance(1999);
    expect(bench.link.state).toBe('ready');
    await bench.clock.advance(1);
    expect(bench.link.state).toBe('backoff');
    expect(task.end).toMatchObject({
      type: 'lost',
      ran: false,
      refused: false,
      reason: 'the runtime is silent for 2000 ms',
    });
  });

  it('lives on any frame, not only on pongs', async () => {
    const bench = await readyBench();
    const task = record(bench.link);
    await settle();
    for (let times = 0; times < 5; times += 1) {
      await bench.clock.advance(1500);
      await bench.say({ type: 'chunk', task: 1, arm: 'text', kind: 'TEXT', body, more: false });
    }
    expect(bench.link.state).toBe('ready');
    expect(task.chunks).toHaveLength(5);
  });

  it('does not blame the runtime for a pause of its own', async () => {
    const bench = await readyBench();
    bench.clock.stall(5_000);
    await bench.clock.advance(0);
    expect(bench.link.state).toBe('ready');
    await bench.say({ type: 'pong', nonce: 1 });
    await bench.clock.advance(1500);
    expect(bench.link.state).toBe('ready');
    await bench.clock.advance(500);
    expect(bench.link.state).toBe('backoff');
  });

  it('sends times as they are when the frame leaves', async () => {
    const bench = new Bench({ framesMax: 1 });
    await bench.say(WELCOME, { type: 'grant', tasks: 10 });
    bench.pairs[0]?.hold();
    record(bench.link);
    const waiting = record(bench.link, body, { remainingMs: 1000, queueMs: 20, queuedMs: 5 });
    await bench.clock.advance(30);
    bench.pairs[0]?.release();
    await settle();
    expect(bench.heardOf('task')[1]?.header).toMatchObject({
      remainingMs: 970,
      queueMs: 0,
      queuedMs: 35,
    });
    expect(waiting.end).toBeUndefined();
  });

  it('cancels a task that has not been sent without asking anybody', async () => {
    const bench = new Bench({ framesMax: 1 });
    await bench.say(WELCOME, { type: 'grant', tasks: 10 });
    bench.pairs[0]?.hold();
    record(bench.link);
    const waiting = record(bench.link);
    waiting.task?.cancel('CANCELLED');
    expect(waiting.end).toMatchObject({ type: 'failed', error: { reason: 'CANCELLED' } });
    bench.pairs[0]?.release();
    await settle();
    expect(bench.heardOf('task').map(({ task }) => task)).toEqual([1]);
    expect(bench.heardOf('cancel')).toEqual([]);
    expect(bench.link.credit).toBe(9);
  });

  it('asks once for the end of a task that was sent, and takes the end that won', async () => {
    const bench = await readyBench();
    const task = record(bench.link);
    await settle();
    task.task?.cancel('DEADLINE');
    task.task?.cancel('CANCELLED');
    await settle();
    expect(bench.heardOf('cancel')).toEqual([{ type: 'cancel', task: 1, reason: 'DEADLINE' }]);
    expect(task.end).toBeUndefined();
    await bench.say({ type: 'result', task: 1, header: RESULT_HEADER, body, more: false });
    expect(task.end).toMatchObject({ type: 'finished' });
  });

  it('hears nothing of a task that has ended', async () => {
    const bench = await readyBench();
    const task = record(bench.link);
    await bench.say({ type: 'result', task: 1, header: RESULT_HEADER, body, more: false });
    await bench.say(
      { type: 'chunk', task: 1, arm: 'text', kind: 'TEXT', body, more: false },
      { type: 'parked', task: 1 },
      { type: 'elsewhere', task: 1, epoch: 2 },
    );
    expect(task.events).toEqual(['finished']);
    expect(bench.link.credit).toBe(10);
  });

  it('passes over a parked frame that is older than started', async () => {
    const bench = await readyBench();
    const task = record(bench.link);
    await bench.say({
      type: 'started',
      task: 1,
      conversationId: 'c',
      instanceId: 'i',
      agent: 'a',
      tier: 'WARM',
      wallMs: 1,
    });
    await bench.say({ type: 'parked', task: 1 });
    expect(task.events).toEqual(['started']);
    expect(bench.link.credit).toBe(9);
  });

  it('counts credit, and never below zero when the grant shrinks', async () => {
    const bench = await readyBench(3);
    const tasks = [record(bench.link), record(bench.link)];
    expect(bench.link.credit).toBe(1);
    await bench.say({ type: 'grant', tasks: 1 });
    expect(bench.link.credit).toBe(0);
    await bench.say({ type: 'parked', task: 1 }, { type: 'parked', task: 2 });
    expect(bench.link.credit).toBe(1);
    await bench.say({ type: 'result', task: 1, header: RESULT_HEADER, body, more: false });
    expect(bench.link.credit).toBe(1);
    expect(tasks[0]?.events).toEqual(['parked', 'finished']);
  });

  it('delivers no chunk after a cancel, yet keeps the window open for the end', async () => {
    const bench = await readyBench();
    const task = record(
      bench.link,
      body,
      {},
      Object.assign(new TaskRecorder(), { consumes: false }),
    );
    await bench.say({
      type: 'chunk',
      task: 1,
      arm: 'text',
      kind: 'TEXT',
      body: new Uint8Array(32_000),
      more: false,
    });
    task.task?.cancel('CANCELLED');
    for (let times = 0; times < 7; times += 1)
      await bench.say({
        type: 'chunk',
        task: 1,
        arm: 'text',
        kind: 'TEXT',
        body: new Uint8Array(32_000),
        more: false,
      });
    expect(task.chunks).toHaveLength(1);
    expect(
      bench.heardOf('window').reduce((sum, { bytes }) => sum + bytes, 0),
    ).toBeGreaterThanOrEqual(128_000);
  });

  it(`carries at most ${LINK_TASKS_MAX} tasks`, async () => {
    const bench = await readyBench();
    for (let made = 0; made < LINK_TASKS_MAX; made += 1)
      bench.link.run(TASK_HEADER, body, new TaskRecorder());
    expect(await record(bench.link).done).toMatchObject({
      type: 'failed',
      error: { reason: 'QUEUE_FULL', retryAfterMs: 1_000 },
    });
  });
});
