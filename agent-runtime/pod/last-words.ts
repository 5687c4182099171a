/** What a container that cannot start leaves for its driver: one line of JSON where the kubelet looks for it. */
import { writeFileSync } from 'node:fs';
import type { StartupFailure } from '../start-runtime.ts';

/** The kubelet reads no more (terminationMessagePath). */
const BYTES_MAX = 4_096;

/** Never throws: the exit code says the least. */
export function leaveLastWords(file: string, failure: StartupFailure): void {
  try {
    writeFileSync(file, lastWords(failure));
  } catch {
    // A kubelet that gives no file gets none.
  }
}

/** Whole JSON at most `BYTES_MAX` long: the stack is cut first, then the message. */
export function lastWords({ reason, message, stack }: StartupFailure): string {
  const whole = JSON.stringify({ reason, message, ...(stack === undefined ? {} : { stack }) });
  if (Buffer.byteLength(whole) <= BYTES_MAX) return whole;
  for (const characters of [2_000, 1_000, 500, 200]) {
    const cut = JSON.stringify({
      reason,
      message: message.slice(0, characters),
      ...(stack === undefined ? {} : { stack: stack.slice(0, characters) }),
    });
    if (Buffer.byteLength(cut) <= BYTES_MAX) return cut;
  }
  return JSON.stringify({ reason, message: '' });
}
