/** The processes of a cluster without Kubernetes: Redis, runtimes and gateways over mutual TLS. */
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { execute } from './http-calls.ts';
import { Installation, type PodProcess } from './installation.ts';
import { destroyAll, type Server, startClusterGateway } from './server.ts';

let installation: Installation;
let runtime: PodProcess;
let gateways: readonly Server[];

const gatewayArgs = (link = 'link'): readonly string[] => [
  ...['--store', installation.folder('store')],
  ...['--link', installation.folder(link)],
];

beforeAll(async () => {
  installation = await Installation.start();
  await installation.publish();
  runtime = await installation.startRuntime('main-s1');
  gateways = await Promise.all([
    startClusterGateway(gatewayArgs()),
    startClusterGateway(gatewayArgs()),
  ]);
  await installation.serving(runtime);
}, 60_000);

afterAll(async () => {
  await destroyAll();
  await installation.stop();
});

describe('two gateways and a runtime', () => {
  it('serve a project with one owner', async () => {
    const counts = [];
    for (const gateway of [...gateways, ...gateways])
      counts.push((await execute(gateway, { agent: 'counter', input: '' })).output);
    expect(counts).toEqual([1, 2, 3, 4].map((count) => ({ count })));
  });
});
