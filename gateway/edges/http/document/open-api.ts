/** The OpenAPI 3.1 document, made of the same table that serves the requests. */
import type { z } from 'zod';
import { ERROR_TABLE, type Reason } from '../../../../core/errors.ts';
import { problemMessage } from '../messages/problem-message.ts';
import type { AnswerDoc, Route } from '../routes/route.ts';
import { HttpError, problemAnswer } from '../wire/problem.ts';
import { type JsonObject, SchemaComponents } from './schema-components.ts';

export interface OpenApiOptions {
  readonly version: string;
  /** Without tokens the document asks for none. */
  readonly hasTokens: boolean;
}

const DESCRIPTION = `Runs agents in pools with HOT, WARM and COLD tiers.

Names are snake_case; lowerCamelCase is accepted in requests. Enums have no prefix, 64-bit integers are numbers, times are RFC 3339.
Errors are \`application/problem+json\`; programs decide by \`reason\`. Every answer carries \`X-Request-Id\`.`;

const TAGS: Readonly<Record<string, string>> = {
  Tasks: 'Run agents.',
  Leases: 'Keep a live instance where it is.',
  Agents: 'What can be called.',
  Pools: 'Pools, their numbers and their health.',
  Instances: 'Live instances.',
  Projects: 'Projects, their tiers and their conversations.',
  Probes: 'For those who run it.',
  Documentation: 'About this interface.',
};

export function openApiDocument(
  routes: readonly Route[],
  { version, hasTokens }: OpenApiOptions,
): JsonObject {
  const components = new SchemaComponents();
  const paths: Record<string, JsonObject> = {};
  for (const route of routes) {
    const path = (paths[route.path] ??= {});
    path[route.method.toLowerCase()] = operation(route, components, hasTokens);
  }
  components.of(problemMessage);
  const used = new Set(routes.map(({ tag }) => tag));
  return {
    openapi: '3.1.0',
    info: {
      title: 'AgentPool',
      version,
      description: DESCRIPTION,
      license: { name: 'Apache-2.0', identifier: 'Apache-2.0' },
    },
    servers: [{ url: '/' }],
    tags: Object.entries(TAGS)
      .filter(([name]) => used.has(name))
      .map(([name, description]) => ({ name, description })),
    paths,
    components: {
      schemas: components.all(),
      ...(hasTokens
        ? {
            securitySchemes: {
              bearer: { type: 'http', scheme: 'bearer', description: 'A token of the token file.' },
            },
          }
        : {}),
    },
  };
}

function operation(route: Route, components: SchemaComponents, hasTokens: boolean): JsonObject {
  const { operationId, tag, summary, description, bodySchema } = route;
  const parameters = [
    ...parametersIn('path', route.pathSchema, components),
    ...parametersIn('query', route.querySchema, components),
    ...parametersIn('header', route.headers, components),
  ];
  return {
    operationId,
    tags: [tag],
    summary,
    ...(description === undefined ? {} : { description }),
    ...(parameters.length === 0 ? {} : { parameters }),
    ...(bodySchema === undefined
      ? {}
      : {
          requestBody: {
            required: !route.isBodyOptional,
            content: {
              'application/json': {
                schema: components.of(bodySchema),
                ...namedExamples(bodySchema.meta()?.['examples']),
              },
            },
          },
        }),
    responses: { ...answers(route, components), ...problems(route) },
    ...(hasTokens && route.isOpen !== true ? { security: [{ bearer: [] }] } : {}),
  };
}

function parametersIn(
  place: 'path' | 'query' | 'header',
  schema: z.ZodObject | undefined,
  components: SchemaComponents,
): JsonObject[] {
  if (schema === undefined) return [];
  const { properties = {}, required = [] } = components.of(schema) as {
    properties?: Record<string, JsonObject>;
    required?: string[];
  };
  return Object.entries(properties).map(([name, { description, ...rest }]) => ({
    name,
    in: place,
    required: required.includes(name),
    ...(description === undefined ? {} : { description }),
    schema: rest,
  }));
}

function answers(route: Route, components: SchemaComponents): JsonObject {
  return Object.fromEntries(
    Object.entries(route.answers).map(([status, answer]) => [
      status,
      answerObject(answer, components),
    ]),
  );
}

function answerObject(
  { description, content }: AnswerDoc,
  components: SchemaComponents,
): JsonObject {
  if (content === undefined) return { description };
  const types = Object.entries(content).map(([type, { schema, examples }]) => [
    type,
    {
      schema: schema === undefined ? { type: 'string' } : components.of(schema),
      ...namedExamples(examples ?? schema?.meta()?.['examples']),
    },
  ]);
  return { description, content: Object.fromEntries(types) };
}

function namedExamples(examples: unknown): JsonObject {
  if (!Array.isArray(examples) || examples.length === 0) return {};
  return {
    examples: Object.fromEntries(
      examples.map((value: unknown, index) => [`example${index + 1}`, { value }]),
    ),
  };
}

/** Every error that the route can end in, by status, each reason with an example. */
function problems(route: Route): JsonObject {
  const byStatus = new Map<number, Reason[]>();
  for (const reason of reasonsOf(route)) {
    const { http } = ERROR_TABLE[reason];
    byStatus.set(http, [...(byStatus.get(http) ?? []), reason]);
  }
  const known = [...byStatus].map(([status, reasons]) => [status, problemObject(reasons)] as const);
  return Object.fromEntries(
    route.bodySchema === undefined
      ? known
      : [...known, [415, problemObject(['INVALID_FIELD'], 415)]],
  );
}

function reasonsOf(route: Route): readonly Reason[] {
  const hasInput =
    route.pathSchema !== undefined ||
    route.querySchema !== undefined ||
    route.bodySchema !== undefined;
  return [
    ...new Set<Reason>([
      ...(hasInput ? (['INVALID_FIELD'] as const) : []),
      ...(route.bodySchema === undefined ? [] : (['PAYLOAD_TOO_LARGE'] as const)),
      ...(route.isOpen === true ? [] : (['TOKEN_INVALID'] as const)),
      'FORBIDDEN',
      ...route.reasons,
      ...(route.isOpen === true ? [] : (['ACCESS_UNAVAILABLE', 'STORE_UNAVAILABLE'] as const)),
      'DRAINING',
      'INTERNAL',
    ]),
  ];
}

/** @param status where HTTP has one of its own; else the reason's. */
function problemObject(reasons: readonly Reason[], status?: number): JsonObject {
  const examples = reasons.map((reason) => {
    const { retryable, http } = ERROR_TABLE[reason];
    const { problem } = problemAnswer(
      new HttpError(reason, '…', {
        status: status ?? http,
        ...(retryable ? { retryAfterMs: 1_000 } : {}),
      }),
      'r-1',
    );
    return [reason, { value: problem }];
  });
  return {
    description: reasons.join(', '),
    content: {
      'application/problem+json': {
        schema: { $ref: '#/components/schemas/Problem' },
        examples: Object.fromEntries(examples) as JsonObject,
      },
    },
  };
}
