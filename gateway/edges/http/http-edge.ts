/** The HTTP server of a gateway: the routes' table on fastify, errors as problems, a drain that loses nothing. Decides nothing about tasks. */
import type { AddressInfo } from 'node:net';
import { fastify, type FastifyInstance, type FastifyReply, type FastifyRequest } from 'fastify';
import { AppError } from '../../../core/errors.ts';
import { isIdentifier } from '../../../core/identifiers.ts';
import type { Clock } from '../../../platform/clock.ts';
import type { Log } from '../../../platform/log.ts';
import type { Random } from '../../../platform/random.ts';
import type { TlsSource } from '../../../platform/tls/tls-material.ts';
import type { Access } from '../../access/access.ts';
import { STOPPING } from '../../service/tasks.ts';
import { registerDocsPage } from './document/docs-page.ts';
import { documentationOf } from './document/documentation.ts';
import type { HttpMethod, Route } from './routes/route.ts';
import { openCall, sendAnswer } from './serve-route.ts';
import { allowAnyHost, createHostGuard } from './wire/host-guard.ts';
import { createHttpServer } from './wire/http-server.ts';
import { HttpError, PROBLEM_CONTENT_TYPE, problemAnswer } from './wire/problem.ts';
import {
  answerClientError,
  CONNECTIONS_MAX,
  PATH_PARAMETER_CHARACTERS_MAX,
} from './wire/server-options.ts';

export interface HttpEdgeOptions {
  readonly routes: readonly Route[];
  readonly access: Access;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
  readonly host: string;
  /** 0: any free one. */
  readonly port: number;
  /** Largest body that may be read, asked anew for each request. */
  readonly bodyBytesMax: () => number;
  /** Of the product, in the OpenAPI document. */
  readonly version: string;
  /** Absent: plain. */
  readonly tls?: TlsSource;
}

const DRAINING_RETRY_MS = 1_000;
/** While it closes and no request is under way: so long others may stay connected, for the last answers to be read. */
const SILENT_MS = 1_000;
const ALL_METHODS: readonly (HttpMethod | 'PATCH' | 'OPTIONS')[] = [
  'GET',
  'POST',
  'PUT',
  'DELETE',
  'PATCH',
  'OPTIONS',
];

export class HttpEdge {
  readonly app: FastifyInstance;
  readonly #options: HttpEdgeOptions;
  #isLeaving = false;
  #isDraining = false;
  /** Under way. */
  #requests = 0;

  private constructor(options: HttpEdgeOptions, app: FastifyInstance) {
    this.#options = options;
    this.app = app;
  }

