/** What the runtime's end does in time and in odd order: early cancels, deadlines, silence, slow callers. Every frame is the test's. */
import { describe, expect, it } from '@jest/globals';
import type { AppError } from '../../core/errors.ts';
import { FakeClock, settle } from '../../test/fakes/fake-clock.ts';
import { framePair, type FramePair } from '../../test/fakes/frame-pair.ts';
import { RecordingHandler, START } from '../../test/fakes/recording-handler.ts';
import { RESULT_HEADER, TASK_HEADER } from '../../test/fakes/task-recorder.ts';
import { CHUNK_OVERHEAD_BYTES, WINDOW_BYTES, type FromRuntime, type ToRuntime } from './frames.ts';
import { EARLY_CANCELS_MAX, GATEWAY_SILENCE_MS_MAX, LINK_CALLS_MAX } from './link-limits.ts';
import { createLinkServer, type LinkServer, type LinkServerOptions } from './link-server.ts';

const HELLO: ToRuntime = { type: 'hello', gateway: 'g', protocolMin: 1, protocolMax: 1 };
const body = new Uint8Array();
const task = (
  number: number,
  header: Partial<typeof TASK_HEADER> = {},
  more = false,
): ToRuntime => ({ type: 'task', task: number, header: { ...TASK_HEADER, ...header }, body, more });

class Bench {
  readonly clock = new FakeClock();
  readonly handler = new RecordingHandler();
  readonly server: LinkServer;
  readonly pair: FramePair = framePair();
  /** What the gateway has received. */
  readonly heard: FromRuntime[] = [];
  closedFor: string | undefined;

  constructor(options: Partial<LinkServerOptions> = {}) {
    this.server = createLinkServer(
      { incarnation: 'runtime-1', revision: 'r1', maxConcurrentTasks: 4, ...options },
      this.handler,
      this.clock,
    );
    this.pair.gateway.listen({
      frame: (frame) => void this.heard.push(frame),
      drain: () => undefined,
      closed: ({ reason }) => void (this.closedFor = reason),
    });
    this.server.accept(this.pair.runtime);
  }

  /** The gateway says this. */
  async say(...frames: ToRuntime[]): Promise<void> {
    for (const frame of frames) this.pair.gateway.send(frame);
    await settle();
  }

  heardOf<Type extends FromRuntime['type']>(
    type: Type,
  ): Extract<FromRuntime, { readonly type: Type }>[] {
    return this.heard.filter(
      (frame): frame is Extract<FromRuntime, { readonly type: Type }> => frame.type === type,
    );
  }
}

async function openBench(options: Partial<LinkServerOptions> = {}): Promise<Bench> {
  const bench = new Bench(options);
  await bench.say(HELLO);
  return bench;
}

describe('hello', () => {
  it('is answered by welcome and a grant', async () => {
    const bench = await openBench();
    expect(bench.heard).toEqual([
      { type: 'welcome', incarnation: 'runtime-1', revision: 'r1', protocol: 1 },
      { type: 'grant', tasks: 4 },
    ]);
  });

  it('that was there before the channel was accepted is answered the same', async () => {
    const { server } = new Bench();
    const heard: FromRuntime[] = [];
    server.accept({
      send: (frame) => {
        heard.push(frame);
        return true;
      },
      close: () => undefined,
      listen: (listener) => listener.frame(HELLO),
    });
    expect(heard.map(({ type }) => type)).toEqual(['welcome', 'grant']);
  });

  it('may offer more than this runtime speaks', async () => {
    const bench = new Bench();
    await bench.say({ ...HELLO, protocolMax: 7 });
    expect(bench.heardOf('welcome')).toMatchObject([{ protocol: 1 }]);
  });

  it.each([
    [0, 0],
    [2, 5],
  ])(
    'of a gateway that speaks %d to %d closes the link and says why',
    async (protocolMin, protocolMax) => {
      const bench = new Bench();
      await bench.say({ type: 'hello', gateway: 'g', protocolMin, protocolMax });
      expect(bench.closedFor).toBe(
        `no common protocol: the gateway speaks ${protocolMin} to ${protocolMax}, this runtime 1 to 1`,
      );
      expect(bench.server.hub.links).toBe(0);
    },
  );

  it('comes before everything else', async () => {
    const bench = new Bench();
    await bench.say(task(1), { type: 'call', call: 1, request: { method: 'metrics' } });
    expect(bench.handler.tasks).toEqual([]);
    expect(bench.heard).toEqual([]);
  });
});

