/** What every link promises, whatever carries its frames: run over memory and over gRPC. */
import { afterEach, describe, expect, it } from '@jest/globals';
import { AppError } from '../../core/errors.ts';
import type { LinkServer, LinkServerOptions } from '../../platform/link/link-server.ts';
import type { LinkEvents, RuntimeLink, TaskHandler } from '../../platform/link/task-link.ts';
import { RecordingHandler, START } from '../fakes/recording-handler.ts';
import { record, RESULT_HEADER, TaskRecorder } from '../fakes/task-recorder.ts';

export interface LinkWorld {
  readonly server: LinkServer;
  /** Another gateway's link to the same runtime. */
  connect(events: LinkEvents): RuntimeLink;
  /** Breaks every connection, as a crash of the runtime would; a new one may be dialled afterwards. */
  breakAll(): void;
  close(): Promise<void>;
}

export type OpenLinkWorld = (
  options: LinkServerOptions,
  handler: TaskHandler,
) => Promise<LinkWorld>;

const bytesOf = (text: string): Uint8Array => new Uint8Array(Buffer.from(text));
const textOf = (bytes: Uint8Array): string => Buffer.from(bytes).toString();
/** A pattern that shows a lost, doubled or swapped slice. */
function pattern(bytes: number): Uint8Array {
  const body = new Uint8Array(bytes);
  for (let index = 0; index < bytes; index += 1) body[index] = (index * 31 + (index >> 8)) & 0xff;
  return body;
}
const isSame = (a: Uint8Array, b: Uint8Array): boolean => Buffer.compare(a, b) === 0;

class Watcher implements LinkEvents {
  readonly states: string[] = [];
  readonly moves: unknown[] = [];
  drains = 0;
  #waiting: { readonly isSo: () => boolean; readonly resolve: () => void }[] = [];

  stateChanged(link: RuntimeLink): void {
    this.states.push(link.state);
    this.#check();
  }

  creditChanged(): void {
    this.#check();
  }

  moved(...move: Parameters<LinkEvents['moved']>): void {
    this.moves.push(move);
    this.#check();
  }

  draining(): void {
    this.drains += 1;
    this.#check();
  }

  /** Resolves when an event makes it so. */
  until(isSo: () => boolean): Promise<void> {
    if (isSo()) return Promise.resolve();
    return new Promise((resolve) => this.#waiting.push({ isSo, resolve }));
  }

  #check(): void {
    const due = this.#waiting.filter(({ isSo }) => isSo());
    this.#waiting = this.#waiting.filter((each) => !due.includes(each));
    for (const { resolve } of due) resolve();
  }
}

