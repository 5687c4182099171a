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
export function checkBodyHeaders({ headers }: IncomingMessage, bytesMax: number): void {
  const { 'content-type': type = '', 'content-encoding': encoding = 'identity' } = headers;
  if (!JSON_TYPE.test(type) || !isUtf8(type)) throw wrongType(type);
  if (encoding !== 'identity')
    throw unsupported('content-encoding', `${encoding} is not understood: send the body as it is`);
  if (Number(headers['content-length'] ?? 0) > bytesMax) throw tooLarge(bytesMax);
}

function isUtf8(type: string): boolean {
  const charset = CHARSET.exec(type)?.[1]?.trim().toLowerCase() ?? 'utf-8';
  return charset === 'utf-8' || charset === 'utf8';
}

function wrongType(type: string): HttpError {
  const sent = type === '' ? 'is missing' : `is ${JSON.stringify(type)}`;
  return unsupported('content-type', `must be application/json (UTF-8), but ${sent}`);
}

function unsupported(field: string, detail: string): HttpError {
  const headers = { accept: 'application/json' };
  return new HttpError('INVALID_FIELD', `${field} ${detail}`, { status: 415, field, headers });
}

function tooLarge(bytesMax: number): HttpError {
  return new HttpError(
    'PAYLOAD_TOO_LARGE',
    `the body has more than ${bytesMax} bytes: send less, or have limits.requestBytesMax raised`,
  );
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
      if (!request.readableEnded)
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
