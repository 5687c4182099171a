/** HTTP to the API server over one pool of kept connections: credentials, time-outs, what was sent and what was not. Knows no Kubernetes objects. */
import { Agent, request as httpsRequest } from 'node:https';
import {
  Agent as PlainAgent,
  request as httpRequest,
  type ClientRequest,
  type IncomingMessage,
} from 'node:http';
import type { Clock } from '../clock.ts';
import type { ClusterAccess, Credentials } from './credentials.ts';
import { chunksOf, type HttpAnswer, messageOf, readAnswer } from './http-answer.ts';
import { KubeError } from './kube-error.ts';

export interface HttpCall {
  readonly method: 'GET' | 'POST' | 'PATCH' | 'DELETE';
  /** With the query. */
  readonly path: string;
  readonly body?: string;
  readonly contentType?: string;
  /** Default `application/json`. */
  readonly accept?: string;
  /** Nobody reads the body of a success: it is left empty. */
  readonly isUnread?: boolean;
  readonly signal?: AbortSignal | undefined;
}

export interface HttpTransportOptions {
  readonly access: ClusterAccess;
  readonly clock: Clock;
  readonly userAgent: string;
  /** From the first byte sent to the last received; for a watch to the first received. */
  readonly requestTimeoutMs: number;
  readonly connectionsMax: number;
  /** False: this process may not write. Asked when a write has its connection, just before its first byte. Left out: it may. */
  readonly mayWrite?: () => boolean;
}

/** Below the 90 s after which an API server closes an idle connection: a reused one is alive. */
const IDLE_MS = 60_000;
const TCP_KEEP_ALIVE_MS = 30_000;

/** All its connections go to one server with one identity: Node would put certificates and keys into a name for them at each call, four times. */
class OneServerAgent extends Agent {
  override getName(): string {
    return 'api-server';
  }
}

interface TlsPool {
  /** As they were given last, and what they say. */
  tls: Credentials['tls'];
  readonly identity: string;
  readonly calls: Agent;
  readonly streams: Agent;
}

export class HttpTransport {
  readonly #options: HttpTransportOptions;
  #pool: TlsPool | undefined;
  #plainPool: Readonly<Record<'calls' | 'streams', PlainAgent>> | undefined;
  #handshakes = 0;

  constructor(options: HttpTransportOptions) {
    this.#options = options;
  }

  /** TLS connections that were opened so far. */
  get handshakes(): number {
    return this.#handshakes;
  }

  /** @throws {KubeError} Unavailable (nothing was sent, or it was only read), OutcomeUnknown; the signal's reason for reads. */
  async send(call: HttpCall): Promise<HttpAnswer> {
    const first = await this.#sendOnce(call);
    if (first.status !== 401) return first;
    this.#options.access.refresh();
    return this.#sendOnce(call);
  }

  /** The answer's body as it comes; the caller ends it by the signal or by leaving the iteration. */
  async stream(
    call: HttpCall,
  ): Promise<{ readonly answer: HttpAnswer } | { readonly chunks: AsyncIterable<Buffer> }> {
    const attempt = await this.#start(call, 'streams');
    try {
      const response = await attempt.response;
      if (response.statusCode === 200) return { chunks: chunksOf(response, call.signal) };
      if (response.statusCode === 401) this.#options.access.refresh();
      return { answer: await readAnswer(response) };
    } catch (error) {
      throw failureOf(call, error, false);
    } finally {
      attempt.timeout.cancel();
    }
  }

  close(): void {
    this.#pool?.calls.destroy();
    this.#pool?.streams.destroy();
    this.#plainPool?.calls.destroy();
    this.#plainPool?.streams.destroy();
  }