describe('a cancel', () => {
  it('that overtakes its task keeps it from the handler and is answered once', async () => {
    const bench = await openBench();
    await bench.say({ type: 'cancel', task: 2, reason: 'DEADLINE' });
    await bench.say(task(1), task(2), task(3));
    expect(bench.handler.tasks).toHaveLength(2);
    expect(bench.heardOf('failed')).toMatchObject([{ task: 2, error: { reason: 'DEADLINE' } }]);
  });

  it('of a task whose input is still coming is answered, and the rest passed over', async () => {
    const bench = await openBench();
    await bench.say(task(1, {}, true), { type: 'cancel', task: 1, reason: 'CANCELLED' });
    await bench.say({ type: 'input', task: 1, body, more: false });
    expect(bench.handler.tasks).toEqual([]);
    expect(bench.heardOf('failed')).toMatchObject([{ task: 1, error: { reason: 'CANCELLED' } }]);
    expect(bench.server.unfinished).toBe(0);
  });

  it('of a task that has ended changes nothing', async () => {
    const bench = await openBench();
    bench.handler.onTask = (each) => each.finish(RESULT_HEADER, body);
    await bench.say(task(1));
    await bench.say({ type: 'cancel', task: 1, reason: 'CANCELLED' });
    expect(bench.heardOf('failed')).toEqual([]);
    expect(bench.server.unfinished).toBe(0);
  });

  it('for a task that never comes is remembered within a bound, and forgotten when the numbers have passed it', async () => {
    const bench = await openBench();
    for (let number = 1; number <= EARLY_CANCELS_MAX + 50; number += 1)
      bench.pair.gateway.send({ type: 'cancel', task: number, reason: 'CANCELLED' });
    await settle();
    expect(bench.server.unfinished).toBe(EARLY_CANCELS_MAX);
    await bench.say(task(EARLY_CANCELS_MAX + 51));
    expect(bench.server.unfinished).toBe(1);
  });
});

describe('time', () => {
  it('aborts a task at its deadline; the handler ends it', async () => {
    const bench = await openBench();
    await bench.say(task(1, { remainingMs: 100 }));
    const running = await bench.handler.next();
    expect(running.deadlineMs).toBe(bench.clock.nowMs() + 100);
    await bench.clock.advance(99);
    expect(running.signal.aborted).toBe(false);
    await bench.clock.advance(1);
    expect(running.signal.reason).toMatchObject({ reason: 'DEADLINE' });
    running.fail(running.signal.reason as AppError);
    await settle();
    expect(bench.heardOf('failed')).toMatchObject([{ task: 1, error: { reason: 'DEADLINE' } }]);
  });

  it.each([
    ['that comes too late', task(1, { remainingMs: 0 }), 0],
    ['whose input does not come in time', task(1, { remainingMs: 50 }, true), 50],
  ] as const)('ends a task %s by itself', async (_name, frame, waitMs) => {
    const bench = await openBench();
    await bench.say(frame);
    await bench.clock.advance(waitMs);
    expect(bench.heardOf('failed')).toMatchObject([{ task: 1, error: { reason: 'DEADLINE' } }]);
    expect(bench.handler.tasks).toEqual([]);
    expect(bench.server.unfinished).toBe(0);
  });

  it('closes a link whose gateway is silent, and only then', async () => {
    const bench = await openBench();
    await bench.clock.advance(GATEWAY_SILENCE_MS_MAX - 1);
    await bench.say({ type: 'ping', nonce: 1, demand: 0 });
    await bench.clock.advance(GATEWAY_SILENCE_MS_MAX - 1);
    expect(bench.closedFor).toBeUndefined();
    await bench.clock.advance(1);
    expect(bench.closedFor).toBe('the gateway is silent');
    expect(bench.clock.pendingTimers).toBe(0);
  });

  it('does not blame the gateway for a pause of its own', async () => {
    const bench = await openBench();
    bench.clock.stall(60_000);
    await bench.clock.advance(0);
    expect(bench.closedFor).toBeUndefined();
  });

  it('leaves no timer behind when tasks end', async () => {
    const bench = await openBench();
    bench.handler.onTask = (each) => each.finish(RESULT_HEADER, body);
    await bench.say(task(1), task(2));
    expect(bench.clock.pendingTimers).toBe(1);
  });
});

