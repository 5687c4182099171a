/** The runtime as a real process: ready, serving over gRPC, draining, ending with its parent, and saying why it cannot start. */
import { afterEach, describe, expect, it } from '@jest/globals';
import { RuntimeUnderTest, PROJECT, type RuntimeOptions } from './runtime-under-test.ts';
import { until } from './until.ts';

const AGENTS = `export default {
  name: 'counter',
  async *process(task, context) {
    if (task.input === 'spin') for (;;);
    if (task.input === 'exit') process.exit(7);
    if (task.input === 'env') return JSON.stringify(process.env);
    if (task.input === 'wait') await new Promise((resolve) => setTimeout(resolve, 500));
    if (task.input === 'grow') { const kept = []; for (;;) kept.push(new Array(10_000).fill(Math.random())); }
    if (task.input === 'chunks') for (let at = 0; at < 1000; at += 1) yield String(at);
    return String(await context.state.update('count', (n = 0) => n + 1));
  },
};`;

let runtime: RuntimeUnderTest | undefined;

async function start(options: Partial<RuntimeOptions> = {}): Promise<RuntimeUnderTest> {
  runtime = await RuntimeUnderTest.start({ agents: AGENTS, ...options });
  return runtime;
}

afterEach(async () => {
  await runtime?.close();
  runtime = undefined;
});

describe('a runtime process', () => {
  it('serves tasks, keeps state, and replays what it has answered', async () => {
    const world = await start();
    await world.ready();
    expect((await world.run('q1', 'x')).text).toBe('1');
    expect((await world.run('q2', 'x')).text).toBe('2');
    expect(await world.run('q1', 'x')).toMatchObject({ text: '1', header: { replayed: true } });
    expect(await world.run('q3', 'chunks')).toMatchObject({ text: '3', chunks: 1000 });
    expect(await world.store.readProject(PROJECT)).toMatchObject({ seq: 3 });
  });

  it('gives workers the environment of the manifest and nothing else', async () => {
    const world = await start({ spec: { runtime: { env: [{ name: 'GREETING', value: 'hi' }] } } });
    await world.ready();
    expect(JSON.parse((await world.run('q1', 'env')).text)).toEqual({ GREETING: 'hi' });
  });

  it.each([
    { input: 'exit', reason: 'AGENT_EXITED' },
    { input: 'grow', reason: 'MEMORY_LIMIT' },
  ])('outlives an agent that does "$input"', async ({ input, reason }) => {
    const world = await start({ spec: { tiers: { warm: { quota: { memoryMb: 128 } } } } });
    await world.ready();
    const other = `${PROJECT}-other`;
    await world.run('q0', 'x', { project: other });
    expect(await world.run('q1', input)).toMatchObject({ type: 'failed', error: { reason } });
    expect((await world.run('q2', 'x')).text).toBe('1');
    expect((await world.run('q3', 'x', { project: other })).text).toBe('2');
  });

  it('ends an endless loop with its deadline, and only that project notices', async () => {
    const world = await start({ spec: { limits: { cancelGraceSeconds: 1 } } });
    await world.ready();
    const spinning = world.begin('q1', 'spin', { remainingMs: 500 });
    expect((await world.run('q2', 'x', { project: `${PROJECT}-other` })).text).toBe('1');
    expect(await spinning.done).toMatchObject({ type: 'failed', error: { reason: 'DEADLINE' } });
    expect((await world.run('q3', 'x')).text).toBe('1');
  });

  it('serves the one project that it is bound to', async () => {
    const world = await start({ role: 'dedicated', spec: { tiers: { default: 'HOT' } } });
    await world.ready();
    await world.bind(PROJECT);
    await until('bound and ready', async () => {
      const [record] = await world.store.listRuntimes();
      return record?.bound === PROJECT && record.ready;
    });
    expect(await world.run('q1', 'x')).toMatchObject({ text: '1', header: { tier: 'HOT' } });
    expect(await world.run('q2', 'x', { project: `${PROJECT}-other` })).toMatchObject({
      type: 'elsewhere',
    });
  });

  it('drains on SIGTERM and exits with 0', async () => {
    const world = await start();
    await world.ready();
    const running = world.begin('q1', 'wait');
    await until('it runs', () => running.events.includes('started'));
    world.signal('SIGTERM');
    expect(await running.done).toMatchObject({ type: 'finished' });
    expect(await world.exit()).toEqual({ code: 0, signal: null });
    expect(await world.store.listRuntimes()).toEqual([]);
    expect((await world.store.readProject(PROJECT))?.owner).toBeUndefined();
  });

  it('ends with its parent, also in a busy loop', async () => {
    const world = await start({ spec: { runtime: { isolation: 'Shared' } } });
    await world.ready();
    world.begin('q1', 'spin');
    world.closeStdin();
    expect(await world.exit()).toMatchObject({ signal: 'SIGKILL' });
  });

  it('ends with its parent after it was frozen', async () => {
    const world = await start();
    await world.ready();
    world.signal('SIGSTOP');
    world.closeStdin();
    world.signal('SIGCONT');
    expect(await world.exit()).toMatchObject({ signal: 'SIGKILL' });
  });

  it.each([
    { what: 'throws', agents: 'throw new Error("no good");', message: /no good/ },
    { what: 'exports no agent', agents: 'export default 7;', message: /agent/ },
    { what: 'ends its process', agents: 'process.exit(1); export default {};', message: /exit/ },
  ])(
    'says what is wrong with a module that $what and exits with 3',
    async ({ agents, message }) => {
      const world = await start({ agents });
      expect(await world.exit()).toEqual({ code: 3, signal: null });
      const said = JSON.parse(world.stdout) as { reason: string; message: string };
      expect(said.reason).toBe('AgentModuleInvalid');
      expect(said.message).toMatch(message);
    },
  );
});
