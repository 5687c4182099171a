import { execFileSync } from 'node:child_process';
import {
  cpSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  renameSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it, jest } from '@jest/globals';
import { execute } from './http-calls.ts';
import { destroyAll, REPOSITORY, runAgentpool, startStandalone } from './server.ts';

/** Packing makes declarations, on a machine that may be busy. */
jest.setTimeout(180_000);

const AGENT_AND_USE = `
import { defineAgent } from 'agentpool';
import { testAgent } from 'agentpool/testing';

const counter = defineAgent({
  name: 'counter',
  process: async (_task, context) => ({ count: await context.state.update('count', (n = 0) => n + 1) }),
});
const tester = await testAgent(counter);
await tester.run(null);
console.log(JSON.stringify((await tester.run(null)).output));
await tester.close();
`;

interface Manifest {
  readonly version: string;
  readonly dependencies: Readonly<Record<string, string>>;
}

describe('the package, installed into another folder', () => {
  let folder: string;
  const packages = join(REPOSITORY, 'node_modules');
  const { version, dependencies } = JSON.parse(
    readFileSync(join(REPOSITORY, 'package.json'), 'utf8'),
  ) as Manifest;
  const run = (command: string, args: readonly string[], cwd = folder): string =>
    execFileSync(command, args, { cwd, encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'] });
  const inFolder = (...path: readonly string[]): string => join(folder, ...path);
  /** As npm links it. */
  const bin = (): string => inFolder('node_modules/.bin/agentpool');

  beforeAll(() => {
    folder = mkdtempSync(join(tmpdir(), 'agentpool-package-'));
    // What npm would install, of the versions that are here, without asking a registry: its dependencies and nothing else.
    for (const name of [...Object.keys(dependencies), '@types/node', 'undici-types']) {
      const link = inFolder('node_modules', name);
      mkdirSync(dirname(link), { recursive: true });
      symlinkSync(join(packages, name), link);
    }
    const place = inFolder('node_modules/agentpool');
    mkdirSync(place);
    run('npm', ['pack', '--silent', '--pack-destination', folder], REPOSITORY);
    run('tar', ['xzf', `agentpool-${version}.tgz`, '-C', place, '--strip-components', '1']);
    mkdirSync(dirname(bin()));
    symlinkSync('../agentpool/cli/agentpool.js', bin());
    writeFileSync(inFolder('package.json'), '{"type": "module"}');
  });
  afterAll(destroyAll);
  afterAll(() => {
    rmSync(folder, { recursive: true, force: true });
  });

  it('is plain JavaScript to Node', () => {
    writeFileSync(inFolder('use.js'), AGENT_AND_USE);
    expect(run(process.execPath, ['use.js'])).toBe('{"count":2}\n');
  });

  it('has types: what is right compiles, and what is wrong does not', () => {
    const compilerOptions = {
      module: 'nodenext',
      target: 'es2024',
      strict: true,
      noEmit: true,
      skipLibCheck: false,
      types: ['node'],
    };
    const check = (text: string): string => {
      writeFileSync(inFolder('use.ts'), text);
      writeFileSync(
        inFolder('tsconfig.json'),
        JSON.stringify({ compilerOptions, files: ['use.ts'] }),
      );
      try {
        return run(process.execPath, [join(packages, 'typescript/bin/tsc'), '-p', folder]);
      } catch (error) {
        return (error as { stdout: string }).stdout;
      }
    };
    expect(check(AGENT_AND_USE)).toBe('');
    expect(check(AGENT_AND_USE.replace("name: 'counter'", 'name: 7'))).toMatch(
      /use\.ts\(\d+,\d+\): error TS\d+: .*number.*string/,
    );
  });

  it('is a command', async () => {
    const asked = { bin: bin(), cwd: folder };
    expect(await runAgentpool(['--version'], asked)).toMatchObject({
      code: 0,
      stdout: `${version}\n`,
      stderr: '',
    });
  });

  it('serves the example in all tiers, with its page of documentation', async () => {
    cpSync(inFolder('node_modules/agentpool/examples/getting-started'), inFolder('pool'), {
      recursive: true,
    });
    const server = await startStandalone(
      { manifests: [inFolder('pool/pool.yaml')], data: inFolder('data') },
      { bin: bin(), cwd: folder },
    );
    for (const project of ['support', 'website', 'archive'])
      for (const count of [1, 2])
        expect(await execute(server, { project, agent: 'counter', input: null })).toMatchObject({
          output: { count },
        });
    expect((await fetch(`${server.http}/docs`)).status).toBe(200);
    expect(await server.stop()).toEqual({ code: 0, signal: null });
    expect(server.stderr()).toBe('');
  });

  it('says which package is missing where npm did not install it, as in an image', async () => {
    renameSync(inFolder('node_modules/lmdb'), inFolder('lmdb'));
    const args = ['standalone', '-f', inFolder('pool/pool.yaml'), '--data', inFolder('data')];
    const ended = await runAgentpool(args, { bin: bin(), cwd: folder });
    renameSync(inFolder('lmdb'), inFolder('node_modules/lmdb'));
    expect(ended).toMatchObject({
      code: 1,
      stdout: '',
      stderr: expect.stringMatching(
        /^agentpool: the npm package lmdb \(the embedded store\) is not installed here; .*\n.*docs\/install\.md.*\n$/,
      ),
    });
  });
});
