import { expect, it } from '@jest/globals';
import { findGateway } from './gateway-service.ts';

/** `namespace/name`, with the headless Service that each has beside it. */
const clusterWith = (...services: readonly string[]) => ({
  get: () => {
    const items = services.flatMap((path) => {
      const [namespace = '', name = ''] = path.split('/');
      return [
        { metadata: { namespace, name }, spec: { ports: [{ name: 'http', port: 8080 }] } },
        {
          metadata: { namespace, name: `${name}-headless` },
          spec: { ports: [{ name: 'grpc', port: 9090 }] },
        },
      ];
    });
    return Promise.resolve({ items });
  },
});

const BY_NAMESPACE =
  'Choose one by its namespace: kubectl agentpool --release-namespace NAMESPACE …';
const BESIDE =
  'Of several in one namespace reach the gateway that you mean yourself, e.g. kubectl --namespace b port-forward service/x-gateway 8080, and name it: kubectl agentpool --server http://localhost:8080 --token TOKEN …';

it.each([
  [['a/x-gateway', 'b/y-gateway'], 'a/x-gateway, b/y-gateway', BY_NAMESPACE],
  [['b/x-gateway', 'b/y-gateway'], 'b/x-gateway, b/y-gateway', BESIDE],
  [
    ['a/z-gateway', 'b/x-gateway', 'b/y-gateway'],
    'a/z-gateway, b/x-gateway, b/y-gateway',
    `${BY_NAMESPACE} ${BESIDE}`,
  ],
])('of %j none is guessed: what is said chooses one', async (services, names, advice) => {
  await expect(findGateway(clusterWith(...services), undefined)).rejects.toMatchObject({
    message: `several installations, by the Services of their gateways: ${names}`,
    advice,
    exitCode: 2,
  });
});

it('finds the only one', async () => {
  const found = await findGateway(clusterWith('a/x-gateway'), undefined);
  expect(found).toMatchObject({ namespace: 'a', name: 'x-gateway', port: 8080, hasTls: false });
});
