/** What the chart's values make of its objects, as helm renders them. No API server: whether one takes them is chart.test.ts. */
import { fileURLToPath } from 'node:url';
import { beforeAll, describe, expect, it } from '@jest/globals';
import { parseAllDocuments } from 'yaml';
import { run } from '../cluster/process/run.ts';
import { tools } from '../cluster/tools/tools.ts';

const CHART = fileURLToPath(new URL('../../charts/agentpool', import.meta.url));
let helm = '';

beforeAll(async () => {
  helm = (await tools()).helm;
}, 600_000);

interface Rendered {
  readonly kind: string;
  readonly metadata: { readonly name: string };
  readonly [field: string]: unknown;
}

async function render(values: object = {}, ...flags: readonly string[]): Promise<Rendered[]> {
  const sets = Object.entries(values).flatMap(([name, value]) => [
    '--set-json',
    `${name}=${JSON.stringify(value)}`,
  ]);
  const base = ['template', 'agentpool', CHART, '-n', 'ap', '--kube-version', '1.34.0'];
  const text = await run(helm, [...base, ...sets, ...flags]);
  return parseAllDocuments(text)
    .map((document) => document.toJS() as Rendered | null)
    .filter((object) => object !== null);
}

function find(objects: readonly Rendered[], kind: string, name: string): Rendered {
  const found = objects.filter((one) => one.kind === kind && one.metadata.name === name);
  expect(found).toHaveLength(1);
  return found[0] as Rendered;
}

/** Of the pods of a Deployment or StatefulSet. */
const podOf = (owner: Rendered) =>
  (owner['spec'] as { readonly template: { readonly metadata: object; readonly spec: object } })
    .template;

/** The text of a key of a Secret. */
function secretText(secret: Rendered, key: string): string {
  const { data = {} } = secret as { readonly data?: Readonly<Record<string, string>> };
  return Buffer.from(data[key] ?? '', 'base64').toString();
}

const BOTH = ['agentpool-operator', 'agentpool-gateway'] as const;

describe('the place of the store', () => {
  const VALUES = { 'redis.keyPrefix': 'shop', 'redis.minReplicas': 1 };

  it("is told beside a Secret of one's own, which lies over it", async () => {
    const objects = await render({ ...VALUES, 'redis.secretName': 'mine' });
    const place = find(objects, 'Secret', 'agentpool-store-place');
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

  it("is in the chart's own Secret otherwise", async () => {
    const objects = await render(VALUES);
    expect(secretText(find(objects, 'Secret', 'agentpool-store'), 'key-prefix')).toBe('shop');
    for (const name of BOTH)
      expect(podOf(find(objects, 'Deployment', name)).spec).toMatchObject({
        volumes: expect.arrayContaining([
          { name: 'store', secret: { secretName: 'agentpool-store' } },
        ]),
      });
  });
});

describe('operator and gateways are restarted', () => {
  const annotationsOf = async (values: object): Promise<unknown[]> => {
    const objects = await render(values);
    const pods = BOTH.map((name) => podOf(find(objects, 'Deployment', name)));
    return pods.map(({ metadata }) => (metadata as { readonly annotations?: unknown }).annotations);
  };

  it.each([
    [{ 'redis.url': 'redis://elsewhere:6379/0' }, true],
    [{ 'redis.secretName': 'mine' }, true],
    [{ 'redis.keyPrefix': 'shop' }, true],
    [{ 'redis.minReplicas': 1 }, true],
    [{ 'redis.bundled.resources.limits.memory': '1Gi' }, false],
  ])('with %j: %s', async (values, isRestart) => {
    const [before, after] = [await annotationsOf({}), await annotationsOf(values)];
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

  it('is never nothing in silence', async () => {
    const rendered = render({ ...ENABLED, 'auth.tokensSecretName': 'mine' });
    await expect(rendered).rejects.toThrow(/serviceMonitor\.gatewayToken\.secretName/);
  });
});

it.each(['operatorSecretName', 'gatewaySecretName'])(
  'wants the authority of internal.%s',
  async (name) => {
    const rendered = render({ [`internal.${name}`]: 'mine' });
    await expect(rendered).rejects.toThrow(/name its Secret in internal\.caSecretName/);
  },
);

it('lets pools know its gateways under another name', async () => {
  const objects = await render({ nameOverride: 'ours' });
  for (const component of ['operator', 'gateway']) {
    const { metadata } = podOf(find(objects, 'Deployment', `agentpool-ours-${component}`));
    const { labels } = metadata as { readonly labels: Readonly<Record<string, string>> };
    // As operator/drivers/kubernetes/pool-objects.ts selects them.
    expect(labels).toMatchObject({
      'app.kubernetes.io/part-of': 'agentpool',
      'app.kubernetes.io/component': component,
    });
    expect(labels['app.kubernetes.io/name']).toBe('ours');
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
