// Real threads: what an agent can do to its worker, and what the host is told of it.
import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { LIMITS, readPayload, textPayload } from '../../test/fakes/worker-harness.ts';
import { bundleAgentModule } from '../../platform/bundle/bundle-agent-module.ts';
import { bundleRuntime } from '../../platform/bundle/bundle-runtime.ts';
import type { FromWorker, WorkerChannel, WorkerListener } from './protocol.ts';
import { createStartWorker } from './thread-channel.ts';

type Exit = Parameters<WorkerListener['exited']>[0];
type Of<Type extends FromWorker['type']> = Extract<FromWorker, { type: Type }>;

let folder = '';
let entryPath = '';
const live: Thread[] = [];

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'agentpool-threads-'));
  const root = join(import.meta.dirname, '../..');
  entryPath = (
    await bundleRuntime({
      root,
      entries: { worker: 'agent-runtime/worker/entry.ts' },
      minify: true,
      cacheFolder: join(folder, 'cache'),
    })
  )['worker']!;
});
afterEach(async () => {
  await Promise.all(live.splice(0).map((thread) => thread.end()));
});
afterAll(() => rm(folder, { recursive: true, force: true }));

/** A real worker and everything it said. */
class Thread {
  readonly messages: FromWorker[] = [];
  readonly channel: WorkerChannel;
  readonly #exit = Promise.withResolvers<Exit>();
  readonly #waiting: { readonly type: string; readonly resolve: (message: FromWorker) => void }[] =
    [];
  takesChunks = true;

  constructor(modulePath: string, heapMb = 64, env: Record<string, string> = {}) {
    live.push(this);
    this.channel = createStartWorker({ entryPath, env })({
      start: { modulePath, limits: LIMITS },
      heapMb,
    });
    this.channel.listen({
      message: (message) => this.#message(message),
      exited: (exit) => this.#exit.resolve(exit),
    });
  }

  get exited(): Promise<Exit> {
    return this.#exit.promise;
  }

  /** The next message of this type, or one that came before. */
  async of<Type extends FromWorker['type']>(type: Type, run?: number): Promise<Of<Type>> {
    const fits = (message: FromWorker): message is Of<Type> =>
      message.type === type && (run === undefined || ('run' in message && message.run === run));
    for (;;) {
      const there = this.messages.find(fits);
      if (there !== undefined) return there;
      await new Promise<FromWorker>((resolve) => this.#waiting.push({ type, resolve }));
    }
  }

  async serve(): Promise<this> {
    await this.of('ready');
    this.channel.post({
      type: 'open',
      session: 1,
      start: {
        namespace: 'd',
        pool: 'p',
        tenant: 't',
        project: 'x',
        tier: 'WARM',
        config: {},
        secrets: {},
        instanceId: 'd~p~t~x',
      },
    });
    await this.of('opened');
    this.channel.post({ type: 'restore', session: 1, state: [] });
    return this;
  }

  run(run: number, agent: string): Promise<Of<'finished'>> {
    const task = {
      requestId: `r${run}`,
      attempt: 1,
      agent,
      conversationId: `c${run}`,
      input: textPayload('hi'),
      metadata: {},
      priority: 'NORMAL',
      remainingMs: 60_000,
      user: { subject: 's', role: 'caller' },
      newConversation: true,
    } as const;
    this.channel.post({ type: 'run', session: 1, run, task });
    return this.of('finished', run);
  }

  async end(): Promise<void> {
    this.channel.terminate();
    await this.exited;
  }

  #message(message: FromWorker): void {
    this.messages.push(message);
    if (message.type === 'chunk' && this.takesChunks)
      this.channel.post({
        type: 'window',
        session: 1,
        run: message.run,
        bytes: message.payload.body.length,
      });
    for (const waiter of this.#waiting.splice(0)) {
      if (waiter.type === message.type) waiter.resolve(message);
      else this.#waiting.push(waiter);
    }
  }
}

async function moduleOf(name: string, source: string): Promise<string> {
  await writeFile(join(folder, name), source);
  return (
    await bundleAgentModule({
      module: `./${name}`,
      from: folder,
      outFolder: join(folder, 'modules'),
    })
  ).file;
}

const HOSTILE = `
  const kept: unknown[] = [];
  export default [
    { name: 'good', process: (task) => 'fine ' + task.input },
    { name: 'loop', process() { for (;;); } },
    { name: 'grow', process() { for (;;) kept.push(new Array(1_000).fill(Math.random())); } },
    { name: 'exit', process() { process.exit(3); } },
    { name: 'reject', process() { void Promise.reject(new Error('nobody listens')); return new Promise(() => {}); } },
    { name: 'throw', process() { setTimeout(() => { throw new Error('out of nowhere'); }); return new Promise(() => {}); } },
    { name: 'chunks', async *process() { for (let n = 0; n < 1_000_000; n += 1) yield 'x'; } },
    { name: 'state', async process(task, { state }) { await state.set('when', new Date()); } },
    { name: 'fail', process() { return deep(new Error('failed here')); } },
    { name: 'speak', process() { console.log('to the console', { n: 1 }); console.error('a warning'); process.stdout.write('raw\\n'); } },
    { name: 'look', process: () => ({ env: process.env, argv: process.argv.slice(2), execArgv: process.execArgv }) },
  ];
  function deep(error: Error): never { throw error; }
`;
const start = async (): Promise<Thread> =>
  new Thread(await moduleOf('hostile.ts', HOSTILE), 64, { COLOUR: 'blue' }).serve();
