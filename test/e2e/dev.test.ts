import { afterEach, beforeEach, expect, it, jest } from '@jest/globals';
import { execute } from './http-calls.ts';
import { destroyAll, runAgentpool, startDev } from './server.ts';
import { until } from './until.ts';
import { createWorkspace, type Workspace } from './workspace.ts';

jest.setTimeout(120_000);

let place: Workspace;
const agent = (step: number): string => `export default {
  name: 'greeter',
  async process(task: { input: string }, context: { state: { update(key: string, change: (n?: number) => number): Promise<number> } }) {
    if (task.input === 'fail') throw new Error('no luck');
    const visits = await context.state.update('visits', (n = 0) => n + ${step});
    return [process.env['GREETING'], task.input, visits].join(' ');
  },
};
`;

beforeEach(() => {
  place = createWorkspace();
});
afterEach(async () => {
  await destroyAll();
  place.remove();
});

it('serves a module without a manifest: .env, state kept over reloads, errors with their stack, the last good one goes on', async () => {
  place.write('.env', 'GREETING=Hello\n');
  const module = place.write('greeter.ts', agent(1));
  const server = await startDev(module, place.data, { args: ['--watch'] });
  expect(server.stdout()).toContain('default/greeter  agents: greeter');
  const ask = async (): Promise<unknown> => (await execute(server, { input: 'Ada' })).output;
  expect(await ask()).toBe('Hello Ada 1');
  await expect(execute(server, { input: 'fail' })).rejects.toThrow('no luck');
  await until('the failure is told with its stack', () =>
    /greeter failed: Error: no luck\n +at .*greeter\.ts:4/.test(server.stderr()),
  );

  place.write('greeter.ts', agent(100));
  await until(
    'the change serves',
    async () => Number(String(await ask()).split(' ')[2]) >= 100,
    30_000,
  );

  place.write(
    'greeter.ts',
    'function load() {\n  throw new Error("no key");\n}\nload();\nexport default {};\n',
  );
  await until(
    'the error is told with its stack',
    () => /no key[\s\S]*at load .*greeter\.ts:2/.test(server.stderr()),
    20_000,
  );
  expect(await ask()).toMatch(/^Hello Ada \d{3}$/);
  await server.stop();
});

it('a module that does not load: its error with the stack, exit code 1', async () => {
  const module = place.write(
    'broken.ts',
    'function load() {\n  throw new Error("no key");\n}\nload();\nexport default {};\n',
  );
  const ended = await runAgentpool(
    ['dev', module, '--data', place.data, '--http', '0', '--grpc', '0'],
    { withinMs: 60_000 },
  );
  expect(ended).toMatchObject({ code: 1, stdout: '' });
  expect(ended.stderr).toMatch(/no key[\s\S]*at load .*broken\.ts:2/);
});