  /** Ready to listen. */
  static async create(options: HttpEdgeOptions): Promise<HttpEdge> {
    const app = fastify({
      serverFactory: (handler) => createHttpServer(handler, options.tls),
      // A body is read by the route that wants one, after the token was checked.
      bodyLimit: Number.MAX_SAFE_INTEGER,
      requestIdHeader: false,
      genReqId: ({ headers }) => httpRequestId(headers['x-request-id'], options.random),
      routerOptions: {
        maxParamLength: PATH_PARAMETER_CHARACTERS_MAX,
        querystringParser: () => ({}),
      },
      forceCloseConnections: 'idle',
      return503OnClosing: false,
      clientErrorHandler: answerClientError,
      frameworkErrors: (error, request, reply) => {
        sendProblem(options, request, { reply, thrown: error });
      },
    });
    app.server.maxConnections = CONNECTIONS_MAX;
    const edge = new HttpEdge(options, app);
    edge.#endConnectionsWhileDraining();
    const { document, routes } = documentationOf(options.routes, {
      version: options.version,
      hasTokens: !options.access.isLocalOnly,
    });
    edge.#addHooks();
    edge.#addRoutes(routes);
    registerDocsPage(app, document, (request, reply) => edge.#sendNotFound(request, reply));
    await app.ready();
    return edge;
  }

  /** Resolves to the port. Rejects when the address cannot be used. */
  async listen(): Promise<number> {
    const { host, port } = this.#options;
    await this.app.listen({ host, port });
    return (this.app.server.address() as AddressInfo).port;
  }

  /** Serves as before, but each connection ends with its next answer: clients are to come by another one. */
  leave(): void {
    this.#isLeaving = true;
  }

  /** Takes no more requests, lets those under way end, and cuts them off after `graceMs`. */
  async close(graceMs: number): Promise<void> {
    this.#isDraining = true;
    const cut = this.#options.clock.after(graceMs, () => {
      this.app.server.closeAllConnections();
    });
    this.#cutOffSilent();
    await this.app.close();
    cut.cancel();
  }

  /** A client that keeps its connection for a next request must not keep the server: what was idle before is closed by `close`. */
  #endConnectionsWhileDraining(): void {
    this.app.server.on('request', ({ socket }, response) => {
      this.#requests += 1;
      response.once('finish', () => {
        if (this.#isDraining) socket.end();
      });
      response.once('close', () => {
        this.#requests -= 1;
        if (this.#isDraining) this.#cutOffSilent();
      });
    });
  }

  /** Nor may one that has connected and not asked anything yet: node:http takes it for busy. */
  #cutOffSilent(): void {
    if (this.#requests > 0) return;
    this.#options.clock.after(SILENT_MS, () => {
      if (this.#requests === 0) this.app.server.closeAllConnections();
    });
  }

  #addHooks(): void {
    const { access, host } = this.#options;
    const guard = access.isLocalOnly ? createHostGuard(host) : allowAnyHost;
    this.app.addHook('onRequest', async (request, reply) => {
      void reply.headers({
        'x-request-id': request.id,
        'x-content-type-options': 'nosniff',
        'cache-control': 'no-store',
      });
      guard(request.headers);
      if (this.#isLeaving) void reply.header('connection', 'close');
      if (!this.#isDraining) return;
      throw new HttpError('DRAINING', STOPPING, {
        retryAfterMs: DRAINING_RETRY_MS,
        headers: { connection: 'close' },
      });
    });
    this.app.setErrorHandler((thrown, request, reply) =>
      sendProblem(this.#options, request, { reply, thrown }),
    );
    this.app.setNotFoundHandler((request, reply) => this.#sendNotFound(request, reply));
    // Content types are judged where a body is read.
    this.app.removeAllContentTypeParsers();
    this.app.addContentTypeParser('*', (_request, _payload, done) => {
      done(null);
    });
  }

  #sendNotFound(request: FastifyRequest, reply: FastifyReply): FastifyReply {
    const thrown = new HttpError(
      'UNIMPLEMENTED',
      `there is nothing at ${request.method} ${pathOf(request.url)}: /docs lists what there is`,
      { status: 404 },
    );
    return sendProblem(this.#options, request, { reply, thrown });
  }

  #addRoutes(routes: readonly Route[]): void {
    const methodsByPath = new Map<string, HttpMethod[]>();
    for (const route of routes) {
      const url = fastifyPath(route.path);
      methodsByPath.set(url, [...(methodsByPath.get(url) ?? []), route.method]);
      this.app.route({
        method: route.method,
        url,
        handler: (request, reply) => this.#serve(route, request, reply),
      });
    }
    for (const [url, methods] of methodsByPath) this.#refuseOthers(url, methods);
  }

  #refuseOthers(url: string, methods: readonly HttpMethod[]): void {
    const allow = methods.includes('GET') ? [...methods, 'HEAD'].join(', ') : methods.join(', ');
    const others = ALL_METHODS.filter((method) => !(methods as readonly string[]).includes(method));
    this.app.route({
      method: others,
      url,
      handler: async ({ method }) => {
        throw new HttpError('UNIMPLEMENTED', `${method} is not for this path: it takes ${allow}`, {
          status: 405,
          headers: { allow },
        });
      },
    });
  }

  async #serve(route: Route, request: FastifyRequest, reply: FastifyReply): Promise<FastifyReply> {
    const { access, clock, bodyBytesMax } = this.#options;
    const principal =
      route.isOpen === true ? undefined : await access.authenticate(request.headers.authorization);
    const call = openCall({ request, reply, principal, clock, bodyBytesMax: bodyBytesMax() });
    return sendAnswer(reply, await route.handle(call), clock);
  }
}

/** What the caller sent in X-Request-Id, if that is a name; else a new one. */
function httpRequestId(header: string | string[] | undefined, random: Random): string {
  return typeof header === 'string' && isIdentifier(header) ? header : random.id();
}

/** `/a/{id}` → `/a/:id`. */
function fastifyPath(path: string): string {
  return path.replaceAll(/\{(\w+)\}/g, ':$1');
}

function pathOf(url: string): string {
  return url.split('?', 1)[0] ?? url;
}

interface Failure {
  readonly reply: FastifyReply;
  readonly thrown: unknown;
}

function sendProblem(
  { log }: HttpEdgeOptions,
  request: FastifyRequest,
  { reply, thrown }: Failure,
): FastifyReply {
  const error = appErrorOf(thrown);
  const requestId = request.taskRequestId ?? request.id;
  if (error.reason === 'INTERNAL')
    log.error('request failed inside the gateway', { err: thrown, request_id: requestId });
  const { status, headers, problem } = problemAnswer(error, requestId);
  return reply
    .code(status)
    .headers(headers)
    .header('content-type', PROBLEM_CONTENT_TYPE)
    .send(JSON.stringify(problem));
}

/** fastify's own errors are about the request when their status says so. */
function appErrorOf(thrown: unknown): AppError {
  if (thrown instanceof AppError) return thrown;
  const { statusCode = 500, message } = thrown as {
    readonly statusCode?: number;
    readonly message: string;
  };
  if (statusCode < 400 || statusCode >= 500) return AppError.from(thrown);
  if (statusCode === 404)
    return new HttpError(
      'UNIMPLEMENTED',
      'there is nothing at this path: /docs lists what there is',
      { status: 404 },
    );
  return new HttpError('INVALID_FIELD', message, { status: statusCode });
}
