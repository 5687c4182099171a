import { afterEach, beforeEach, describe, expect, it, jest } from '@jest/globals';
import { execute } from './http-calls.ts';
import { destroyAll, type Server, startGateway, startStandalone } from './server.ts';
import { until } from './until.ts';
import { AGENTS, createWorkspace, poolManifest, type Workspace } from './workspace.ts';

/** Several starts each, on a machine that may be busy. */
jest.setTimeout(120_000);

let place: Workspace;

beforeEach(() => {
  place = createWorkspace();
  place.write('agents.ts', AGENTS);
  place.write('pool.yaml', poolManifest());
});

afterEach(async () => {
  await destroyAll();
  place.remove();
});

const start = (): Promise<Server> =>
  startStandalone({ manifests: [place.path('pool.yaml')], data: place.data });
const count = async (server: Server, project = 'docs'): Promise<number> => {
  const { output } = await execute(server, { project, agent: 'counter', input: null });
  return (output as { count: number }).count;
};
const ORPHAN_GONE_MS = 5_000;

describe('state', () => {
  it('survives kill -9 of a runtime: the project goes on elsewhere, nothing acknowledged is lost', async () => {
    const server = await start();
    expect(await count(server)).toBe(1);
    for (const { pid } of server.children()) process.kill(pid, 'SIGKILL');
    expect(await until('the project is served again', () => count(server), 30_000)).toBe(2);
    await server.stop();
  });

  it('survives kill -9 of everything', async () => {
    const server = await start();
    for (let i = 1; i <= 3; i += 1) expect(await count(server)).toBe(i);
    await server.destroy();
    const again = await start();
    expect(await count(again)).toBe(4);
    await again.stop();
  });
});

describe('kill -9 of the parent leaves no orphan', () => {
  it('while children are idle: they end at once', async () => {
    const server = await start();
    await count(server);
    await server.kill();
    await until('the children are gone', () => server.children().length === 0, ORPHAN_GONE_MS);
  });

  it('while an agent is in an endless loop: they end at once', async () => {
    const server = await start();
    const busy = execute(server, { agent: 'busy', input: null }).catch(() => undefined);
    expect(await count(server, 'other')).toBe(1);
    await server.kill();
    await until('the children are gone', () => server.children().length === 0, ORPHAN_GONE_MS);
    await busy;
  });

  it('while they are stopped: the next start ends them, and serves all that was acknowledged', async () => {
    const server = await start();
    expect(await count(server)).toBe(1);
    const frozen = server.children();
    for (const { pid } of frozen) process.kill(pid, 'SIGSTOP');
    await server.kill();
    const again = await start();
    expect(server.children()).toEqual([]);
    expect(await count(again)).toBe(2);
    await again.stop();
  });
});

describe('two gateway processes on one data folder', () => {
  it('agree on one owner of a project, and run each request_id once', async () => {
    const server = await start();
    const second = await startGateway(place.data);
    const tasks = Array.from({ length: 20 }, (_, i) =>
      execute(i % 2 === 0 ? server : second, {
        agent: 'counter',
        request_id: `r-${Math.floor(i / 2)}`,
        input: null,
      }),
    );
    const answers = await Promise.all(tasks);
    const counts = answers.map(({ output }) => (output as { count: number }).count);
    expect(new Set(answers.map(({ instance_id }) => instance_id)).size).toBe(1);
    expect([...new Set(counts)].sort((a, b) => a - b)).toEqual([1, 2, 3, 4, 5, 6, 7, 8, 9, 10]);
    for (let i = 0; i < counts.length; i += 2) expect(counts[i + 1]).toBe(counts[i]);
    await second.stop();
    expect(await count(server)).toBe(11);
    await server.stop();
  });

  it('a gateway without a running server says so', async () => {
    await expect(startGateway(place.data)).rejects.toThrow(/no server runs|agentpool standalone/);
  });
});
