/** Names, namespaces, labels and annotations of all that the chart makes. */
import { cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { beforeAll, describe, expect, it } from '@jest/globals';
import { tools } from '../cluster/tools/tools.ts';
import {
  CHART,
  find,
  objectsIn,
  podOf,
  type Rendered,
  renderChart as render,
  renderChartIn,
} from './rendered-chart.ts';

beforeAll(() => tools(), 600_000);

/** All that there is to make. */
const ALL = {
  'serviceMonitor.enabled': true,
  'auth.tokenReview.enabled': true,
  'tls.mode': 'SelfSigned',
};
const PODS = [
  ['Deployment', 'agentpool-operator'],
  ['Deployment', 'agentpool-gateway'],
  ['StatefulSet', 'agentpool-redis'],
] as const;
const nameOf = ({ kind, metadata }: Rendered): string =>
  `${kind} ${metadata.namespace ?? ''}/${metadata.name}`;

describe.each([
  ['all namespaces', {}],
  ['two namespaces', { watchNamespaces: ['a', 'b'] }],
])('serving %s', (_which, served) => {
  it("gives every object the user's labels and annotations", async () => {
    const commonLabels = { team: 'platform' };
    const commonAnnotations = { 'example.com/owner': 'platform' };
    const objects = await render({ ...ALL, ...served, commonLabels, commonAnnotations });
    expect(objects.length).toBeGreaterThan(30);
    const without = objects.filter(
      ({ metadata: { labels, annotations } }) =>
        labels?.['team'] !== 'platform' || annotations?.['example.com/owner'] !== 'platform',
    );
    expect(without.map(nameOf)).toEqual([]);
    for (const [kind, name] of PODS)
      expect(podOf(find(objects, kind, name)).metadata.labels).toMatchObject(commonLabels);
  });

  it('has texts where a cluster wants texts, also of digits', async () => {
    const names = ['123', '1e3'];
    const objects = await render(
      {
        ...ALL,
        ...('watchNamespaces' in served ? { watchNamespaces: names } : {}),
        ...{ nameOverride: '123', fullnameOverride: 'pools' },
        ...{ 'redis.secretName': '123', 'auth.tokensSecretName': '123' },
        'serviceMonitor.gatewayToken.secretName': '123',
        'internal.caSecretName': '123',
        'internal.operatorSecretName': '123',
        'internal.gatewaySecretName': '123',
        'operator.serviceAccount.name': '123',
        'gateway.serviceAccount.name': '123',
        'operator.priorityClassName': '123',
      },
      ...['--namespace', '0123', '--name-template', '1e3'],
    );
    expect(objects.flatMap((object) => noTexts(object, nameOf(object)))).toEqual([]);
    const { labels } = podOf(find(objects, 'Deployment', 'pools-gateway')).metadata;
    expect(labels).toMatchObject({
      'app.kubernetes.io/name': '123',
      'app.kubernetes.io/instance': '1e3',
    });
  });
});

const TEXTS =
  /^(name|namespace|serviceAccountName|secretName|priorityClassName|app\.kubernetes\.io\/.*)$/;

/** Where a number stands for a name. */
function noTexts(value: unknown, path: string): string[] {
  if (typeof value !== 'object' || value === null) return [];
  return Object.entries(value).flatMap(([key, inside]: [string, unknown]) => [
    ...(TEXTS.test(key) && ['number', 'boolean'].includes(typeof inside)
      ? [`${path}.${key}: ${JSON.stringify(inside)}`]
      : []),
    ...noTexts(inside, `${path}.${key}`),
  ]);
}

it('lets labels and annotations of pods lie over those of everything, and under its own', async () => {
  const objects = await render({
    commonLabels: { team: 'platform', stage: 'test' },
    'gateway.podLabels': { team: 'edge' },
    'gateway.podAnnotations': { 'agentpool.dev/store': 'mine', note: 'x' },
  });
  const { labels, annotations } = podOf(find(objects, 'Deployment', 'agentpool-gateway')).metadata;
  expect(labels).toMatchObject({
    ...{ team: 'edge', stage: 'test' },
    'app.kubernetes.io/part-of': 'agentpool',
  });
  expect(annotations).toEqual({
    note: 'x',
    'agentpool.dev/store': expect.not.stringMatching(/^mine$/),
  });
});

describe('beside manifests/', () => {
  const VALUES = ['--values', join(CHART, '../../manifests/chart-values.yaml')];
  const MANIFESTS = ['crd/agentpools.yaml', 'rbac/operator.yaml', 'rbac/aggregated.yaml'];
  const read = (file: string): string => readFileSync(join(CHART, '../../manifests', file), 'utf8');

  it('makes nothing of what is there, and uses its account', async () => {
    const there = MANIFESTS.flatMap((file) => objectsIn(read(file))).map(nameOf);
    expect(there.length).toBeGreaterThan(8);
    const flags = ['--namespace', 'agentpool'];
    const alone = (await render({}, ...flags)).map(nameOf);
    expect(alone.filter((name) => there.includes(name))).not.toEqual([]);
    const objects = await render({}, ...flags, ...VALUES);
    expect(objects.map(nameOf).filter((name) => there.includes(name))).toEqual([]);
    const { spec } = podOf(find(objects, 'Deployment', 'agentpool-operator'));
    expect(spec).toMatchObject({ serviceAccountName: 'agentpool-operator' });
  });

  it('gives the same rights', async () => {
    const rulesIn = (objects: readonly Rendered[], part: string): unknown =>
      objects.find(
        ({ kind, metadata }) => kind === 'ClusterRole' && metadata.name.endsWith(part),
      )?.['rules'];
    const there = MANIFESTS.flatMap((file) => objectsIn(read(file)));
    const made = await render();
    for (const part of ['-operator', '-view', '-edit'])
      expect(rulesIn(there, part)).toEqual(rulesIn(made, part));
  });
});

it.each([
  ['1.2.3+build.7', 'agentpool-1.2.3_build.7', '1.2.3_build.7'],
  [`1.2.3-${'a'.repeat(49)}.b`, `agentpool-1.2.3-${'a'.repeat(47)}`, `1.2.3-${'a'.repeat(49)}.b`],
  [`1.2.3-${'a'.repeat(46)}.b`, `agentpool-1.2.3-${'a'.repeat(46)}`, `1.2.3-${'a'.repeat(46)}.b`],
])('has labels and images that a cluster takes of the version %s', async (version, chart, tag) => {
  const folder = mkdtempSync(join(tmpdir(), 'agentpool-chart-'));
  try {
    cpSync(CHART, folder, { recursive: true });
    const text = readFileSync(join(folder, 'Chart.yaml'), 'utf8');
    const versions = `version: ${version}\nappVersion: ${version}\n`;
    const others = text.replaceAll(/^(version|appVersion):.*\n/gm, '');
    writeFileSync(join(folder, 'Chart.yaml'), `${others}${versions}`);
    const objects = await renderChartIn(folder);
    const { metadata, spec } = podOf(find(objects, 'Deployment', 'agentpool-operator'));
    expect(metadata.labels).toMatchObject({
      'helm.sh/chart': chart,
      'app.kubernetes.io/version': tag,
    });
    expect(spec).toMatchObject({
      containers: [
        {
          image: `agentpool:${tag}`,
          args: expect.arrayContaining([`--runtime-image=agentpool-agent:${tag}`]),
        },
      ],
    });
  } finally {
    rmSync(folder, { recursive: true });
  }
});
