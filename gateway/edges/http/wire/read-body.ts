/** The body of a request as text: within its limit, complete, UTF-8. Does not parse it. */
import type { IncomingMessage } from 'node:http';
import { AppError } from '../../../../core/errors.ts';
import { HttpError } from './problem.ts';

const JSON_TYPE = /^application\/(json|[a-z0-9.+-]+\+json) *(;|$)/i;
const CHARSET = /; *charset *= *"?([^";]*)"?/i;

/** RFC 9112, 6.3: a request has a body when it says how long it is, or that it comes in chunks. */
export function hasBody({ headers }: IncomingMessage): boolean {
  return headers['transfer-encoding'] !== undefined || (headers['content-length'] ?? '0') !== '0';
}

/** Refused before anything is read: 413 by the announced length, or 415. */
export function checkBodyHeaders(request: IncomingMessage, bytesMax: number): void {
  const { headers } = request;
  const type = headers['content-type'] ?? '';
  const charset = CHARSET.exec(type)?.[1]?.trim().toLowerCase() ?? 'utf-8';
  if (!JSON_TYPE.test(type) || (charset !== 'utf-8' && charset !== 'utf8')) throw wrongType(type);
  const encoding = headers['content-encoding'] ?? 'identity';
  if (encoding !== 'identity')
    throw new HttpError(
      'INVALID_FIELD',
      `content-encoding ${encoding} is not understood: send the body as it is`,
      { status: 415, field: 'content-encoding' },
    );
  if (Number(headers['content-length'] ?? 0) > bytesMax) throw tooLarge(bytesMax);
}

function wrongType(type: string): HttpError {
  const sent = type === '' ? 'there is no content-type' : `this is ${JSON.stringify(type)}`;
  return new HttpError(
    'INVALID_FIELD',
    `the body must be sent as content-type: application/json (UTF-8), but ${sent}`,
    {
      status: 415,
      field: 'content-type',
      headers: { accept: 'application/json' },
    },
  );
}

function tooLarge(bytesMax: number): HttpError {
  return new HttpError('PAYLOAD_TOO_LARGE', `the body is larger than ${bytesMax} bytes`);
}

/**
 * Never holds more than `bytesMax` and one chunk. What comes beyond is read and dropped (until the server's request time-out): a
 * client that sends first and reads then must find the answer, not a reset connection.
 */
export async function readBody(request: IncomingMessage, bytesMax: number): Promise<string> {
  const chunks = await collect(request, bytesMax);
  return decoded(
    chunks.length === 1 && chunks[0] !== undefined ? chunks[0] : Buffer.concat(chunks),
  );
}

function collect(request: IncomingMessage, bytesMax: number): Promise<Buffer[]> {
  return new Promise((resolve, reject) => {
    let chunks: Buffer[] = [];
    let bytes = 0;
    request.on('data', (chunk: Buffer) => {
      bytes += chunk.length;
      if (bytes <= bytesMax) {
        chunks.push(chunk);
        return;
      }
      chunks = [];
      reject(tooLarge(bytesMax));
    });
    request.once('end', () => {
      resolve(chunks);
    });
    request.once('close', () => {
      reject(new AppError('CANCELLED', 'the connection broke before the body was there'));
    });
    request.once('error', () => undefined);
  });
}

const utf8 = new TextDecoder('utf-8', { fatal: true });

function decoded(body: Buffer): string {
  try {
    return utf8.decode(body);
  } catch {
    throw new HttpError('INVALID_FIELD', 'the body is not UTF-8', { field: 'body' });
  }
}
