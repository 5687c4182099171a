/** What is asked of the API server on the wire; what it does with it is in test/conformance/kube.ts. */
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { once } from 'node:events';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { systemClock as clock } from '../clock.ts';
import { HttpKube } from './http-kube.ts';
import { CONFIG_MAPS, EVENTS, type KubeObject, PODS, type Resource } from './resources.ts';

describe('a create', () => {
  let server: Server;
  let kube: HttpKube;
  let urls: string[];
  beforeEach(async () => {
    urls = [];
    server = createServer(({ url = '' }, response) => {
      urls.push(url);
      response.end('{}');
    });
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    const { port } = server.address() as AddressInfo;
    kube = new HttpKube({
      access: {
        server: new URL(`http://127.0.0.1:${port}`),
        credentials: async () => ({ headers: {}, tls: {} }),
        refresh: () => undefined,
      },
      ...{ clock, fieldManager: 'agentpool-operator' },
    });
  });
  afterEach(async () => {
    kube.close();
    server.closeAllConnections();
    server.close();
    await once(server, 'close');
  });

  it.each<[string, Resource<KubeObject>, string]>([
    ['of a pod lets no field vanish that the API server does not know', PODS, 'Strict'],
    ['of a ConfigMap, which is all our own, asks for no second look', CONFIG_MAPS, 'Ignore'],
    ['of an event, which is all our own, asks for no second look', EVENTS, 'Ignore'],
  ])('%s', async (_, resource, validation) => {
    const object = { metadata: { name: 'a', namespace: 'default' } };
    await kube.create(resource, object);
    await kube.createUnread(resource, object);
    const asked = urls.map((url) => new URL(url, 'http://x').searchParams.get('fieldValidation'));
    expect(asked).toEqual([validation, validation]);
  });
});