describe('a slow caller', () => {
  const chunk = { arm: 'text', kind: 'TEXT', body: new Uint8Array(60_000) } as const;

  it('is given the time that the option says, from when the window shut', async () => {
    const bench = await openBench({ slowConsumerMs: 1000 });
    await bench.say(task(1));
    const running = await bench.handler.next();
    for (let sent = 0; sent < WINDOW_BYTES; sent += chunk.body.length) running.chunk(chunk);
    await bench.clock.advance(999);
    await bench.say({ type: 'window', task: 1, bytes: 30_000 });
    await bench.clock.advance(999);
    expect(running.signal.aborted).toBe(false);
    for (let more = 0; more < 2; more += 1) running.chunk(chunk);
    await bench.clock.advance(1000);
    expect(running.signal.reason).toMatchObject({ reason: 'SLOW_CONSUMER' });
    expect(bench.heardOf('failed')).toMatchObject([
      { task: 1, error: { reason: 'SLOW_CONSUMER' } },
    ]);
    running.finish(RESULT_HEADER, body);
    await settle();
    expect(bench.heardOf('result')).toEqual([]);
    expect(bench.server.unfinished).toBe(0);
  });

  it('of a finished task loses the answer, not the task', async () => {
    const bench = await openBench({ slowConsumerMs: 1000 });
    await bench.say(task(1));
    const running = await bench.handler.next();
    running.finish(RESULT_HEADER, new Uint8Array(1_000_000));
    await bench.clock.advance(1000);
    expect(bench.heardOf('failed')).toMatchObject([
      { task: 1, error: { reason: 'SLOW_CONSUMER' } },
    ]);
    expect(running.signal.aborted).toBe(false);
    expect(bench.server.unfinished).toBe(0);
  });

  it('never receives more than the window', async () => {
    const bench = await openBench();
    await bench.say(task(1));
    const running = await bench.handler.next();
    for (let times = 0; times < 20; times += 1) running.chunk(chunk);
    await settle();
    const received = (): number =>
      bench.heard.reduce((sum, frame) => sum + ('body' in frame ? frame.body.length : 0), 0) +
      bench.heardOf('chunk').length * CHUNK_OVERHEAD_BYTES;
    const [least, most] = [WINDOW_BYTES, WINDOW_BYTES + CHUNK_OVERHEAD_BYTES];
    expect(received()).toBeGreaterThanOrEqual(least);
    expect(received()).toBeLessThanOrEqual(most);
    await bench.say({ type: 'window', task: 1, bytes: 100_000 });
    expect(received()).toBeGreaterThanOrEqual(least + 100_000);
    expect(received()).toBeLessThanOrEqual(most + 100_000);
  });

  it('whose agent ignores back-pressure ends before memory does', async () => {
    const bench = await openBench();
    await bench.say(task(1));
    const running = await bench.handler.next();
    running.started(START);
    const big = { ...chunk, body: new Uint8Array(10_000_000) };
    for (let times = 0; times < 20; times += 1) running.chunk(big);
    expect(running.signal.reason).toMatchObject({ reason: 'SLOW_CONSUMER' });
  });
});

describe('the link breaks', () => {
  it('and a producer that waits for room goes on', async () => {
    const bench = await openBench();
    await bench.say(task(1, { onDisconnect: 'CONTINUE' }));
    const running = await bench.handler.next();
    let woken = 0;
    running.onWindow(() => (woken += 1));
    while (running.chunk({ arm: 'text', kind: 'TEXT', body: new Uint8Array(50_000) }));
    bench.pair.cut('gone');
    await settle();
    expect(woken).toBe(1);
    expect(running.signal.aborted).toBe(false);
    expect(bench.server.unfinished).toBe(0);
    running.finish(RESULT_HEADER, body);
    expect(bench.clock.pendingTimers).toBe(0);
  });
});

describe('calls', () => {
  it('are bounded', async () => {
    const bench = await openBench();
    bench.handler.answer = () => new Promise(() => undefined);
    for (let call = 1; call <= LINK_CALLS_MAX + 1; call += 1)
      bench.pair.gateway.send({ type: 'call', call, request: { method: 'metrics' } });
    await settle();
    expect(bench.heardOf('reply')).toMatchObject([
      { call: LINK_CALLS_MAX + 1, error: { reason: 'QUEUE_FULL' } },
    ]);
  });
});
