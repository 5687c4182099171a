/** What comes back of a request to the API server: as a whole, or piece by piece. Knows no Kubernetes objects. */
import type { IncomingMessage } from 'node:http';
import { KubeError } from './kube-error.ts';

export interface HttpAnswer {
  readonly status: number;
  readonly retryAfter: string | undefined;
  readonly body: string;
}

const ANSWER_BYTES_MAX = 256 * 1024 * 1024;

export function isSuccess(status: number): boolean {
  return status >= 200 && status < 300;
}

/** @param isUnread leaves the body of a success empty. By events: an iteration over the body costs a third of the call. */
export function readAnswer(response: IncomingMessage, isUnread = false): Promise<HttpAnswer> {
  const status = response.statusCode ?? 0;
  const chunks: Buffer[] = [];
  let bytes = 0;
  const keep = (chunk: Buffer): void => {
    bytes += chunk.length;
    if (bytes <= ANSWER_BYTES_MAX) chunks.push(chunk);
    else response.destroy(new Error(`the answer is larger than ${ANSWER_BYTES_MAX} bytes`));
  };
  return new Promise((resolve, reject) => {
    if (isUnread && isSuccess(status)) response.resume();
    else response.on('data', keep);
    response.once('end', () => {
      const body = Buffer.concat(chunks).toString('utf8');
      resolve({ status, retryAfter: response.headers['retry-after'], body });
    });
    response.on('error', reject);
    const lose = (): void => reject(new Error('the connection was lost within the answer'));
    response.once('close', lose);
    // It may have been lost between its head and this: then nothing more is told of it.
    if (response.destroyed) lose();
  });
}

/** As they come; leaving the iteration ends the answer. @throws the signal's reason; Unavailable. */
export async function* chunksOf(
  response: IncomingMessage,
  signal: AbortSignal | undefined,
): AsyncGenerator<Buffer> {
  try {
    yield* response as AsyncIterable<Buffer>;
  } catch (error) {
    if (signal?.aborted === true) throw signal.reason;
    throw new KubeError('Unavailable', `the connection was lost: ${messageOf(error)}`, {
      cause: error,
    });
  } finally {
    response.destroy();
  }
}

export function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
