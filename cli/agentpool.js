#!/usr/bin/env node
/** The `bin`: plain JavaScript, so that any Node can start it; under one older than the product needs it runs itself again with the project's. */
import { spawn } from 'node:child_process';
import { createReadStream, existsSync } from 'node:fs';
import { constants } from 'node:os';
import { fileURLToPath } from 'node:url';

const NODE_MAJOR_MIN = 24;
/** File descriptor of a pipe to the older Node that started this one: when it closes, that process is gone and so must this one be. */
const TETHER_FD = 3;
const TETHER = 'AGENTPOOL_TETHER';

if (Number(process.versions.node.split('.')[0]) >= NODE_MAJOR_MIN) {
  if (process.env[TETHER] !== undefined) {
    delete process.env[TETHER];
    const tether = createReadStream('', { fd: TETHER_FD });
    tether.on('close', () => process.kill(process.pid, 'SIGTERM')).on('error', () => undefined);
    tether.resume();
  }
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