const outputOf = ({ outcome }: Of<'finished'>): unknown =>
  outcome.type === 'success' ? readPayload(outcome.output) : outcome;

describe('a worker thread', () => {
  it('says which agents it has, runs them, answers probes', async () => {
    const thread = await start();
    expect((await thread.of('ready')).agents[0]).toEqual({
      name: 'good',
      description: '',
      concurrency: 'conversation',
    });
    expect(outputOf(await thread.run(1, 'good'))).toBe('fine hi');
    thread.channel.post({ type: 'probe', nonce: 7 });
    const probed = await thread.of('probed');
    expect(probed.nonce).toBe(7);
    expect(Math.min(probed.heapUsedBytes, probed.externalBytes, probed.cpuMicros)).toBeGreaterThan(
      0,
    );
  });

  it('sees the environment of the manifest and nothing of the host', async () => {
    const thread = await start();
    expect(outputOf(await thread.run(1, 'look'))).toEqual({
      env: { COLOUR: 'blue' },
      argv: [],
      execArgv: [],
    });
  });

  it('is ended in an endless loop', async () => {
    const thread = await start();
    void thread.run(1, 'loop');
    thread.channel.terminate();
    expect(await thread.exited).toMatchObject({ type: 'terminated' });
  });

  it.each([
    ['grow', { type: 'memory' }],
    ['exit', { type: 'exit', message: 'an agent called process.exit(3)' }],
    ['reject', { type: 'error', message: 'nobody listens' }],
    ['throw', { type: 'error', message: 'out of nowhere' }],
  ])('dies alone of %s, and says of what', async (agent, exit) => {
    const [dying, bystander] = [await start(), await start()];
    void dying.run(1, agent);
    expect(await dying.exited).toMatchObject(exit);
    expect(outputOf(await bystander.run(1, 'good'))).toBe('fine hi');
    if (exit.type !== 'error') return;
    // The log has the place in the author's file, which the copy of the error that leaves the thread does not.
    expect((await dying.of('log')).message).toContain(join(folder, 'hostile.ts'));
  });

  it('waits with a million chunks for a slow reader', async () => {
    const thread = await start();
    thread.takesChunks = false;
    void thread.run(1, 'chunks');
    // Two, one after the other: the first may travel with the task, and is then answered before the agent has run.
    for (const nonce of [0, 1]) {
      thread.channel.post({ type: 'probe', nonce });
      while (thread.messages.filter((message) => message.type === 'probed').length <= nonce)
        await new Promise((resolve) => setImmediate(resolve));
    }
    const chunks = () => thread.messages.filter((message) => message.type === 'chunk').length;
    // A chunk costs 257 with its overhead; half of the 4,000 may be ahead, and the one that fills it.
    expect(chunks()).toBe(8);
    thread.channel.post({ type: 'window', session: 1, run: 1, bytes: 5 });
    for (const nonce of [2, 3]) {
      thread.channel.post({ type: 'probe', nonce });
      while (thread.messages.filter((message) => message.type === 'probed').length <= nonce)
        await new Promise((resolve) => setImmediate(resolve));
    }
    expect(chunks()).toBe(13);
  });

  it('refuses state that is no JSON, naming the key', async () => {
    const thread = await start();
    expect(outputOf(await thread.run(1, 'state'))).toMatchObject({
      type: 'error',
      reason: 'AGENT_ERROR',
      message:
        'state key "when" is a Date (store value.toISOString() or value.getTime()), which is no JSON',
    });
    expect(outputOf(await thread.run(2, 'good'))).toBe('fine hi');
  });

  it("shows places in the author's files in stacks", async () => {
    const thread = await start();
    const failure = outputOf(await thread.run(1, 'fail')) as { stack: string };
    expect(failure.stack).toContain(`at Object.process (${join(folder, 'hostile.ts')}:12:45)`);
  });

  it('turns console and raw output into log lines', async () => {
    const thread = await start();
    await thread.run(1, 'speak');
    const lines = () =>
      thread.messages
        .filter((message): message is Of<'log'> => message.type === 'log')
        .map(({ session, level, message }) => [session, level, message]);
    while (lines().length < 3)
      await thread.of('log').then(() => new Promise((resolve) => setImmediate(resolve)));
    // Raw output comes by a stream of its own: before or after what was said to the console.
    const ofSessionFirst = lines().toSorted(([a], [b]) => Number(b) - Number(a));
    expect(ofSessionFirst).toEqual([
      [1, 'info', 'to the console { n: 1 }'],
      [1, 'warn', 'a warning'],
      [0, 'info', 'raw'],
    ]);
  });
});

describe('a module that cannot be used', () => {
  it.each([
    ['throws while it is imported', "throw new Error('no licence')", /^no licence$/],
    [
      'exports nothing',
      'export const guide = {}',
      /^the module has no default export: write export default \[guide\]/,
    ],
  ])('that %s', async (_what, source, message) => {
    const thread = new Thread(await moduleOf('broken.ts', source));
    expect((await thread.of('broken')).message).toMatch(message);
    expect(await thread.exited).toMatchObject({
      type: 'error',
      message: expect.stringMatching(message),
    });
  });

  it('that is not there', async () => {
    const thread = new Thread(join(folder, 'nothing.mjs'));
    expect((await thread.of('broken')).message).toContain('Cannot find module');
  });
});
