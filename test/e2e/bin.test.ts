import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { expect, it } from '@jest/globals';
import { BIN } from './server.ts';

/** How an older Node starts the right one: a pipe as fourth file tells when it is gone. */
function startTethered(args: readonly string[]) {
  const env = { ...process.env, AGENTPOOL_TETHER: '1' };
  return spawn(process.execPath, [BIN, ...args], { env, stdio: ['pipe', 'pipe', 'pipe', 'pipe'] });
}

it('started by an older Node, a command ends by itself when it has nothing more to do', async () => {
  const child = startTethered(['version']);
  expect(await once(child, 'exit')).toEqual([0, null]);
});

it('started by an older Node that is killed, a command ends too', async () => {
  const child = startTethered(['chat', '-t', 'acme', '-P', 'docs']);
  const exited = once(child, 'exit');
  // It waits for a line on standard input.
  child.stdio[3]?.destroy();
  const [code, signal] = (await exited) as [number | null, string | null];
  expect(code === 0 ? signal : 'ended').toBe('ended');
});
