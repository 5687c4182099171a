/** A server beside which bystanders work all the time, and what it holds before and after: nothing of a hostile request may stay. */
import { expect } from '@jest/globals';
import { Bystanders } from './bystanders.ts';
import { GrpcClient, type Message, type Stream } from './grpc-calls.ts';
import { call } from './http-calls.ts';
import { type ProcessUsage, usageOf } from './process-usage.ts';
import { type Server, startStandalone } from './server.ts';
import { until } from './until.ts';
import { AGENTS, createWorkspace, poolManifest, type Workspace } from './workspace.ts';

/** Inputs and answers of this pool, in bytes. */
export const REQUEST_BYTES_MAX = 65_536;
const ANSWER_BYTES_MAX = 48 * 1024 * 1024;
/** All that may run at once of one project, and with the bystanders all of the runtime: what leaks is soon missed. */
const TASKS_MAX = 20;
const BYSTANDING = ['hostile', 'acme', 'other'];
const UNCHANGED_MS = 5_000;
const SETTLED_MS = 40_000;
/** What comes and goes by itself: the sockets of the bystanders' own client. */
const DESCRIPTORS_SLACK = 4;
/** What the tests send and ask for is some hundred megabytes. */
const HELD_GROWTH_MB_MAX = 64;
/** Neither a heap nor the buffers that were made for the largest message so far are given back. */
const RSS_GROWTH_MB_MAX = 400;

/** A `flood` of chunks for readers that do not keep up. */
const FLOOD = `
export default [...harmless, { name: 'flood', async *process() { for (;;) yield 'x'.repeat(16_384); } },
  { name: 'escapes', process: (task: { input: number }) => '\\u0001'.repeat(task.input) },
  { name: 'large', process: (task: { input: number }) => 'x'.repeat(task.input) }];
`;

/** The project that hostile requests name where they name a good one. */
export const HOSTILE = { tenant: 'hostile', project: 'site' };

export class GuardedServer {
  readonly server: Server;
  readonly bystanders: Bystanders;
  readonly #place: Workspace;
  #before: readonly ProcessUsage[] = [];
  #heldMb = 0;

  private constructor(place: Workspace, server: Server) {
    this.#place = place;
    this.server = server;
    this.bystanders = new Bystanders(server, BYSTANDING);
  }

  static async start(): Promise<GuardedServer> {
    const place = createWorkspace();
    place.write('agents.ts', `${AGENTS.replace('export default [', 'const harmless = [')}${FLOOD}`);
    const limits = `  limits: {taskTimeoutSeconds: 120, requestBytesMax: ${REQUEST_BYTES_MAX}, answerBytesMax: ${ANSWER_BYTES_MAX}}\n`;
    const spec = poolManifest('assistants', limits)
      .replaceAll('maxConcurrentRequests: 100', `maxConcurrentRequests: ${TASKS_MAX}`)
      .replace('agents.ts}', `agents.ts, maxConcurrentTasks: ${TASKS_MAX + BYSTANDING.length}}`);
    place.write('pool.yaml', spec);
    const server = await startStandalone({
      manifests: [place.path('pool.yaml')],
      data: place.data,
    });
    const guarded = new GuardedServer(place, server);
    await guarded.bystanders.start();
    await guarded.#useEverySlot();
    await guarded.#endInstances();
    guarded.#before = await guarded.#settledUsage();
    guarded.#heldMb = await guarded.#held();
    return guarded;
  }

  /** Every bystander was answered meanwhile, and none has seen an error. */
  async noBystanderSawAnything(): Promise<void> {
    const before = this.bystanders.fewest;
    await until('every bystander was answered', () => this.bystanders.fewest >= before + 2, 20_000);
    expect(this.bystanders.errors).toEqual([]);
  }

  /** No hostile task runs or waits any more. */
  async nothingRuns(): Promise<void> {
    await until('no hostile task runs', () => this.#isIdle(), SETTLED_MS);
  }

  /** Nothing runs, waits or is held that was not before the first hostile request; all that may run at once still can. */
  async #nothingLeaked(): Promise<void> {
    await this.nothingRuns();
    await this.#useEverySlot();
    await this.nothingRuns();
    await this.#endInstances();
    await until(
      `threads and descriptors are again ${this.#told()}`,
      () => this.#isAsBefore(),
      SETTLED_MS,
    ).catch((error: unknown) => {
      throw new Error(`${String(error)}; they are ${JSON.stringify(this.#usage())}`, {
        cause: error,
      });
    });
    await this.#memoryIsAsBefore();
  }

