#!/usr/bin/env node
/** The `bin`: plain JavaScript, so that any Node can start it; under one older than the product needs it runs itself again with the project's. */
import { spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import module from 'node:module';
import { Socket } from 'node:net';
import { constants } from 'node:os';
import { fileURLToPath } from 'node:url';

const NODE_MAJOR_MIN = 24;
/** File descriptor of a pipe to the older Node that started this one: when it closes, that process is gone and so must this one be. */
const TETHER_FD = 3;
const TETHER = 'AGENTPOOL_TETHER';

if (Number(process.versions.node.split('.')[0]) >= NODE_MAJOR_MIN) {
  if (process.env[TETHER] !== undefined) {
    delete process.env[TETHER];
    const tether = new Socket({ fd: TETHER_FD, readable: true, writable: false });
    tether.on('close', () => process.kill(process.pid, 'SIGTERM')).on('error', () => undefined);
    // It alone must not keep a command alive that has nothing more to do.
    tether.resume().unref();
  }
  // Stripped and compiled code is kept: the second start needs half the time. A folder that cannot be written is no cache.
  module.enableCompileCache(
    fileURLToPath(new URL('../node_modules/.cache/agentpool/compiled', import.meta.url)),
  );
  const { main } = await import('./main.ts');
  await main(process.argv.slice(2));
} else {
  runAgainWithOwnNode();
}

function runAgainWithOwnNode() {
  const own = fileURLToPath(new URL('../node_modules/.bin/node', import.meta.url));
  if (!existsSync(own)) {
    console.error(
      `agentpool: Node ${String(NODE_MAJOR_MIN)} or newer is needed, this is ${process.version}. Run "npm ci" in the project (it brings the right one), or install it.`,
    );
    process.exit(1);
  }
  const child = spawn(own, [fileURLToPath(import.meta.url), ...process.argv.slice(2)], {
    stdio: ['inherit', 'inherit', 'inherit', 'pipe'],
    env: { ...process.env, [TETHER]: '1' },
  });
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'])
    process.on(signal, () => child.kill(signal));
  child.on('exit', (code, signal) => process.exit(code ?? 128 + (constants.signals[signal] ?? 0)));
}
