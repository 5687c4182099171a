/**
 * A process that waits for the end of another and then takes away what was started for a folder: it holds one end of a pipe, and the
 * kernel closes the other however its owner dies. `node watchdog.ts FOLDER` is that process; the functions are its owner's side.
 */
import { spawn } from 'node:child_process';
import { Socket } from 'node:net';
import { fileURLToPath } from 'node:url';
import { takeAway } from './take-away.ts';

export interface Watchdog {
  /** The folder outlives its owner from now on. */
  dismiss(): void;
}

export function watch(folder: string): Watchdog {
  const child = spawn(process.execPath, [fileURLToPath(import.meta.url), folder], {
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

async function waitForOwner(folder: string): Promise<void> {
  process.on('SIGINT', () => undefined);
  for await (const chunk of process.stdin) if (String(chunk).includes('dismissed')) return;
  await takeAway(folder);
}

if (process.argv[1] === fileURLToPath(import.meta.url)) await waitForOwner(process.argv[2] ?? '');