export function linkConformance(name: string, open: OpenLinkWorld): void {
  describe(`a link over ${name}`, () => {
    let world: LinkWorld | undefined;
    afterEach(async () => {
      await world?.close();
      world = undefined;
    });

    async function ready(options: Partial<LinkServerOptions> = {}, capacity = 10) {
      const handler = new RecordingHandler();
      world = await open(
        { incarnation: 'runtime-1', revision: 'r1', maxConcurrentTasks: capacity, ...options },
        handler,
      );
      const events = new Watcher();
      const link = world.connect(events);
      await events.until(() => link.credit === capacity);
      return { handler, link, events, world };
    }

    it('carries a task, its chunks and its result', async () => {
      const { handler, link, world } = await ready();
      handler.onTask = (task) => {
        task.started(START);
        task.chunk({ arm: 'text', kind: 'TEXT', body: bytesOf('a') });
        task.chunk({ arm: 'text', kind: 'TEXT', body: bytesOf('b') });
        task.finish(RESULT_HEADER, bytesOf('done'));
      };
      const task = record(link, bytesOf('question'));
      await task.done;
      expect(task.events).toEqual(['started', 'chunk', 'chunk', 'finished']);
      expect(task.chunks.map(textOf)).toEqual(['a', 'b']);
      expect(task.end).toMatchObject({ header: RESULT_HEADER });
      expect(textOf(task.end!.type === 'finished' ? task.end!.body : new Uint8Array())).toBe(
        'done',
      );
      expect(textOf(handler.tasks[0]!.input.body)).toBe('question');
      expect(link.credit).toBe(10);
      expect(world.server.unfinished).toBe(0);
    });

    it('tells the first task of a connection from the others', async () => {
      const { handler, link } = await ready();
      handler.onTask = (task) => task.finish(RESULT_HEADER, bytesOf(''));
      const first = record(link);
      await first.done;
      const second = record(link);
      await second.done;
      expect([first.task?.firstOnConnection, second.task?.firstOnConnection]).toEqual([
        true,
        false,
      ]);
      expect(link.requests).toBe(2);
    });

    it('carries megabytes both ways, byte for byte', async () => {
      const { handler, link, world } = await ready();
      handler.onTask = (task) => task.finish(RESULT_HEADER, task.input.body);
      const body = pattern(5_000_001);
      const end = await record(link, body).done;
      expect(end.type === 'finished' && isSame(end.body, body)).toBe(true);
      expect(world.server.unfinished).toBe(0);
    });

    it('carries a chunk that is larger than the window', async () => {
      const { handler, link } = await ready();
      const chunk = pattern(1_000_000);
      handler.onTask = (task) => {
        task.chunk({ arm: 'text', kind: 'TEXT', body: chunk });
        task.chunk({ arm: 'text', kind: 'TEXT', body: chunk });
        task.finish(RESULT_HEADER, bytesOf(''));
      };
      const task = record(link);
      await task.done;
      expect(task.chunks.map((each) => isSame(each, chunk))).toEqual([true, true]);
    });

    it('sends no chunks to a caller that wants the result only', async () => {
      const { handler, link } = await ready();
      handler.onTask = (task) => {
        expect(task.chunk({ arm: 'text', kind: 'TEXT', body: pattern(1_000_000) })).toBe(true);
        task.finish(RESULT_HEADER, bytesOf('result'));
      };
      const task = record(link, bytesOf(''), { stream: false });
      await task.done;
      expect(task.events).toEqual(['finished']);
    });

    it('carries an error with all that it says', async () => {
      const { handler, link } = await ready();
      handler.onTask = (task) =>
        task.fail(
          new AppError('AGENT_ERROR', 'no such page', {
            code: 'NOT_FOUND',
            field: 'page',
            retryAfterMs: 5,
            metadata: { a: 'b' },
          }),
        );
      const end = await record(link).done;
      expect(end).toMatchObject({
        type: 'failed',
        error: {
          reason: 'AGENT_ERROR',
          code: 'NOT_FOUND',
          message: 'no such page',
          field: 'page',
          retryAfterMs: 5,
          metadata: { a: 'b' },
        },
      });
    });

    it.each([
      [{ incarnation: 'other', address: 'unix:/other', epoch: 4 }, 4] as const,
      [undefined, 7] as const,
    ])('says that the project is elsewhere (%j)', async (owner, epoch) => {
      const { handler, link } = await ready();
      handler.onTask = (task) => task.elsewhere(owner, epoch);
      expect(await record(link).done).toEqual({ type: 'elsewhere', owner, epoch });
    });

    it('lets a cancel reach the agent, whose end counts', async () => {
      const { handler, link, world } = await ready();
      const loser = record(link);
      const running = await handler.next();
      loser.task?.cancel('CANCELLED');
      await aborted(running.signal);
      expect(running.signal.reason).toMatchObject({ reason: 'CANCELLED' });
      running.fail(running.signal.reason as AppError);
      expect(await loser.done).toMatchObject({ type: 'failed', error: { reason: 'CANCELLED' } });

      const winner = record(link);
      const finishing = await handler.next();
      winner.task?.cancel('DEADLINE');
      await aborted(finishing.signal);
      finishing.finish(RESULT_HEADER, bytesOf('committed'));
      expect(await winner.done).toMatchObject({ type: 'finished' });
      expect(world.server.unfinished).toBe(0);
    });

    it('ignores what a handler says after the end', async () => {
      const { handler, link } = await ready();
      handler.onTask = (task) => {
        task.finish(RESULT_HEADER, bytesOf('1'));
        task.fail(new AppError('INTERNAL', 'too late'));
        task.parked();
        task.started(START);
        task.chunk({ arm: 'text', kind: 'TEXT', body: bytesOf('late') });
      };
      expect(await record(link).done).toMatchObject({ type: 'finished' });
      expect(await link.call({ method: 'metrics' }, 5_000)).toEqual({ asked: 'metrics' });
    });

    it('does not let a 16 MB answer delay small ones', async () => {
      const { handler, link } = await ready();
      const big = pattern(16 * 1024 * 1024);
      handler.onTask = (task) =>
        task.finish(RESULT_HEADER, textOf(task.input.body) === 'big' ? big : bytesOf('small'));
      const large = record(link, bytesOf('big'));
      const small = Array.from({ length: 20 }, () => record(link, bytesOf('small')));
      await Promise.all(small.map((task) => task.done));
      expect(large.end).toBeUndefined();
      const end = await large.done;
      expect(end.type === 'finished' && isSame(end.body, big)).toBe(true);
    });

    it('ends a task alone whose caller takes nothing', async () => {
      const { handler, link, world } = await ready({ slowConsumerMs: 200 });
      handler.onTask = (task) => {
        if (textOf(task.input.body) !== 'slow') {
          task.finish(RESULT_HEADER, bytesOf(''));
          return;
        }
        task.started(START);
        while (task.chunk({ arm: 'text', kind: 'TEXT', body: pattern(30_000) }));
      };
      const slow = record(link, bytesOf('slow'), {}, recorderThatHoldsUp());
      const other = record(link, bytesOf('fast'));
      expect(await other.done).toMatchObject({ type: 'finished' });
      expect(await slow.done).toMatchObject({ type: 'failed', error: { reason: 'SLOW_CONSUMER' } });
      const task = handler.tasks.find((each) => textOf(each.input.body) === 'slow');
      expect(task?.signal.reason).toMatchObject({ reason: 'SLOW_CONSUMER' });
      expect(await record(link, bytesOf('after')).done).toMatchObject({ type: 'finished' });
      expect(world.server.unfinished).toBe(0);
    });

    it('holds up the producer of small chunks too: each takes memory beside its bytes', async () => {
      const { handler, link } = await ready();
      const slow = record(link, bytesOf(''), {}, recorderThatHoldsUp());
      const task = await handler.next();
      let sent = 1;
      while (task.chunk({ arm: 'text', kind: 'TEXT', body: pattern(1) })) sent += 1;
      expect(sent).toBeLessThan(2_000);
      await link.call({ method: 'metrics' }, 5_000);
      expect(slow.chunks.length).toBeLessThanOrEqual(sent);
      const room = new Promise<void>((resolve) => task.onWindow(resolve));
      slow.consumes = true;
      for (const chunk of slow.chunks) slow.task?.consumed(chunk.length);
      await room;
      task.finish(RESULT_HEADER, bytesOf('end'));
      expect(await slow.done).toMatchObject({ type: 'finished' });
      expect(slow.chunks.length).toBe(sent);
    });

    it('tells a producer when there is room again', async () => {
      const { handler, link } = await ready();
      const slow = record(link, bytesOf(''), {}, recorderThatHoldsUp());
      const task = await handler.next();
      while (task.chunk({ arm: 'text', kind: 'TEXT', body: pattern(30_000) }));
      const room = new Promise<void>((resolve) => task.onWindow(resolve));
      const probe = link.call({ method: 'metrics' }, 5_000);
      await probe;
      slow.consumes = true;
      for (const chunk of slow.chunks) slow.task?.consumed(chunk.length);
      await room;
      task.finish(RESULT_HEADER, bytesOf('end'));
      expect(await slow.done).toMatchObject({ type: 'finished' });
    });

    it('refuses an input above the bound and goes on', async () => {
      const { handler, link, world } = await ready({ inputBytesMax: 100_000 });
      handler.onTask = (task) => task.finish(RESULT_HEADER, bytesOf(''));
      expect(await record(link, pattern(100_001)).done).toMatchObject({
        type: 'failed',
        error: { reason: 'PAYLOAD_TOO_LARGE' },
      });
      expect(await record(link, pattern(3_000_000)).done).toMatchObject({
        type: 'failed',
        error: { reason: 'PAYLOAD_TOO_LARGE' },
      });
      expect(await record(link, pattern(100_000)).done).toMatchObject({ type: 'finished' });
      expect(handler.tasks).toHaveLength(1);
      expect(world.server.unfinished).toBe(0);
    });

    it('gives the credit of a parked task to others until it starts', async () => {
      const { handler, link, events } = await ready({}, 2);
      const parked = record(link);
      const task = await handler.next();
      expect(link.credit).toBe(1);
      task.parked();
      await events.until(() => link.credit === 2);
      expect(parked.events).toEqual(['parked']);
      task.started(START);
      await events.until(() => link.credit === 1);
      task.finish(RESULT_HEADER, bytesOf(''));
      await parked.done;
      expect(link.credit).toBe(2);
    });

    it('shares the credit out among links by what they ask for', async () => {
      const { link, events, world } = await ready();
      const others = new Watcher();
      const other = world.connect(others);
      await others.until(() => other.credit === 5);
      await events.until(() => link.credit === 5);
      other.setDemand(50);
      await others.until(() => other.credit === 9);
      await events.until(() => link.credit === 1);
      world.server.setMaxConcurrentTasks(20);
      await others.until(() => other.credit === 19);
      other.close();
      await events.until(() => link.credit === 20);
      expect(world.server.hub.links).toBe(1);
    });

    it('answers calls, carries their errors and gives up in time', async () => {
      const { handler, link } = await ready();
      expect(await link.call({ method: 'listInstances', tenant: 't' }, 5_000)).toEqual({
        asked: 'listInstances',
      });
      handler.answer = () => Promise.reject(new AppError('UNKNOWN_INSTANCE', 'no such instance'));
      await expect(link.call({ method: 'getInstance', project: 'p' }, 5_000)).rejects.toMatchObject(
        { reason: 'UNKNOWN_INSTANCE', message: 'no such instance' },
      );
      handler.answer = () => Promise.reject(new Error('secret'));
      await expect(link.call({ method: 'getInstance', project: 'p' }, 5_000)).rejects.toMatchObject(
        { reason: 'INTERNAL', message: expect.not.stringContaining('secret') },
      );
      handler.answer = () => new Promise(() => undefined);
      await expect(link.call({ method: 'metrics' }, 30)).rejects.toMatchObject({
        reason: 'OWNER_UNREACHABLE',
      });
    });

    it('pushes moves and draining to every gateway, and to those that come later', async () => {
      const { events, world } = await ready();
      world.server.hub.moved('p', 3, { incarnation: 'b', address: 'unix:/b' });
      world.server.hub.moved('q', 4);
      world.server.hub.draining();
      await events.until(() => events.drains === 1);
      expect(events.moves).toEqual([
        ['p', 3, { incarnation: 'b', address: 'unix:/b' }],
        ['q', 4, undefined],
      ]);
      const late = new Watcher();
      world.connect(late);
      await late.until(() => late.drains === 1);
    });

    it('says of every unfinished task that it is lost, aborts those with CANCEL, and comes back', async () => {
      const { handler, link, events, world } = await ready();
      const ran = record(link);
      const first = await handler.next();
      first.started(START);
      const waited = record(link, bytesOf(''), { onDisconnect: 'CONTINUE' });
      const second = await handler.next();
      await link.call({ method: 'metrics' }, 60_000);
      handler.answer = () => new Promise(() => undefined);
      const unanswered = link.call({ method: 'metrics' }, 60_000);
      unanswered.catch(() => undefined);
      world.breakAll();
      expect(await ran.done).toMatchObject({ type: 'lost', ran: true, refused: false });
      expect(await waited.done).toMatchObject({ type: 'lost', ran: false });
      await expect(unanswered).rejects.toMatchObject({ reason: 'OWNER_UNREACHABLE' });
      await aborted(first.signal);
      expect(first.signal.reason).toMatchObject({ reason: 'RUNTIME_LOST' });
      expect(second.signal.aborted).toBe(false);
      expect(second.chunk({ arm: 'text', kind: 'TEXT', body: pattern(400_000) })).toBe(true);
      second.finish(RESULT_HEADER, bytesOf(''));
      await events.until(() => link.credit === 10);
      expect(events.states.slice(-3)).toEqual(['backoff', 'connecting', 'ready']);
      expect(record(link).task?.firstOnConnection).toBe(true);
    });

    it('ends everything when the gateway closes it', async () => {
      const { handler, link, world } = await ready();
      const task = record(link);
      const running = await handler.next();
      link.close();
      expect(await task.done).toMatchObject({ type: 'lost', ran: false });
      await aborted(running.signal);
      running.fail(running.signal.reason as AppError);
      expect(link.state).toBe('closed');
      expect(await record(link).done).toMatchObject({ type: 'lost' });
      await expect(link.call({ method: 'metrics' }, 1_000)).rejects.toMatchObject({
        reason: 'OWNER_UNREACHABLE',
      });
      expect(world.server.unfinished).toBe(0);
    });
  });
}

function aborted(signal: AbortSignal): Promise<void> {
  if (signal.aborted) return Promise.resolve();
  return new Promise((resolve) =>
    signal.addEventListener('abort', () => resolve(), { once: true }),
  );
}

function recorderThatHoldsUp(): TaskRecorder {
  const recorder = new TaskRecorder();
  recorder.consumes = false;
  return recorder;
}
