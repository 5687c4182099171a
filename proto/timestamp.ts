/** google.protobuf.Timestamp ⇄ wall-clock milliseconds. */
import type { Timestamp } from './generated/messages.ts';

/** Milliseconds since the epoch; a fraction of a millisecond is kept to the microsecond. */
export function timestampOf(wallMs: number): Timestamp {
  const seconds = Math.floor(wallMs / 1000);
  return { seconds, nanos: Math.round((wallMs - seconds * 1000) * 1000) * 1000 };
}

export function wallMsOf(timestamp: Timestamp): number {
  return timestamp.seconds * 1000 + timestamp.nanos / 1_000_000;
}
