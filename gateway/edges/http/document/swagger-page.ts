/** Swagger UI as a server of its own that listens nowhere: requests are handed to it. */
import fastifySwagger from '@fastify/swagger';
import fastifySwaggerUi from '@fastify/swagger-ui';
import { fastify, type FastifyInstance, type FastifyReply, type FastifyRequest } from 'fastify';
import { CONTENT_SECURITY_POLICY } from './documentation.ts';
import type { JsonObject } from './schema-components.ts';

export type NotFound = (request: FastifyRequest, reply: FastifyReply) => FastifyReply;

export interface DocsPageOptions {
  readonly prefix: string;
  readonly document: () => JsonObject;
  readonly notFound: NotFound;
}

export async function createDocsPage({
  prefix,
  document,
  notFound,
}: DocsPageOptions): Promise<FastifyInstance> {
  const page = fastify();
  page.setNotFoundHandler(notFound);
  const specification = {
    document: { openapi: '3.1.0', info: { title: 'AgentPool', version: '' }, paths: {} },
  };
  await page.register(fastifySwagger, { mode: 'static', specification });
  await page.register(fastifySwaggerUi, {
    routePrefix: prefix,
    staticCSP: CONTENT_SECURITY_POLICY,
    uiConfig: { deepLinking: true, docExpansion: 'list', displayRequestDuration: true },
    transformSpecification: document,
    transformSpecificationClone: false,
  });
  await page.ready();
  return page;
}
