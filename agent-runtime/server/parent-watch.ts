/**
 * Ends this process with whoever started it: the launch line is read from standard input, which then is handed to a thread that
 * waits for its end. A thread of its own, so that neither a busy loop nor having been frozen keeps an orphan alive.
 */
import { readSync } from 'node:fs';
import { Worker } from 'node:worker_threads';

const STDIN = 0;

/** Plain text: as a file of its own it would be one more bundle. Its own event loop sees the end whatever the main thread does. */
const WATCHER = `
const { Socket } = require('node:net');
const end = () => {
  // The group first: what agents started ends too. Without a group of its own, the process alone.
  try { process.kill(-process.pid, 'SIGKILL'); } catch { process.kill(process.pid, 'SIGKILL'); }
};
const parent = new Socket({ fd: ${STDIN}, readable: true, writable: false });
parent.on('close', end).on('error', end).on('end', end).resume();
`;

/** A few kilobytes of script need no more. */
const WATCHER_HEAP = { maxOldGenerationSizeMb: 8, maxYoungGenerationSizeMb: 2, stackSizeMb: 1 };

/** Blocks until the first line is there; throws when it does not come or is longer than `bytesMax`. */
export function readFirstLine(bytesMax: number): string {
  const buffer = Buffer.alloc(bytesMax);
  let length = 0;
  while (length < bytesMax) {
    const read = readSync(STDIN, buffer, length, bytesMax - length, null);
    if (read === 0) break;
    length += read;
    const end = buffer.indexOf('\n');
    if (end >= 0 && end < length) return buffer.toString('utf8', 0, end);
  }
  throw new Error(
    'no line of configuration on standard input: a runtime is started by agentpool, not by hand',
  );
}

/** From here on the end of standard input is the end of this process. */
export function dieWithParent(): void {
  new Worker(WATCHER, {
    eval: true,
    name: 'parent-watch',
    env: {},
    resourceLimits: WATCHER_HEAP,
  }).unref();
}
