/** Limits of the HTTP server against slow, large and broken requests; how what never becomes a request is answered. */
import type { ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import { HttpError, PROBLEM_CONTENT_TYPE, problemAnswer } from './problem.ts';

export const HEADER_BYTES_MAX = 16 * 1024;
/** Open connections; more are closed at once. */
export const CONNECTIONS_MAX = 20_000;
/** Room for the longest instance id, and its escapes. */
export const PATH_PARAMETER_CHARACTERS_MAX = 4_096;
/** Fields of a body beside its payload. */
export const ENVELOPE_BYTES_MAX = 64 * 1024;

/** For node:http. Time-outs are the server's own: they count bytes on a socket, not a task's time. */
export const HTTP_OPTIONS = {
  maxHeaderSize: HEADER_BYTES_MAX,
  headersTimeout: 10_000,
  /** The whole request must be here by then, its body too. */
  requestTimeout: 60_000,
  /** Longer than the 60 s that load balancers keep a connection, so that they close it and not we. */
  keepAliveTimeout: 65_000,
  connectionsCheckingInterval: 5_000,
  requireHostHeader: true,
} as const;

const CLIENT_ERRORS: Readonly<
  Record<string, { readonly status: number; readonly detail: string }>
> = {
  HPE_HEADER_OVERFLOW: {
    status: 431,
    detail: `the headers are larger than ${HEADER_BYTES_MAX} bytes`,
  },
  ERR_HTTP_REQUEST_TIMEOUT: { status: 408, detail: 'the request did not arrive in time' },
};
const STATUS_TEXT: Readonly<Record<number, string>> = {
  400: 'Bad Request',
  408: 'Request Timeout',
  431: 'Request Header Fields Too Large',
};

/** Bytes that are no request: a problem all the same, then the connection ends. */
export function answerClientError(error: NodeJS.ErrnoException, socket: Socket): void {
  if (error.code === 'ECONNRESET' || !socket.writable || hasAnswerUnderway(socket)) {
    socket.destroy();
    return;
  }
  const { status, detail } = CLIENT_ERRORS[error.code ?? ''] ?? {
    status: 400,
    detail: 'this is no HTTP/1.1 request',
  };
  const { problem } = problemAnswer(new HttpError('INVALID_FIELD', detail, { status }), '');
  const body = JSON.stringify(problem);
  const head = `HTTP/1.1 ${status} ${STATUS_TEXT[status] ?? 'Bad Request'}\r\ncontent-type: ${PROBLEM_CONTENT_TYPE}\r\ncontent-length: ${Buffer.byteLength(body)}\r\nconnection: close\r\n\r\n`;
  socket.end(head + body);
}

/** node:http hangs the response that is being written on its socket: a second head would be read as part of it. */
function hasAnswerUnderway(
  socket: Socket & { readonly _httpMessage?: ServerResponse | null },
): boolean {
  return socket._httpMessage?.headersSent === true;
}
