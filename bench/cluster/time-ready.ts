/** Starts a process and looks at its /readyz until that says yes: from exec on. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { request } from 'node:http';

const LOOK_EVERY_MS = 3;
const GIVE_UP_MS = 30_000;
const END_WITHIN_MS = 5_000;

export interface Started {
  readonly readyMs: number;
  readonly child: ChildProcess;
  stop(): Promise<void>;
}

/** @param port where it will answer over HTTP on loopback. */
export async function timeReady(
  [command = '', ...args]: readonly string[],
  port: number,
  env: NodeJS.ProcessEnv = process.env,
): Promise<Started> {
  const startedMs = performance.now();
  const child = spawn(command, args, { env, stdio: ['ignore', 'ignore', 'pipe'] });
  let log = '';
  child.stderr.on('data', (chunk: Buffer) => (log += chunk.toString()));
  const stop = async (): Promise<void> => {
    if (child.exitCode !== null || child.signalCode !== null) return;
    child.kill('SIGTERM');
    const late = setTimeout(() => {
      console.error(`it did not end by SIGTERM: ${log}`);
      child.kill('SIGKILL');
    }, END_WITHIN_MS);
    await once(child, 'exit');
    clearTimeout(late);
  };
  while (!(await isReady(port))) {
    if (child.exitCode !== null) throw new Error(`it ended: ${log}`);
    if (performance.now() - startedMs > GIVE_UP_MS) {
      await stop();
      throw new Error(`it did not become ready: ${log}`);
    }
    await new Promise((resolve) => setTimeout(resolve, LOOK_EVERY_MS));
  }
  return { readyMs: performance.now() - startedMs, child, stop };
}

function isReady(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const asked = request({ host: '127.0.0.1', port, path: '/readyz' }, (response) => {
      response.resume();
      resolve(response.statusCode === 200);
    });
    asked.on('error', () => resolve(false)).end();
  });
}
