/** What a route is: a row of the table that serves requests and writes the OpenAPI document. Knows no server. */
import type { IncomingHttpHeaders } from 'node:http';
import type { z } from 'zod';
import type { Reason } from '../../../../core/errors.ts';
import type { Principal } from '../../../access/principal.ts';
import { readMessage, readTexts } from '../messages/read-message.ts';
import { parseJsonBody } from '../wire/parse-json.ts';
import { parseQuery } from '../wire/parse-query.ts';
import type { SseWriter } from '../wire/sse-writer.ts';

export type HttpMethod = 'GET' | 'POST' | 'PUT' | 'DELETE';

/** A request as the server hands it in: nothing of it was checked but the caller's token. */
export interface HttpCall {
  readonly principal: Principal;
  readonly headers: IncomingHttpHeaders;
  /** As in the request line. */
  readonly url: string;
  /** Decoded, by the names in the route's path. */
  readonly path: Readonly<Record<string, string>>;
  /** The `host` that the caller used. */
  readonly authority: string;
  /** Undefined: the request has none. */
  readBody(): Promise<string | undefined>;
  /** What problems of this request name from now on. */
  setRequestId(requestId: string): void;
  /** At most once, when the caller went away before its answer was complete. */
  onGone(callback: () => void): void;
  /** Takes over the response at its first event; a failure before it is a plain answer. */
  openEvents(): SseWriter;
}

export type HttpAnswer =
  | {
      readonly type: 'json';
      readonly status: number;
      readonly body: unknown;
      readonly headers?: Readonly<Record<string, string>>;
    }
  | {
      readonly type: 'raw';
      readonly status: number;
      readonly contentType: string;
      readonly body: string | Buffer;
      readonly headers?: Readonly<Record<string, string>>;
    }
  | { readonly type: 'empty' }
  /** Everything was said on `openEvents()`. */
  | { readonly type: 'streamed' };

export interface AnswerDoc {
  readonly description: string;
  /** By content type. Undefined schema: text. */
  readonly content?: Readonly<
    Record<string, { readonly schema?: z.ZodType; readonly examples?: readonly unknown[] }>
  >;
}

export interface RouteDoc {
  readonly method: HttpMethod;
  /** With `{name}` for parameters. */
  readonly path: string;
  readonly operationId: string;
  readonly tag: string;
  readonly summary: string;
  readonly description?: string;
  /** Answered without a token. */
  readonly isOpen?: boolean;
  readonly answers: Readonly<Record<number, AnswerDoc>>;
  /** The errors that it can end in, beside those of every route. */
  readonly reasons: readonly Reason[];
  /** Header parameters, for the document. */
  readonly headers?: z.ZodObject;
}

export interface Route extends RouteDoc {
  readonly pathSchema: z.ZodObject | undefined;
  readonly querySchema: z.ZodObject | undefined;
  readonly bodySchema: z.ZodObject | undefined;
  readonly isBodyOptional: boolean;
  readonly handle: (call: HttpCall) => Promise<HttpAnswer>;
}

/** The checked parts of a request. */
export interface Input<Path, Query, Body> {
  readonly path: Path;
  readonly query: Query;
  readonly body: Body;
  /** The text of a member of the body, as it was written. */
  readonly textOf: (member: string) => string | undefined;
}

type Output<Schema> = Schema extends z.ZodObject ? z.output<Schema> : undefined;

export interface RouteSpec<
  Path extends z.ZodObject | undefined,
  Query extends z.ZodObject | undefined,
  Body extends z.ZodObject | undefined,
> extends RouteDoc {
  readonly pathSchema?: Path;
  readonly querySchema?: Query;
  readonly bodySchema?: Body;
  /** No body is the same as `{}`. */
  readonly isBodyOptional?: boolean;
  readonly handle: (
    input: Input<Output<Path>, Output<Query>, Output<Body>>,
    call: HttpCall,
  ) => Promise<HttpAnswer>;
}

/** A row of the table; its handler sees checked input only. */
export function defineRoute<
  Path extends z.ZodObject | undefined = undefined,
  Query extends z.ZodObject | undefined = undefined,
  Body extends z.ZodObject | undefined = undefined,
>(spec: RouteSpec<Path, Query, Body>): Route {
  const { pathSchema, querySchema, bodySchema, isBodyOptional = false } = spec;
  return {
    ...spec,
    pathSchema,
    querySchema,
    bodySchema,
    isBodyOptional,
    async handle(call) {
      const path = pathSchema === undefined ? undefined : readTexts(pathSchema, call.path);
      const query = readQuery(querySchema, call.url);
      const { body, textOf } =
        bodySchema === undefined
          ? NO_BODY
          : readJson(bodySchema, (await call.readBody()) ?? (isBodyOptional ? '{}' : ''));
      // The conditional types say what the three schemas say; TypeScript cannot follow that here.
      return spec.handle(
        { path, query, body, textOf } as Input<Output<Path>, Output<Query>, Output<Body>>,
        call,
      );
    },
  };
}

const NO_BODY = { body: undefined, textOf: (): undefined => undefined };

/** Routes without parameters ignore a query: probes come with cache busters. */
function readQuery(schema: z.ZodObject | undefined, url: string): unknown {
  return schema === undefined ? undefined : readTexts(schema, parseQuery(url));
}

function readJson(
  schema: z.ZodObject,
  text: string,
): Pick<Input<unknown, unknown, unknown>, 'body' | 'textOf'> {
  const { value, textOf } = parseJsonBody(text);
  return { body: readMessage(schema, value), textOf };
}

export function json(
  status: number,
  body: unknown,
  headers?: Readonly<Record<string, string>>,
): HttpAnswer {
  return { type: 'json', status, body, ...(headers === undefined ? {} : { headers }) };
}

/** In what the start of an instance can end. */
export const START_REASONS: readonly Reason[] = [
  'UNKNOWN_POOL',
  'SUSPENDED',
  'OWNER_UNREACHABLE',
  'SECRETS_PENDING',
  'RUNTIME_LOST',
  'MEMORY_LIMIT',
  'QUEUE_FULL',
  'CIRCUIT_OPEN',
  'AGENT_ERROR',
  'AGENT_EXITED',
];

export const NO_CONTENT: HttpAnswer = { type: 'empty' };

/** An answer in JSON, for the document. */
export function jsonAnswer(
  description: string,
  schema: z.ZodType,
  examples?: readonly unknown[],
): AnswerDoc {
  return {
    description,
    content: { 'application/json': { schema, ...(examples === undefined ? {} : { examples }) } },
  };
}
