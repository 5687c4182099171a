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

/** A checkout has the sources; an installed package has what `prepack` built of them, as Node strips no types below node_modules. */
const built = new URL('../dist/package/cli/main.js', import.meta.url);
const isInstalled = !existsSync(new URL('main.ts', import.meta.url)) && existsSync(built);
/** The node_modules with its dependencies: in a checkout inside, installed the one that it lies in. */
const packages = new URL(isInstalled ? '../../' : '../node_modules/', import.meta.url);

if (Number(process.versions.node.split('.')[0]) >= NODE_MAJOR_MIN) {
  if (process.env[TETHER] !== undefined) {
    delete process.env[TETHER];
    const tether = new Socket({ fd: TETHER_FD, readable: true, writable: false });
    tether.on('close', () => process.kill(process.pid, 'SIGTERM')).on('error', () => undefined);
    // It alone must not keep a command alive that has nothing more to do.
    tether.resume().unref();
  }
  // Stripped and compiled code is kept: the second start needs half the time. A folder that cannot be written is no cache.
  module.enableCompileCache(fileURLToPath(new URL('.cache/agentpool/compiled', packages)));
  const { main } = await (isInstalled ? import(built.href) : import('./main.ts'));
  await main(process.argv.slice(2));
} else {
  runAgainWithOwnNode();
}

function runAgainWithOwnNode() {
  const own = fileURLToPath(new URL('.bin/node', packages));
  if (!existsSync(own)) {
    const advice = isInstalled
      ? `Install it, or let the project bring its own: "npm install node@${String(NODE_MAJOR_MIN)}".`
      : 'Run "npm ci" in the project (it brings the right one), or install it.';
    console.error(
      `agentpool: Node ${String(NODE_MAJOR_MIN)} or newer is needed, this is ${process.version}. ${advice}`,
    );
    process.exit(1);
  }
  const child = spawn(own, [fileURLToPath(import.meta.url), ...process.argv.slice(2)], {
    stdio: ['inherit', 'inherit', 'inherit', 'pipe'],
    env: { ...process.env, [TETHER]: '1' },
  });
  // What a terminal sends goes to both processes already, and a second one means "end at once".
  const isTold = process.stdin.isTTY ? ['SIGTERM'] : ['SIGINT', 'SIGTERM', 'SIGHUP'];
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'])
    process.on(signal, () => isTold.includes(signal) && child.kill(signal));
  child.on('exit', (code, signal) => process.exit(code ?? 128 + (constants.signals[signal] ?? 0)));
}
