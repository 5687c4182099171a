/** `/openapi.json` and `/`: what there is, for programs and for people. */
import { defineRoute, type Route } from '../routes/route.ts';
import { openApiDocument, type OpenApiOptions } from './open-api.ts';
import { START_PAGE } from './start-page.ts';
import type { JsonObject } from './schema-components.ts';

export interface Documentation {
  /** Made when it is first asked for: the start of a gateway does not wait for it. */
  readonly document: () => JsonObject;
  /** The given ones and those of the documentation itself: all of them are in the document. */
  readonly routes: readonly Route[];
}

/** Scripts and styles of this server only; the inline styles are Swagger UI's and the start page's own. */
export const CONTENT_SECURITY_POLICY =
  "default-src 'self'; img-src 'self' data:; style-src 'self' 'unsafe-inline'; object-src 'none'; base-uri 'none'; frame-ancestors 'none'";

export function documentationOf(given: readonly Route[], options: OpenApiOptions): Documentation {
  let made: JsonObject | undefined;
  const document = (): JsonObject => (made ??= openApiDocument(routes, options));
  const routes = [...given, startPageRoute(), openApiRoute(document)];
  return { document, routes };
}

function startPageRoute(): Route {
  return defineRoute({
    method: 'GET',
    path: '/',
    operationId: 'startPage',
    tag: 'Documentation',
    summary: 'What runs here, and where to go on',
    isOpen: true,
    answers: { 200: { description: 'A page for people.', content: { 'text/html': {} } } },
    reasons: [],
    handle: async () => ({
      type: 'raw',
      status: 200,
      contentType: 'text/html; charset=utf-8',
      body: START_PAGE,
      headers: { 'content-security-policy': CONTENT_SECURITY_POLICY },
    }),
  });
}

function openApiRoute(document: () => JsonObject): Route {
  return defineRoute({
    method: 'GET',
    path: '/openapi.json',
    operationId: 'openApi',
    tag: 'Documentation',
    summary: 'This document',
    description: 'A page that shows it, and sends requests, is at /docs.',
    isOpen: true,
    answers: { 200: { description: 'OpenAPI 3.1.', content: { 'application/json': {} } } },
    reasons: [],
    handle: async () => ({
      type: 'raw',
      status: 200,
      contentType: 'application/json; charset=utf-8',
      body: JSON.stringify(document(), null, 2),
    }),
  });
}
