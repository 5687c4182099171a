/** Bounds how long a large answer waits for a client that hardly reads: its bytes would be held for as long as that client likes. */
import type { ServerResponse } from 'node:http';
import type { Clock } from '../../../../platform/clock.ts';
import { sendingMsMax } from '../../sending-time.ts';

/** Less than this leaves at once, or nearly so, into the buffers of the socket. */
export const LARGE_ANSWER_BYTES = 64 * 1024;

/** From now on the client has 30 s and what the bytes take at 64 KiB a second; then the connection is cut. */
export function sendInTime(response: ServerResponse, bytes: number, clock: Clock): void {
  if (bytes < LARGE_ANSWER_BYTES) return;
  const cut = clock.after(sendingMsMax(bytes), () => {
    response.destroy();
  });
  response.once('close', () => {
    cut.cancel();
  });
}
