/** Clients that can do what no decent one does: vanish with their socket, or read a byte a second. */
import {
  type ClientHttp2Session,
  type ClientHttp2Stream,
  connect as connectHttp2,
} from 'node:http2';
import { connect, type Socket } from 'node:net';
import { framed, type Message } from './grpc-calls.ts';

export interface RawClient {
  /** Bytes that came. */
  readonly received: number;
  /** The other side has ended the call or the connection. */
  readonly isOver: boolean;
  /** Gone without a word. */
  vanish(): void;
}

export interface RawOptions {
  /** Bytes that may come before they are read; gRPC only. */
  readonly windowBytes?: number;
  /** Reads so many bytes, then none for a second; left out: as they come. */
  readonly bytesPerSecond?: number;
  /** Of the call; gRPC only. Left out: none. */
  readonly deadlineMs?: number;
}

const SECOND_MS = 1_000;

/** A call over an HTTP/2 connection of its own, left open for more messages. */
export function callGrpc(
  address: string,
  method: string,
  messages: readonly Message[],
  { windowBytes = 65_535, bytesPerSecond, deadlineMs }: RawOptions = {},
): RawClient {
  const session = connectHttp2(`http://${address}`, {
    settings: { initialWindowSize: windowBytes },
  });
  session.on('error', () => undefined);
  const stream = session.request({
    ':method': 'POST',
    ':path': `/agentpool.v1.AgentPoolService/${method}`,
    'content-type': 'application/grpc',
    te: 'trailers',
    ...(deadlineMs === undefined ? {} : { 'grpc-timeout': `${deadlineMs}m` }),
  });
  for (const message of messages) stream.write(framed(method, message));
  if (method !== 'Connect') stream.end();
  return new Reader(stream, () => end(session), bytesPerSecond);
}

/** A POST on a connection of its own. */
export function postHttp(
  url: string,
  body: object,
  { bytesPerSecond, accept = '*/*' }: RawOptions & { readonly accept?: string } = {},
): RawClient {
  const { hostname, port } = new URL(url);
  const socket = connect(Number(port), hostname);
  const text = JSON.stringify(body);
  socket.write(
    `POST /api/v1/execute HTTP/1.1\r\nhost: localhost\r\naccept: ${accept}\r\ncontent-type: application/json\r\ncontent-length: ${Buffer.byteLength(text)}\r\n\r\n${text}`,
  );
  return new Reader(socket, () => socket.destroy(), bytesPerSecond);
}

function end(session: ClientHttp2Session): void {
  session.socket.destroy();
  session.destroy();
}

class Reader implements RawClient {
  received = 0;
  isOver = false;
  readonly #end: () => void;
  #timer: NodeJS.Timeout | undefined;

  constructor(stream: Socket | ClientHttp2Stream, end: () => void, bytesPerSecond?: number) {
    this.#end = end;
    stream.on('error', () => undefined);
    stream.once('close', () => {
      this.isOver = true;
      clearInterval(this.#timer);
    });
    if (bytesPerSecond === undefined)
      stream.on('data', (bytes: Buffer) => {
        this.received += bytes.length;
      });
    else
      this.#timer = setInterval(() => {
        const bytes = stream.read(bytesPerSecond) as Buffer | null;
        this.received += bytes?.length ?? 0;
      }, SECOND_MS);
  }

  vanish(): void {
    clearInterval(this.#timer);
    this.#end();
  }
}
