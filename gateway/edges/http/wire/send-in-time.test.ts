import { once } from 'node:events';
import { createServer, type Server, type ServerResponse } from 'node:http';
import { type AddressInfo, connect, type Socket } from 'node:net';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { FakeClock } from '../../../../test/fakes/fake-clock.ts';
import { LARGE_ANSWER_BYTES, sendInTime } from './send-in-time.ts';

/** More than the buffers of two sockets take. */
const HUGE_BYTES = 32 * 1024 * 1024;
const HUGE_MS = 30_000 + (HUGE_BYTES / 65_536) * 1_000;

let clock: FakeClock;
let server: Server;

beforeEach(async () => {
  clock = new FakeClock();
  server = createServer();
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
});
afterEach(() => {
  server.closeAllConnections();
  server.close();
});

async function answer(bytes: number): Promise<{ response: ServerResponse; socket: Socket }> {
  const socket = connect((server.address() as AddressInfo).port, '127.0.0.1');
  socket.on('error', () => undefined);
  socket.pause();
  socket.write('GET / HTTP/1.1\r\nhost: localhost\r\n\r\n');
  const [, response] = (await once(server, 'request')) as [unknown, ServerResponse];
  sendInTime(response, bytes, clock);
  response.end(Buffer.alloc(bytes));
  return { response, socket };
}

describe('an answer', () => {
  it('that is small costs no timer', async () => {
    const { socket } = await answer(LARGE_ANSWER_BYTES - 1);
    expect(clock.pendingTimers).toBe(0);
    socket.destroy();
  });

  it('that is large and read leaves no timer', async () => {
    const { response, socket } = await answer(HUGE_BYTES);
    expect(clock.pendingTimers).toBe(1);
    const closed = once(response, 'close');
    socket.resume();
    await closed;
    expect([response.writableFinished, clock.pendingTimers]).toEqual([true, 0]);
    socket.destroy();
  });

  it('that nobody reads ends with its connection, by its size', async () => {
    const { response, socket } = await answer(HUGE_BYTES);
    await clock.advance(HUGE_MS - 1);
    expect(response.destroyed).toBe(false);
    const closed = once(response, 'close');
    await clock.advance(1);
    await closed;
    expect(response.writableFinished).toBe(false);
    socket.destroy();
  });
});
