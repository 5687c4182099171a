/** A port behind which nothing answers, as of a machine that is gone: attempts to connect neither succeed nor fail. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { until } from './until.ts';

const LISTEN = `require('node:net').createServer().listen({ port: 0, host: '127.0.0.1', backlog: 1 }, function () {
  console.log(this.address().port);
});`;
/** More than fit into its queue. */
const ATTEMPTS = 8;
const SURE_MS = 300;

export interface SilentPort {
  readonly port: number;
  close(): void;
}

/** A frozen process listens, and the kernel's queue for it is full: more attempts are dropped. */
export async function silentPort(): Promise<SilentPort> {
  const child = spawn(process.execPath, ['-e', LISTEN], { stdio: ['ignore', 'pipe', 'inherit'] });
  const [chunk] = (await once(child.stdout, 'data')) as [Buffer];
  const port = Number(chunk.toString());
  child.kill('SIGSTOP');
  const sockets: Socket[] = [];
  const attempt = (): void => {
    const socket = connect(port, '127.0.0.1').on('error', () => undefined);
    sockets.push(socket);
  };
  for (let attempts = 0; attempts < ATTEMPTS; attempts += 1) attempt();
  const fullSinceMs = performance.now();
  await until('attempts are dropped', () => {
    const waiting = sockets.filter(({ connecting }) => connecting).length;
    return waiting > 0 && performance.now() - fullSinceMs > SURE_MS;
  });
  return {
    port,
    close() {
      for (const socket of sockets) socket.destroy();
      child.kill('SIGKILL');
    },
  };
}
