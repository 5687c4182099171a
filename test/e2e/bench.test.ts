import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it, jest } from '@jest/globals';
import { ProcessFamily } from './process-family.ts';
import { REPOSITORY } from './server.ts';
import { until } from './until.ts';

jest.setTimeout(120_000);

it('a benchmark that is stopped leaves no server and no folder', async () => {
  const temporary = mkdtempSync(join(tmpdir(), 'agentpool-test-'));
  const bench = spawn(process.execPath, ['bench/main.ts', '--smoke', 'idle'], {
    cwd: REPOSITORY,
    env: { ...process.env, TMPDIR: temporary },
    stdio: 'ignore',
    detached: true,
  });
  const exited = once(bench, 'exit');
  const family = new ProcessFamily(bench.pid ?? -1);
  try {
    // The server and a runtime.
    await until('it serves', () => family.look().length >= 2, 60_000);
    expect(readdirSync(temporary)).not.toEqual([]);
    bench.kill('SIGTERM');
    expect(await exited).toEqual([143, null]);
    await until('all has ended', () => family.look().length === 0, 10_000);
    expect(readdirSync(temporary)).toEqual([]);
  } finally {
    for (const { pid } of family.look()) process.kill(pid, 'SIGKILL');
    rmSync(temporary, { recursive: true, force: true });
  }
});
