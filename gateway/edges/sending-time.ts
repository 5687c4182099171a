/** How long an answer may wait for a client that hardly reads; then its connection or stream is cut. One rule for every edge. */

const GRACE_MS = 30_000;
const BYTES_PER_SECOND_MIN = 64 * 1024;

/** 30 s, and what the bytes take at 64 KiB a second. */
export function sendingMsMax(bytes: number): number {
  return GRACE_MS + (bytes / BYTES_PER_SECOND_MIN) * 1_000;
}
