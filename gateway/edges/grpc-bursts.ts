/** Lets a grpc-js stream write what has gathered without waiting for the transport between messages: one write of the socket instead of one each. */
import type { Writable } from 'node:stream';

interface Entry {
  readonly chunk: unknown;
  readonly encoding: BufferEncoding;
}

/**
 * grpc-js gives its streams a `_write` only, so Node writes one message, waits until the socket has it, writes the next. Each message is
 * serialised and handed to HTTP/2 before `_write` returns, so the order stays; nothing is written more or earlier than asked for.
 */
export function writeInBursts(stream: Writable): void {
  stream._writev = (entries: readonly Entry[], done) => {
    let left = entries.length;
    let failure: Error | null | undefined;
    for (const { chunk, encoding } of entries)
      stream._write(chunk, encoding, (error) => {
        failure ??= error;
        left -= 1;
        if (left === 0) done(failure);
      });
  };
}
