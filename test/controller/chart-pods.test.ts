/** Under which ids the pods of the chart run, and where. */
import { beforeAll, describe, expect, it } from '@jest/globals';
import { tools } from '../cluster/tools/tools.ts';
import { find, podOf, type Rendered, renderChart as render } from './rendered-chart.ts';

beforeAll(() => tools(), 600_000);

/** With the spec of its pods at hand. */
const specsIn = (objects: readonly Rendered[]): readonly object[] => [
  ...(['operator', 'gateway'] as const).map(
    (name) => podOf(find(objects, 'Deployment', `agentpool-${name}`)).spec,
  ),
  podOf(find(objects, 'StatefulSet', 'agentpool-redis')).spec,
  find(objects, 'Pod', 'agentpool-test')['spec'] as object,
];

describe('all pods', () => {
  const FIXED = { runAsNonRoot: true, seccompProfile: { type: 'RuntimeDefault' } };
  const IDS = { runAsUser: 65_532, runAsGroup: 65_532, fsGroup: 65_532 };

  it.each<[string, object, object]>([
    ['are one user, who is not root', {}, IDS],
    [
      'have the ids that are named',
      { 'podSecurityContext.runAsUser': 1_000_700_000, 'podSecurityContext.runAsGroup': 0 },
      { ...IDS, runAsUser: 1_000_700_000, runAsGroup: 0 },
    ],
    [
      'have the ids of the platform where one is given up',
      { 'podSecurityContext.runAsUser': null, 'podSecurityContext.fsGroup': null },
      { runAsGroup: 65_532 },
    ],
    ['have the ids of the platform where all are given up', { podSecurityContext: null }, {}],
    [
      'have what else there is to say of ids',
      { 'podSecurityContext.supplementalGroups': [5], 'podSecurityContext.fsGroup': null },
      { runAsUser: 65_532, runAsGroup: 65_532, supplementalGroups: [5] },
    ],
  ])('%s', async (_what, values, ids) => {
    const specs = specsIn(await render(values));
    for (const spec of specs) expect(spec).toMatchObject({ securityContext: expect.anything() });
    expect(specs.map((spec) => (spec as { securityContext: unknown }).securityContext)).toEqual(
      specs.map(() => ({ ...FIXED, ...ids })),
    );
  });
});

describe('the pod of helm test', () => {
  const testPod = async (values: object): Promise<unknown> =>
    find(await render(values), 'Pod', 'agentpool-test')['spec'];

  it('goes where gateways go', async () => {
    const nodeSelector = { pool: 'platform' };
    const tolerations = [{ key: 'platform', operator: 'Exists' }];
    const term = { matchExpressions: [{ key: 'arch', operator: 'In', values: ['arm64'] }] };
    const nodeAffinity = {
      requiredDuringSchedulingIgnoredDuringExecution: { nodeSelectorTerms: [term] },
    };
    const spec = await testPod({
      'gateway.nodeSelector': nodeSelector,
      'gateway.tolerations': tolerations,
      'gateway.affinity': { nodeAffinity },
    });
    expect(spec).toMatchObject({ nodeSelector, tolerations, affinity: { nodeAffinity } });
  });

  it('goes beside gateways that keep away from each other', async () => {
    const apart = {
      topologyKey: 'kubernetes.io/hostname',
      labelSelector: { matchLabels: { 'app.kubernetes.io/part-of': 'agentpool' } },
    };
    const podAntiAffinity = { requiredDuringSchedulingIgnoredDuringExecution: [apart] };
    expect(await testPod({ 'gateway.affinity': { podAntiAffinity } })).not.toHaveProperty(
      'affinity',
    );
  });
});
