import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it, jest } from '@jest/globals';
import { REPOSITORY } from './server.ts';

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

describe('the package, installed into another folder', () => {
  let folder: string;
  const packages = join(REPOSITORY, 'node_modules');
  const run = (command: string, args: readonly string[], cwd = folder): string =>
    execFileSync(command, args, { cwd, encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'] });

  beforeAll(() => {
    folder = mkdtempSync(join(tmpdir(), 'agentpool-package-'));
    const { dependencies } = JSON.parse(readFileSync(join(REPOSITORY, 'package.json'), 'utf8')) as {
      dependencies: Record<string, string>;
    };
    for (const name of [...Object.keys(dependencies), '@types/node', 'undici-types']) {
      const link = join(folder, 'node_modules', name);
      mkdirSync(dirname(link), { recursive: true });
      symlinkSync(join(packages, name), link);
    }
    const place = join(folder, 'node_modules/agentpool');
    mkdirSync(place);
    run('npm', ['pack', '--silent', '--pack-destination', folder], REPOSITORY);
    const { version } = JSON.parse(readFileSync(join(REPOSITORY, 'package.json'), 'utf8')) as {
      version: string;
    };
    run('tar', ['xzf', `agentpool-${version}.tgz`, '-C', place, '--strip-components', '1']);
    writeFileSync(join(folder, 'package.json'), '{"type": "module"}');
  });
  afterAll(() => {
    rmSync(folder, { recursive: true, force: true });
  });

  it('is plain JavaScript to Node', () => {
    writeFileSync(join(folder, 'use.js'), AGENT_AND_USE);
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
      writeFileSync(join(folder, 'use.ts'), text);
      writeFileSync(
        join(folder, 'tsconfig.json'),
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
});
