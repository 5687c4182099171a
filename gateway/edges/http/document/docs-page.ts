/**
 * `/docs`: the page of the document, for people; from the package, never from another host. Its code and files are loaded with the first
 * visit: most gateways never have one.
 */
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import type { JsonObject } from './schema-components.ts';
import type { NotFound } from './swagger-page.ts';

const PATH = '/docs';

export function registerDocsPage(
  app: FastifyInstance,
  document: () => JsonObject,
  notFound: NotFound,
): void {
  let opened: Promise<FastifyInstance> | undefined;
  const serve = async (request: FastifyRequest, reply: FastifyReply): Promise<void> => {
    const page = await (opened ??= openPage(document, notFound));
    for (const [name, value] of Object.entries(reply.getHeaders()))
      if (value !== undefined) reply.raw.setHeader(name, value);
    reply.hijack();
    page.routing(request.raw, reply.raw);
  };
  for (const url of [PATH, `${PATH}/*`]) app.route({ method: 'GET', url, handler: serve });
}

async function openPage(document: () => JsonObject, notFound: NotFound): Promise<FastifyInstance> {
  const { createDocsPage } = await import('./swagger-page.ts');
  return createDocsPage({ prefix: PATH, document, notFound });
}
