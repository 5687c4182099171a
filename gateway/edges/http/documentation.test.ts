import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { Validator } from '@seriousme/openapi-schema-validator';
import type { z } from 'zod';
import { systemClock } from '../../../platform/clock.ts';
import { silentLog } from '../../../platform/log.ts';
import { systemRandom } from '../../../platform/random.ts';
import { FakeHttpService } from '../../../test/fakes/fake-http-service.ts';
import { LOCAL_ACCESS } from '../../access/access.ts';
import { documentationOf } from './document/documentation.ts';
import type { HttpEdge } from './http-edge.ts';
import { createHttpEdge, routesOf } from './http-gateway.ts';
import type { Route } from './routes/route.ts';

const service = new FakeHttpService();
service.tasks.onStart = (task) => task.succeed();
const options = {
  service,
  access: LOCAL_ACCESS,
  clock: systemClock,
  random: systemRandom,
  log: silentLog,
  host: '127.0.0.1',
  port: 0,
  requestBytesMax: () => 1_000,
  version: '1.2.3',
  metricsContentType: 'text/plain; charset=utf-8',
};
const routes = documentationOf(routesOf(options), { version: '1.2.3', hasTokens: true }).routes;

interface Operation {
  readonly operationId: string;
  readonly summary: string;
  readonly parameters?: readonly {
    readonly name: string;
    readonly in: string;
    readonly description?: string;
  }[];
  readonly responses: Readonly<
    Record<
      string,
      {
        readonly content?: Readonly<
          Record<string, { readonly schema: object; readonly examples?: object }>
        >;
      }
    >
  >;
  readonly security?: unknown;
}
interface Document {
  readonly openapi: string;
  readonly info: { readonly version: string };
  readonly paths: Readonly<Record<string, Readonly<Record<string, Operation>>>>;
  readonly components: { readonly schemas: Readonly<Record<string, object>> };
}

let edge: HttpEdge;
let document: Document;
beforeAll(async () => {
  edge = await createHttpEdge(options);
  document = (await get('/openapi.json')).json();
});
afterAll(() => edge.close(0));

function get(url: string) {
  return edge.app.inject({ url, headers: { host: 'localhost' } });
}

function operations(): (readonly [string, Operation])[] {
  return Object.entries(document.paths).flatMap(([path, methods]) =>
    Object.entries(methods).map(
      ([method, operation]) => [`${method.toUpperCase()} ${path}`, operation] as const,
    ),
  );
}

describe('/openapi.json', () => {
  it('is a valid OpenAPI 3.1 document', async () => {
    expect(document).toMatchObject({ openapi: '3.1.0', info: { version: '1.2.3' } });
    const validator = new Validator();
    expect(
      await validator.validate(document as object as Parameters<Validator['validate']>[0]),
    ).toEqual({ valid: true });
  });

  it('names each schema that it refers to', () => {
    const references = [
      ...JSON.stringify(document).matchAll(/"#\/components\/schemas\/(\w+)"/g),
    ].map(([, name]) => name);
    expect(references.length).toBeGreaterThan(50);
    expect(new Set(references)).toEqual(new Set(Object.keys(document.components.schemas)));
    expect(JSON.stringify(document)).not.toContain('$defs');
  });

  it('has each route that is served, and no other', () => {
    const served = routes.map(({ method, path }) => `${method} ${path}`);
    expect(
      operations()
        .map(([name]) => name)
        .sort(),
    ).toEqual(served.sort());
    for (const { method, path } of routes)
      expect([
        path,
        edge.app.hasRoute({ method, url: path.replaceAll(/\{(\w+)\}/g, ':$1') }),
      ]).toEqual([path, true]);
    expect(new Set(operations().map(([, { operationId }]) => operationId)).size).toBe(
      served.length,
    );
  });

  it('shows in each example of an error the status that it stands under', () => {
    const shown = operations().flatMap(([name, { responses }]) =>
      Object.entries(responses).flatMap(([status, { content }]) =>
        Object.values(content?.['application/problem+json']?.examples ?? {}).map((example) => [
          name,
          status,
          String((example as { value: { status: number } }).value.status),
        ]),
      ),
    );
    expect(shown.length).toBeGreaterThan(100);
    expect(shown.filter(([, status, told]) => status !== told)).toEqual([]);
  });

  it('describes each parameter, gives an example of each body, and every error of the contract', () => {
    for (const [name, operation] of operations()) {
      expect([name, operation.summary]).toEqual([name, expect.stringMatching(/^[A-Z].{5,}[^.]$/)]);
      for (const parameter of operation.parameters ?? [])
        expect([name, parameter]).toEqual([
          name,
          expect.objectContaining({ description: expect.any(String) as unknown }),
        ]);
      for (const path of name.matchAll(/\{(\w+)\}/g))
        expect(operation.parameters).toContainEqual(
          expect.objectContaining({ name: path[1], in: 'path' }),
        );
      expect([name, Object.keys(operation.responses)]).toEqual([
        name,
        expect.arrayContaining(['500', '503']),
      ]);
    }
    const execute = document.paths['/api/v1/execute']?.['post'];
    expect(Object.keys(execute?.responses ?? {})).toEqual([
      '200',
      '400',
      '401',
      '403',
      '404',
      '409',
      '413',
      '415',
      '429',
      '499',
      '500',
      '503',
      '504',
    ]);
    expect(
      execute?.responses['429']?.content?.['application/problem+json']?.examples,
    ).toMatchObject({
      QUEUE_FULL: { value: { reason: 'QUEUE_FULL', status: 429, retry_after_ms: 1000 } },
    });
  });

  it('asks for a token where one is wanted only', () => {
    const withTokens = documentationOf(routesOf(options), {
      version: '1',
      hasTokens: true,
    }).document() as object as Document;
    expect(withTokens.paths['/api/v1/execute']?.['post']?.security).toEqual([{ bearer: [] }]);
    expect(withTokens.paths['/healthz']?.['get']).not.toHaveProperty('security');
    expect(JSON.stringify(document)).not.toContain('bearer');
  });
});

