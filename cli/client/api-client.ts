/** Calls the gateway's HTTP API for the client commands; turns every failure into one sentence, what to do, and an exit code. */
import { EXIT_CODES, CliError } from '../exit-code.ts';
import { type ServerEvent, readEvents } from './event-stream.ts';
import { problemOf } from './problem.ts';

export interface Address {
  /** `http://host:port`. */
  readonly server: string;
  readonly token?: string;
}

export interface ApiClient {
  readonly server: string;
  /** The answer's JSON; undefined when it has no body. */
  call(method: 'GET' | 'POST' | 'PUT' | 'DELETE', path: string, body?: unknown): Promise<unknown>;
  /** The events of one task; the end of `signal` cancels it. */
  stream(path: string, body: unknown, signal?: AbortSignal): AsyncIterable<ServerEvent>;
}

export const DEFAULT_SERVER = 'http://127.0.0.1:8080';

/** Accepts `host:port` and `:port` as well as a URL. */
export function serverUrl(text: string): string {
  const full = /^[a-z][a-z0-9+.-]*:\/\//i.test(text)
    ? text
    : `http://${text.replace(/^:/, '127.0.0.1:')}`;
  if (!URL.canParse(full) || !/^https?:/i.test(full))
    throw new CliError(
      `--server: not an address: ${JSON.stringify(text)}`,
      EXIT_CODES.Usage,
      `Write it as host:port or as a URL, like ${DEFAULT_SERVER}.`,
    );
  const { origin, pathname } = new URL(full);
  return `${origin}${pathname.replace(/\/+$/, '')}`;
}

/** `/api/v1/projects/acme/docs?pool=a`: path parts are escaped, parameters without a value left out. */
export function pathOf(
  parts: readonly string[],
  parameters: Readonly<Record<string, string | number | undefined>> = {},
): string {
  const query = new URLSearchParams();
  for (const [name, value] of Object.entries(parameters))
    if (value !== undefined && value !== '') query.set(name, String(value));
  const path = `/api/v1/${parts.map((part) => encodeURIComponent(part)).join('/')}`;
  return query.size === 0 ? path : `${path}?${query.toString()}`;
}

export function createApiClient({ server, token }: Address): ApiClient {
  const ask = async (path: string, init: RequestInit, accept: string): Promise<Response> => {
    const headers = {
      accept,
      ...(init.body === undefined ? {} : { 'content-type': 'application/json' }),
      ...(token === undefined ? {} : { authorization: `Bearer ${token}` }),
    };
    const answer = await fetch(`${server}${path}`, { ...init, headers }).catch((error: unknown) => {
      throw unreachable(server, error);
    });
    if (!answer.ok) throw problemOf(answer.status, await answer.text());
    return answer;
  };
  return {
    server,
    async call(method, path, body) {
      const init = body === undefined ? { method } : { method, body: JSON.stringify(body) };
      const answer = await ask(path, init, 'application/json');
      const text = await answer.text();
      return text === '' ? undefined : parse(text, server);
    },
    async *stream(path, body, signal) {
      const init = {
        method: 'POST',
        body: JSON.stringify(body),
        ...(signal === undefined ? {} : { signal }),
      };
      const answer = await ask(path, init, 'text/event-stream');
      if (answer.body === null) return;
      try {
        yield* readEvents(answer.body);
      } catch (error) {
        throw unreachable(server, error);
      }
    },
  };
}

function parse(text: string, server: string): unknown {
  try {
    return JSON.parse(text) as unknown;
  } catch {
    throw new CliError(
      `${server} does not answer like an AgentPool gateway`,
      EXIT_CODES.Unavailable,
      'Check --server (or AGENTPOOL_SERVER): it is the HTTP address that the server prints at its start.',
    );
  }
}

/** What was aborted by ourselves is passed on as it is. */
function unreachable(server: string, error: unknown): unknown {
  if (error instanceof CliError) return error;
  if (error instanceof Error && error.name === 'AbortError') return error;
  const { cause } = error as { cause?: { code?: string; message?: string } };
  const code = cause?.code ?? '';
  const why = WORDS[code] ?? cause?.message ?? String(error);
  return new CliError(
    `cannot reach ${server}: ${why}`,
    EXIT_CODES.Unavailable,
    ADVICE[code] ?? NO_SERVER,
  );
}

const NO_SERVER =
  'Start a server with "agentpool standalone -f pool.yaml", or name another with --server or AGENTPOOL_SERVER.';
const UNKNOWN_AUTHORITY = 'its certificate is signed by an authority that is not known here';
const NAME_AUTHORITY =
  'Name a file with the authority in the environment: NODE_EXTRA_CA_CERTS=ca.crt.';

const WORDS: Readonly<Record<string, string>> = {
  ECONNREFUSED: 'nothing listens there',
  ENOTFOUND: 'the host name is not known',
  EAI_AGAIN: 'the host name could not be looked up',
  ECONNRESET: 'the connection was lost',
  UND_ERR_SOCKET: 'the connection was lost',
  ETIMEDOUT: 'no answer in time',
  UND_ERR_CONNECT_TIMEOUT: 'no answer in time',
  DEPTH_ZERO_SELF_SIGNED_CERT: UNKNOWN_AUTHORITY,
  SELF_SIGNED_CERT_IN_CHAIN: UNKNOWN_AUTHORITY,
  UNABLE_TO_VERIFY_LEAF_SIGNATURE: UNKNOWN_AUTHORITY,
  UNABLE_TO_GET_ISSUER_CERT_LOCALLY: UNKNOWN_AUTHORITY,
  CERT_HAS_EXPIRED: 'its certificate has expired',
  ERR_TLS_CERT_ALTNAME_INVALID: 'its certificate is for other names',
  ERR_SSL_PACKET_LENGTH_TOO_LONG: 'it speaks no TLS',
  ERR_SSL_WRONG_VERSION_NUMBER: 'it speaks no TLS',
};

const ADVICE: Readonly<Record<string, string>> = {
  DEPTH_ZERO_SELF_SIGNED_CERT: NAME_AUTHORITY,
  SELF_SIGNED_CERT_IN_CHAIN: NAME_AUTHORITY,
  UNABLE_TO_VERIFY_LEAF_SIGNATURE: NAME_AUTHORITY,
  UNABLE_TO_GET_ISSUER_CERT_LOCALLY: NAME_AUTHORITY,
  CERT_HAS_EXPIRED: 'Have its certificate renewed.',
  ERR_TLS_CERT_ALTNAME_INVALID:
    'Use one of the names in its certificate with --server, or have it issued for this one too.',
  ERR_SSL_PACKET_LENGTH_TOO_LONG: 'Write http:// in --server or AGENTPOOL_SERVER.',
  ERR_SSL_WRONG_VERSION_NUMBER: 'Write http:// in --server or AGENTPOOL_SERVER.',
};
