/** Every pod of an installation and of its pools is admitted where a namespace enforces the restricted pod security standard. */
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, expect, it } from '@jest/globals';
import { parseAllDocuments } from 'yaml';
import { API_VERSION, KIND } from '../../api/agent-pool.ts';
import type { KubeObject } from '../cluster/control/kubectl.ts';
import { run } from '../cluster/process/run.ts';
import { tools } from '../cluster/tools/tools.ts';
import { until } from '../e2e/until.ts';
import { ClusterOperators } from './operator-world.ts';

const CHART = fileURLToPath(new URL('../../charts/agentpool', import.meta.url));
const NAMESPACE = 'restricted';
let world: ClusterOperators;

beforeAll(async () => {
  world = await ClusterOperators.start({ controllers: true });
  const { kubectl } = world.api;
  const labels = { 'pod-security.kubernetes.io/enforce': 'restricted' };
  await kubectl.apply([
    { apiVersion: 'v1', kind: 'Namespace', metadata: { name: NAMESPACE, labels } },
  ]);
  const hasAccount = ['serviceaccount', 'default', NAMESPACE] as const;
  await kubectl.until('it has its service account', hasAccount, () => true);
  await world.startOperator();
}, 600_000);
afterAll(() => world.stop(), 60_000);

const tryPod = (spec: object) =>
  world.api.kubectl.apply(
    [{ apiVersion: 'v1', kind: 'Pod', metadata: { name: 'pod', namespace: NAMESPACE }, spec }],
    ['--dry-run=server'],
  );

it('refuses what nobody has restricted', async () => {
  const any = tryPod({ containers: [{ name: 'any', image: 'any:1' }] });
  await expect(any).rejects.toThrow(/violates PodSecurity "restricted/);
});

it('admits shared runtimes, standbys and those of HOT projects', async () => {
  const metadata = { name: 'all', namespace: NAMESPACE };
  const spec = {
    runtime: { image: 'agents:1' },
    projects: [{ tenant: 'acme', project: 'website', tier: 'HOT' }],
    tiers: { hot: { standby: 1 } },
  };
  await world.api.kubectl.apply([{ apiVersion: API_VERSION, kind: KIND, metadata, spec }]);
  const roles = async (): Promise<readonly unknown[]> =>
    (await world.pods('all', NAMESPACE))
      .map(({ metadata: { labels = {} } }) => labels['agentpool.dev/role'])
      .sort();
  const expected = ['dedicated', 'dedicated', 'shared'];
  const areThere = async () => (await roles()).length === expected.length;
  await until('a pod of each kind is there', areThere, 40_000);
  expect(await roles()).toEqual(expected);
}, 90_000);

it('admits every pod of the chart', async () => {
  const { helm } = await tools();
  const rendered = await run(helm, [
    ...['template', 'agentpool', CHART, '--kube-version', '1.34.0'],
    ...['--set', 'redis.bundled.persistence.enabled=false'],
  ]);
  const objects = parseAllDocuments(rendered).map((document) => document.toJS() as KubeObject);
  const specs = objects.flatMap((object) => podSpecsOf(object));
  expect(specs.map(({ name }) => name).sort()).toEqual([
    'agentpool-gateway',
    'agentpool-operator',
    'agentpool-redis',
    'agentpool-test',
  ]);
  for (const { spec } of specs) await tryPod({ ...spec, serviceAccountName: 'default' });
}, 60_000);

function podSpecsOf(object: KubeObject | null): readonly { name: string; spec: object }[] {
  if (object === null) return [];
  const { name } = object.metadata;
  const { spec } = object as { spec?: { template?: { spec?: object } } };
  if (object['kind'] === 'Pod' && spec !== undefined) return [{ name, spec }];
  const inner = spec?.template?.spec;
  return inner === undefined ? [] : [{ name, spec: inner }];
}