  async #sendOnce(call: HttpCall): Promise<HttpAnswer> {
    const attempt = await this.#start(call, 'calls');
    try {
      return await readAnswer(await attempt.response, call.isUnread);
    } catch (error) {
      throw failureOf(call, error, attempt.wasSent());
    } finally {
      attempt.timeout.cancel();
    }
  }

  async #start(call: HttpCall, lane: 'calls' | 'streams') {
    const { clock, requestTimeoutMs } = this.#options;
    call.signal?.throwIfAborted();
    const credentials = await this.#credentials();
    call.signal?.throwIfAborted();
    const request = this.#request(call, credentials, lane);
    let wasSent = false;
    this.#onceConnected(request, () => {
      if (request.destroyed) return;
      const refusal = this.#refusalOf(call);
      wasSent = refusal === undefined;
      if (wasSent) request.end(call.body);
      else request.destroy(refusal);
    });
    const timeout = clock.after(requestTimeoutMs, () => {
      request.destroy(new Error(`no answer within ${requestTimeoutMs} ms`));
    });
    this.#endWith(call.signal, request);
    const response = new Promise<IncomingMessage>((resolve, reject) => {
      request.once('response', resolve);
      // Stays: an error after the answer has begun is reported by the answer, and must not end the process.
      request.on('error', reject);
    });
    return { response, timeout, wasSent: () => wasSent };
  }

  /** By hand: Node's own option for it costs a tenth of the call. */
  #endWith(signal: AbortSignal | undefined, request: ClientRequest): void {
    if (signal === undefined) return;
    const end = (): void => {
      request.destroy(signal.reason as Error);
    };
    signal.addEventListener('abort', end, { once: true });
    request.once('close', () => {
      signal.removeEventListener('abort', end);
    });
  }

  /** The wait for a connection can be long, and the next leader's writes are there by the end of it. */
  #refusalOf({ method, path }: HttpCall): KubeError | undefined {
    if (method === 'GET' || this.#options.mayWrite?.() !== false) return undefined;
    return new KubeError('NotLeader', `${method} ${path}: this process does not lead`);
  }

  #onceConnected(request: ClientRequest, then: () => void): void {
    const { protocol } = this.#options.access.server;
    request.once('socket', (socket) => {
      if (!socket.connecting) {
        then();
        return;
      }
      socket.once(protocol === 'https:' ? 'secureConnect' : 'connect', () => {
        this.#handshakes++;
        then();
      });
    });
  }

  async #credentials(): Promise<Credentials> {
    try {
      return await this.#options.access.credentials();
    } catch (error) {
      throw new KubeError('Unavailable', `no credentials for the API server: ${messageOf(error)}`, {
        cause: error,
      });
    }
  }

  #request(
    call: HttpCall,
    { headers, tls }: Credentials,
    lane: 'calls' | 'streams',
  ): ClientRequest {
    const { access, userAgent } = this.#options;
    const { server } = access;
    const options = {
      hostname: server.hostname.replace(/^\[|\]$/g, ''),
      port: server.port,
      path: `${server.pathname.replace(/\/$/, '')}${call.path}`,
      method: call.method,
      headers: {
        accept: call.accept ?? 'application/json',
        'user-agent': userAgent,
        ...headers,
        ...(call.body !== undefined && {
          'content-type': call.contentType ?? 'application/json',
          'content-length': String(Buffer.byteLength(call.body)),
        }),
      },
    };
    if (server.protocol === 'http:') return httpRequest({ ...options, agent: this.#plain()[lane] });
    return httpsRequest({ ...options, agent: this.#agents(tls)[lane] });
  }

  /** One pool as long as the identity stays; with another (a renewed certificate or authority) the old one runs dry. */
  #agents(tls: Credentials['tls']): { readonly calls: Agent; readonly streams: Agent } {
    if (this.#pool?.tls === tls) return this.#pool;
    const identity = JSON.stringify(tls);
    if (this.#pool?.identity === identity) {
      this.#pool.tls = tls;
      return this.#pool;
    }
    const { serverName, isUnverified, ...rest } = tls;
    const options = {
      ...rest,
      ...(serverName !== undefined && { servername: serverName }),
      rejectUnauthorized: isUnverified !== true,
      keepAlive: true,
      keepAliveMsecs: TCP_KEEP_ALIVE_MS,
      scheduling: 'lifo' as const,
    };
    const { connectionsMax } = this.#options;
    this.#pool = {
      ...{ tls, identity },
      calls: new OneServerAgent({ ...options, timeout: IDLE_MS, maxSockets: connectionsMax }),
      // Not bounded here: there are as many as kinds are watched, and a bound would let watches starve each other.
      streams: new OneServerAgent(options),
    };
    return this.#pool;
  }

  #plain(): Readonly<Record<'calls' | 'streams', PlainAgent>> {
    this.#plainPool ??= {
      calls: new PlainAgent({ keepAlive: true, maxSockets: this.#options.connectionsMax }),
      streams: new PlainAgent({ keepAlive: true }),
    };
    return this.#plainPool;
  }
}

function failureOf(call: HttpCall, error: unknown, wasSent: boolean): unknown {
  if (error instanceof KubeError) return error;
  if (call.method !== 'GET' && wasSent)
    return new KubeError('OutcomeUnknown', `${call.method} ${call.path}: ${messageOf(error)}`, {
      cause: error,
    });
  if (call.signal?.aborted === true) return call.signal.reason;
  return new KubeError('Unavailable', `${call.method} ${call.path}: ${messageOf(error)}`, {
    cause: error,
  });
}
