/** What the chart's values make of its objects, as helm renders them. No API server: whether one takes them is chart.test.ts. */
import { beforeAll, describe, expect, it } from '@jest/globals';
import { tools } from '../cluster/tools/tools.ts';
import { find, podOf, type Rendered, renderChart as render, secretText } from './rendered-chart.ts';

beforeAll(() => tools(), 600_000);

const BOTH = ['agentpool-operator', 'agentpool-gateway'] as const;

describe('the place of the store', () => {
  const url = 'redis://redis.db.svc:6379/0';
  const VALUES = { 'redis.url': url, 'redis.keyPrefix': 'shop', 'redis.minReplicas': 1 };

  it("is told beside a Secret of one's own, which lies over it", async () => {
    const objects = await render({ ...VALUES, 'redis.secretName': 'mine' });
    const place = find(objects, 'Secret', 'agentpool-store-place');
    expect(secretText(place, 'url')).toBe(url);
    expect(secretText(place, 'key-prefix')).toBe('shop');
    expect(secretText(place, 'min-replicas')).toBe('1');
    for (const name of BOTH)
      expect(podOf(find(objects, 'Deployment', name)).spec).toMatchObject({
        volumes: expect.arrayContaining([
          {
            name: 'store',
            projected: {
              sources: [
                { secret: { name: 'agentpool-store-place' } },
                { secret: { name: 'mine' } },
              ],
            },
          },
        ]),
      });
  });

  it("may be told by one's own Secret alone", async () => {
    const objects = await render({ 'redis.secretName': 'mine' });
    const { data } = find(objects, 'Secret', 'agentpool-store-place');
    expect(data).not.toHaveProperty('url');
  });

  it("is in the chart's own Secret otherwise", async () => {
    const objects = await render(VALUES);
    const secret = find(objects, 'Secret', 'agentpool-store');
    const told = ['url', 'key-prefix', 'min-replicas'].map((key) => secretText(secret, key));
    expect(told).toEqual([url, 'shop', '1']);
    for (const name of BOTH)
      expect(podOf(find(objects, 'Deployment', name)).spec).toMatchObject({
        volumes: expect.arrayContaining([
          { name: 'store', secret: { secretName: 'agentpool-store' } },
        ]),
      });
  });
});

it.each<[string, object, readonly [number, number, number]]>([
  ['the longest task of a pool that names none', {}, [315, 5, 300]],
  [
    'as long as is said',
    { 'gateway.terminationGracePeriodSeconds': 3_732, 'gateway.leaveSeconds': 122 },
    [3_732, 122, 3_600],
  ],
])('gives tasks of a gateway that leaves time: %s', async (_name, values, [grace, ...args]) => {
  const gateway = find(await render(values), 'Deployment', 'agentpool-gateway');
  const [leave, drain] = args;
  expect(podOf(gateway).spec).toMatchObject({
    terminationGracePeriodSeconds: grace,
    containers: [
      { args: expect.arrayContaining([`--leave-seconds=${leave}`, `--drain-seconds=${drain}`]) },
    ],
  });
});

describe('operator and gateways are restarted', () => {
  const annotationsOf = async (values: object): Promise<unknown[]> => {
    const objects = await render(values);
    const pods = BOTH.map((name) => podOf(find(objects, 'Deployment', name)));
    return pods.map(({ metadata }) => metadata.annotations);
  };
  const OWN = { 'redis.secretName': 'mine' };

  it.each<[object, object, boolean]>([
    [{}, { 'redis.url': 'redis://elsewhere:6379/0' }, true],
    [{}, OWN, true],
    [OWN, { ...OWN, 'redis.url': 'redis://elsewhere:6379/0' }, true],
    [{}, { 'redis.keyPrefix': 'shop' }, true],
    [OWN, { ...OWN, 'redis.minReplicas': 1 }, true],
    [{}, { 'redis.bundled.resources.limits.memory': '1Gi' }, false],
  ])('from %j to %j: %s', async (old, values, isRestart) => {
    const [before, after] = [await annotationsOf(old), await annotationsOf(values)];
    expect(after.map((one, at) => JSON.stringify(one) !== JSON.stringify(before[at]))).toEqual([
      isRestart,
      isRestart,
    ]);
  });
});

it('gives each global role a name of its own, however long the namespace is', async () => {
  const values = { 'auth.tokenReview.enabled': true };
  const objects = await render(values, '--namespace', 'n'.repeat(63));
  const roles = objects.filter(({ kind }) => kind === 'ClusterRole');
  const names = roles.map(({ metadata }) => metadata.name);
  expect(new Set(names).size).toBe(4);
  for (const name of names) expect(name).toMatch(/-(operator|gateway|view|edit)$/);
});

