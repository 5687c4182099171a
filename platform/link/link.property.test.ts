/** Random tasks in random order over a slow, small, breakable connection: every byte in order, one end each, nothing left behind. */
import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { AppError } from '../../core/errors.ts';
import { FakeClock, settle } from '../../test/fakes/fake-clock.ts';
import { framePair, type FramePair } from '../../test/fakes/frame-pair.ts';
import { RecordingHandler, START } from '../../test/fakes/recording-handler.ts';
import { record, RESULT_HEADER, type TaskRecorder } from '../../test/fakes/task-recorder.ts';
import { createRuntimeLink } from './link-client.ts';
import { LINK_TIMES } from './link-limits.ts';
import { createLinkServer } from './link-server.ts';
import type { IncomingTask, RuntimeLink } from './task-link.ts';

const size = fc.oneof(fc.nat(10), fc.nat(70_000), fc.nat(400_000));
const plan = fc.record({
  input: size,
  chunks: fc.array(size, { maxLength: 4 }),
  result: size,
  end: fc.constantFrom('finish', 'fail', 'elsewhere', 'never'),
  parks: fc.boolean(),
  cancelAfterMs: fc.option(fc.nat(60), { nil: undefined }),
  consumeAfterMs: fc.nat(30),
  thinkMs: fc.nat(40),
});
type Plan = typeof plan extends fc.Arbitrary<infer P> ? P : never;
const scenario = fc.record({
  plans: fc.array(plan, { minLength: 1, maxLength: 8 }),
  delays: fc.array(fc.nat(15), { minLength: 1, maxLength: 20 }),
  framesMax: fc.integer({ min: 1, max: 12 }),
  cutAtMs: fc.option(fc.nat(200), { nil: undefined }),
});

const PATTERN = new Uint8Array(1_000_000);
for (let index = 0; index < PATTERN.length; index += 1)
  PATTERN[index] = (index * 7 + (index >> 9)) & 0xff;
const bytesOf = (seed: number, length: number): Uint8Array =>
  PATTERN.subarray(seed * 1009, seed * 1009 + length);

class World {
  readonly clock = new FakeClock();
  readonly handler = new RecordingHandler();
  readonly server = createLinkServer(
    { incarnation: 'r', revision: 'r', maxConcurrentTasks: 100, slowConsumerMs: 2_000 },
    this.handler,
    this.clock,
  );
  readonly pairs: FramePair[] = [];
  readonly link: RuntimeLink;

  constructor(delays: readonly number[], framesMax: number) {
    let frames = 0;
    const delayMs = (): number => delays[frames++ % delays.length]!;
    this.link = createRuntimeLink(
      { gateway: 'g', incarnation: 'r', address: 'memory', times: LINK_TIMES },
      {
        clock: this.clock,
        random: { float: () => 0.5, id: () => 'id' },
        events: {
          stateChanged: () => undefined,
          creditChanged: () => undefined,
          moved: () => undefined,
          draining: () => undefined,
        },
        dial: () => {
          const pair = framePair({ clock: this.clock, delayMs, framesMax });
          this.pairs.push(pair);
          this.server.accept(pair.runtime);
          return pair.gateway;
        },
      },
    );
  }

  run(index: number, { input, cancelAfterMs, consumeAfterMs }: Plan): TaskRecorder {
    const recorder = record(this.link, bytesOf(index, input), { requestId: String(index) });
    recorder.consumes = false;
    const chunk = recorder.chunk.bind(recorder);
    recorder.chunk = (given) => {
      chunk(given);
      this.clock.after(consumeAfterMs, () => recorder.task?.consumed(given.body.length));
    };
    if (cancelAfterMs !== undefined)
      this.clock.after(cancelAfterMs, () => recorder.task?.cancel('CANCELLED'));
    return recorder;
  }
}

/** An agent that does as planned, keeps to back-pressure, and ends when it is aborted. */
function play(
  clock: FakeClock,
  task: IncomingTask,
  { chunks, result, end, parks, thinkMs }: Plan,
): void {
  const seed = Number(task.header.requestId);
  let isOver = false;
  const stop = (): void => {
    if (!isOver) task.fail(task.signal.reason as AppError);
    isOver = true;
  };
  task.signal.addEventListener('abort', stop, { once: true });
  if (parks) task.parked();
  let next = 0;
  const step = (): void => {
    if (isOver) return;
    const length = chunks[next++];
    if (length !== undefined) {
      if (task.chunk({ arm: 'text', kind: 'TEXT', body: bytesOf(seed, length) }))
        clock.after(1, step);
      return;
    }
    if (end === 'never') return;
    isOver = true;
    if (end === 'finish') task.finish(RESULT_HEADER, bytesOf(seed, result));
    else if (end === 'fail') task.fail(new AppError('AGENT_ERROR', 'planned'));
    else task.elsewhere(undefined, 1);
  };
  task.onWindow(step);
  clock.after(thinkMs, () => {
    if (!isOver) task.started(START);
    step();
  });
}

describe('a link', () => {
  it('delivers every byte in order, ends every task once and keeps nothing, in any interleaving', async () => {
    await fc.assert(
      fc.asyncProperty(scenario, async ({ plans, delays, framesMax, cutAtMs }) => {
        const world = new World(delays, framesMax);
        const { clock, link, server, handler } = world;
        const inputs: boolean[] = [];
        handler.onTask = (task) => {
          const index = Number(task.header.requestId);
          inputs.push(Buffer.compare(task.input.body, bytesOf(index, plans[index]!.input)) === 0);
          play(clock, task, plans[index]!);
        };
        while (link.credit === 0) await clock.advance(5);
        const tasks = plans.map((each, index) => world.run(index, each));
        if (cutAtMs !== undefined) clock.after(cutAtMs, () => world.pairs[0]?.cut('cut'));
        await clock.advance(20_000);
        // Those whose agent never ends: the gateway's deadline stage does this.
        for (const task of tasks) task.task?.cancel('DEADLINE');
        await clock.advance(20_000);

        expect(inputs).not.toContain(false);
        for (const [index, task] of tasks.entries()) {
          const { chunks, result } = plans[index]!;
          expect(task.end).toBeDefined();
          if (cutAtMs === undefined) expect(task.end?.type).not.toBe('lost');
          task.chunks.forEach((chunk, place) =>
            expect(Buffer.compare(chunk, bytesOf(index, chunks[place]!))).toBe(0),
          );
          if (task.end?.type !== 'finished') continue;
          expect(Buffer.compare(task.end.body, bytesOf(index, result))).toBe(0);
          if (plans[index]!.cancelAfterMs === undefined)
            expect(task.chunks).toHaveLength(chunks.length);
        }
        expect(link.credit).toBe(100);
        expect(server.unfinished).toBe(0);
        link.close();
        await clock.advance(1_000);
        await settle();
        expect(server.hub.links).toBe(0);
        expect(clock.pendingTimers).toBe(0);
      }),
      { numRuns: 200 },
    );
  }, 120_000);
});
