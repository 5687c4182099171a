/**
 * Has a process wait for the end of this one and then take away what was started for a folder: it holds one end of a pipe, and the
 * kernel closes the other however its owner dies.
 */
import { spawn } from 'node:child_process';
import { Socket } from 'node:net';
import { fileURLToPath } from 'node:url';

const PROGRAM = fileURLToPath(new URL('watchdog-process.ts', import.meta.url));

export interface Watchdog {
  /** The folder outlives its owner from now on. */
  dismiss(): void;
}

export function watch(folder: string): Watchdog {
  const child = spawn(process.execPath, [PROGRAM, folder], {
    detached: true,
    stdio: ['pipe', 'ignore', 'inherit'],
  });
  child.unref();
  if (child.stdin instanceof Socket) child.stdin.unref();
  child.stdin.on('error', () => undefined);
  return {
    dismiss: () => {
      child.stdin.write('dismissed\n');
    },
  };
}