/** Its path with examples for the parameters, its body with its own example. */
function requestOf({ method, path, bodySchema }: Route) {
  const values: Record<string, string> = { id: 'default~pool~t~p', tenant: 't', project: 'p' };
  const url = path.replaceAll(/\{(\w+)\}/g, (_, name: string) => values[name] ?? name);
  const [payload] = (bodySchema?.meta()?.['examples'] ?? []) as [object?];
  const headers = {
    host: 'localhost',
    ...(payload === undefined ? {} : { 'content-type': 'application/json' }),
  };
  return {
    method,
    url: url.replace('conversations/default~pool~t~p', 'conversations/c-1'),
    headers,
    ...(payload === undefined ? {} : { payload }),
  };
}

describe('each documented route', () => {
  it.each(routes.map((route) => [`${route.method} ${route.path}`, route] as const))(
    '%s answers as it is documented',
    async (_, route) => {
      const response = await edge.app.inject(requestOf(route));
      const documented = route.answers[response.statusCode];
      expect([response.statusCode, documented]).toEqual([response.statusCode, expect.anything()]);
      const type = (response.headers['content-type'] ?? '').split(';')[0] ?? '';
      if (documented?.content === undefined) return;
      expect(Object.keys(documented.content)).toContain(type);
      const schema: z.ZodType | undefined = documented.content[type]?.schema;
      if (schema !== undefined)
        expect(schema.safeParse(response.json())).toMatchObject({ success: true });
    },
  );

  it.each(
    routes.flatMap(({ method, path, answers }) =>
      Object.entries(answers).flatMap(([status, { content = {} }]) =>
        Object.values(content).flatMap(({ schema }) =>
          schema === undefined ? [] : [[`${method} ${path} ${status}`, schema] as const],
        ),
      ),
    ),
  )('%s has examples that fit', (_, schema) => {
    for (const example of (schema.meta()?.['examples'] ?? []) as unknown[])
      expect(schema.safeParse(example)).toMatchObject({ success: true });
  });
});

describe('/docs', () => {
  it('is a page whose parts all come from here', async () => {
    const page = await get('/docs/');
    expect(page.statusCode).toBe(200);
    const parts = [...page.body.matchAll(/(?:src|href)="([^"]+)"/g)].map(([, part]) => part ?? '');
    expect(parts.length).toBeGreaterThan(3);
    for (const part of parts)
      expect([
        part,
        (await get(new URL(part, 'http://localhost/docs/').pathname)).statusCode,
      ]).toEqual([part, 200]);
    expect(parts.filter((part) => part.includes('//'))).toEqual([]);
    expect(page.headers['content-security-policy']).toContain("default-src 'self'");
  });

  it('shows the same document', async () => {
    expect((await get('/docs/json')).json()).toEqual(document);
  });
});

describe('/', () => {
  it('is a page whose links lead somewhere', async () => {
    const page = await get('/');
    expect(page.headers['content-type']).toBe('text/html; charset=utf-8');
    const links = [...page.body.matchAll(/href="([^"]+)"/g)].map(([, link]) => link ?? '');
    expect(links).toContain('/docs');
    for (const link of links) expect([link, (await get(link)).statusCode]).toEqual([link, 200]);
  });
});
