/** `/openapi.json`, `/docs` and `/`: what there is, for programs and for people. Served from the package, never from another host. */
import fastifySwagger from '@fastify/swagger';
import fastifySwaggerUi from '@fastify/swagger-ui';
import type { FastifyInstance } from 'fastify';
import type { OpenAPIV3_1 } from 'openapi-types';
import type { Route } from '../routes/route.ts';
import { openApiDocument } from './open-api.ts';
import { START_PAGE } from './start-page.ts';

export interface DocumentationOptions {
  readonly routes: readonly Route[];
  readonly version: string;
  readonly access: { readonly isLocalOnly: boolean };
}

/** Scripts and styles of this server only; the page's own inline styles are Swagger UI's. */
const CONTENT_SECURITY_POLICY = "default-src 'self'; img-src 'self' data:; style-src 'self' 'unsafe-inline'; object-src 'none'; base-uri 'none'; frame-ancestors 'none'";

export async function registerDocumentation(app: FastifyInstance, { routes, version, access }: DocumentationOptions): Promise<void> {
  const document = openApiDocument(routes, { version, hasTokens: !access.isLocalOnly });
  const text = JSON.stringify(document, null, 2);
  app.get('/openapi.json', (_request, reply) => reply.header('content-type', 'application/json; charset=utf-8').send(text));
  app.get('/', (_request, reply) =>
    reply.header('content-type', 'text/html; charset=utf-8').header('content-security-policy', CONTENT_SECURITY_POLICY).send(START_PAGE),
  );
  // It checks nothing here: the document is made above, and a test validates it.
  await app.register(fastifySwagger, { mode: 'static', specification: { document: document as unknown as OpenAPIV3_1.Document } });
  await app.register(fastifySwaggerUi, {
    routePrefix: '/docs',
    staticCSP: CONTENT_SECURITY_POLICY,
    uiConfig: { deepLinking: true, docExpansion: 'list', displayRequestDuration: true },
  });
}