it("keeps gRPC clients at the container's port, whatever port the other Service has", async () => {
  const objects = await render({ 'gateway.service.grpcPort': 443 });
  const portsOf = (name: string) => {
    const { spec } = find(objects, 'Service', name);
    return (spec as { readonly ports: readonly object[] }).ports;
  };
  expect(portsOf('agentpool-gateway')).toContainEqual(expect.objectContaining({ port: 443 }));
  // Its names are addresses of pods: what it calls its port is what clients dial there.
  expect(portsOf('agentpool-gateway-headless')).toEqual([
    { name: 'grpc', port: 9090, targetPort: 'grpc' },
  ]);
});

it.each([
  [{}, '--host=0.0.0.0', '--http=0.0.0.0:8081'],
  [{ listenAddress: '::' }, '--host=::', '--http=[::]:8081'],
])('listens where pods have addresses: %j', async (values, ...listen) => {
  const objects = await render(values);
  for (const [at, name] of ['agentpool-gateway', 'agentpool-operator'].entries())
    expect(podOf(find(objects, 'Deployment', name)).spec).toMatchObject({
      containers: [{ args: expect.arrayContaining([listen[at]]) }],
    });
});

it.each(BOTH)('lets a drain of a node take a %s that is not ready', async (name) => {
  const { spec } = find(await render(), 'PodDisruptionBudget', name);
  expect(spec).toMatchObject({ unhealthyPodEvictionPolicy: 'AlwaysAllow' });
});

describe('what Prometheus scrapes', () => {
  const ENABLED = { 'serviceMonitor.enabled': true };
  const endpointOf = (objects: readonly Rendered[], name: string): unknown => {
    const { spec } = find(objects, 'PodMonitor', name);
    return (spec as { readonly podMetricsEndpoints: readonly unknown[] }).podMetricsEndpoints[0];
  };

  it('is shown to it: gateways ask for a token that may see metrics', async () => {
    const objects = await render(ENABLED);
    const credentials = { name: 'agentpool-tokens', key: 'admin-token' };
    expect(endpointOf(objects, 'agentpool-gateway')).toEqual({
      ...{ port: 'http', path: '/metrics', interval: '30s' },
      authorization: { credentials },
    });
    const tokens = find(objects, 'Secret', credentials.name);
    expect(JSON.parse(secretText(tokens, 'tokens.json'))).toEqual([
      expect.objectContaining({ token: secretText(tokens, credentials.key), role: 'admin' }),
    ]);
    for (const name of ['agentpool-operator', 'agentpool-runtimes'])
      expect(endpointOf(objects, name)).not.toHaveProperty('authorization');
  });

  it("is scraped with a token of one's own, and over TLS", async () => {
    const objects = await render({
      ...ENABLED,
      'tls.mode': 'SelfSigned',
      'auth.tokensSecretName': 'mine',
      'serviceMonitor.gatewayToken.secretName': 'scraper',
    });
    expect(endpointOf(objects, 'agentpool-gateway')).toMatchObject({
      scheme: 'https',
      authorization: { credentials: { name: 'scraper', key: 'token' } },
    });
  });
});

it('lets pools know its gateways under another name', async () => {
  const objects = await render({ nameOverride: 'ours' });
  for (const component of ['operator', 'gateway']) {
    const { labels } = podOf(find(objects, 'Deployment', `agentpool-ours-${component}`)).metadata;
    // As operator/drivers/kubernetes/pool-objects.ts selects them.
    expect(labels).toMatchObject({
      'app.kubernetes.io/part-of': 'agentpool',
      'app.kubernetes.io/component': component,
    });
    expect(labels?.['app.kubernetes.io/name']).toBe('ours');
  }
});

describe('the bundled Redis', () => {
  const config = (objects: readonly Rendered[]): string => {
    const { stringData } = find(objects, 'Secret', 'agentpool-redis');
    return (stringData as { readonly 'redis.conf': string })['redis.conf'];
  };

  it.each([
    ['512Mi', '322122547'],
    ['1.5Gi', '966367641'],
    ['2G', '1200000000'],
    [1_073_741_824, '644245094'],
    ['1073741824', '644245094'],
  ])('refuses what is beyond 60 %% of its limit of %s', async (memory, bytes) => {
    const limits = await render({ 'redis.bundled.resources.limits.memory': memory });
    expect(config(limits)).toMatch(new RegExp(`^maxmemory ${bytes}$`, 'm'));
  });

  it('has room without an end where it has no limit', async () => {
    const objects = await render({ 'redis.bundled.resources.limits': null });
    expect(config(objects)).not.toMatch(/^maxmemory /m);
  });

  it('says which limit it cannot read', async () => {
    const rendered = render({ 'redis.bundled.resources.limits.memory': 'much' });
    await expect(rendered).rejects.toThrow(/limits\.memory: cannot read .*much/);
  });

  it('is not restarted by another version of the chart', async () => {
    const { metadata } = podOf(find(await render(), 'StatefulSet', 'agentpool-redis'));
    expect(metadata).toEqual({
      labels: {
        'app.kubernetes.io/name': 'agentpool',
        'app.kubernetes.io/instance': 'agentpool',
        'app.kubernetes.io/component': 'redis',
      },
    });
  });
});