  /** What the heap of the gateway holds after a collection, and of each process its resident size. */
  async #memoryIsAsBefore(): Promise<void> {
    const limitMb = this.#heldMb + HELD_GROWTH_MB_MAX;
    let leastMb = Infinity;
    // Garbage is held too until it is collected: the least of many looks counts.
    await until(
      `the gateway holds less than ${limitMb} MB`,
      async () => {
        leastMb = Math.min(leastMb, await this.#held());
        return leastMb < limitMb;
      },
      SETTLED_MS,
    ).catch((error: unknown) => {
      throw new Error(`${String(error)}; it holds ${leastMb} MB`, { cause: error });
    });
    const grownMb = this.#usage().map(({ rssMb }, i) => rssMb - (this.#before[i]?.rssMb ?? 0));
    expect(Math.max(...grownMb)).toBeLessThan(RSS_GROWTH_MB_MAX);
  }

  /** Megabytes of objects. */
  async #held(): Promise<number> {
    const text = await (await fetch(`${this.server.http}/metrics`)).text();
    return Number(/^nodejs_heap_size_used_bytes (\d+)/m.exec(text)?.[1]) / 1e6;
  }

  /** That nothing has leaked; then it stops, whatever came out, or the bystanders would go on for ever. */
  async finish(): Promise<void> {
    try {
      await this.#nothingLeaked();
    } finally {
      await this.#stop();
    }
  }

  /** Also that the bystanders' state is what it must be. */
  async #stop(): Promise<void> {
    for (const { counted, answered } of await this.bystanders.stop())
      expect(counted).toBe(answered);
    expect(await this.server.stop()).toEqual({ code: 0, signal: null });
    this.#place.remove();
  }

  /** The server first, then its runtimes. */
  #usage(): readonly ProcessUsage[] {
    return [this.server.pid, ...this.server.children().map(({ pid }) => pid)].map(usageOf);
  }

  /** Once no thread has come for a while: blank workers that were used are made good one after the other. */
  async #settledUsage(): Promise<readonly ProcessUsage[]> {
    const threads = (): number => this.#usage().reduce((sum, one) => sum + one.threads, 0);
    let most = threads();
    let sinceMs = performance.now();
    await until(
      'the number of threads has settled',
      () => {
        const now = threads();
        if (now !== most) [most, sinceMs] = [now, performance.now()];
        return performance.now() - sinceMs >= UNCHANGED_MS;
      },
      SETTLED_MS,
    );
    return this.#usage();
  }

  #isAsBefore(): boolean {
    const now = this.#usage();
    const isAsBefore = (one: ProcessUsage, before: ProcessUsage | undefined): boolean =>
      before !== undefined &&
      one.threads <= before.threads &&
      one.descriptors <= before.descriptors + DESCRIPTORS_SLACK;
    return (
      now.length === this.#before.length && now.every((one, i) => isAsBefore(one, this.#before[i]))
    );
  }

  #told(): string {
    return JSON.stringify(this.#before);
  }

  async #isIdle(): Promise<boolean> {
    const { body } = await call<{ queue_depth: number }>(this.server, '/api/v1/pool/stats');
    const busy = (await this.#instances()).filter(({ state }) => state === 'BUSY');
    return body.queue_depth === 0 && busy.length === 0;
  }

  /** As many tasks at once as may be, in the project of the hostile ones: a slot or credit that was lost would be missing. */
  async #useEverySlot(): Promise<void> {
    const client = new GrpcClient(this.server.grpc);
    const streams = Array.from({ length: TASKS_MAX }, () =>
      client.stream('ExecuteStream', {
        ...HOSTILE,
        agent: 'slow',
        json_utf8: Buffer.from('{"chunks": 1000, "everyMs": 100}'),
      }),
    );
    await Promise.all(streams.map(chunkOf));
    for (const stream of streams) stream.cancel();
    client.close();
  }

  async #endInstances(): Promise<void> {
    for (const { id } of await this.#instances())
      await call(this.server, `/api/v1/pool/instances/${id}?force=true`, { method: 'DELETE' });
    await until('they have ended', async () => (await this.#instances()).length === 0);
  }

  async #instances(): Promise<readonly { readonly id: string; readonly state: string }[]> {
    const { body } = await call<{
      instances: { id: string; state: string; project: string }[];
    }>(this.server, '/api/v1/pool/instances?tenant=hostile&page_size=1000');
    return body.instances.filter(({ project }) => !project.startsWith('bystander'));
  }
}

/** Resolves with the first chunk: the task runs. */
function chunkOf(stream: Stream): Promise<unknown> {
  return new Promise((resolve, reject) => {
    stream.on('error', reject);
    stream.on('data', (message: Message) => {
      if (message['event'] === 'chunk') resolve(message);
    });
  });
}
