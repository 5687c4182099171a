/** The CustomResourceDefinition on a real API server: what it takes, refuses, explains, and that applying again changes nothing. */
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { customResourceDefinition } from '../../api/crd-schema.ts';
import { type JsonSchema, schemaAt } from '../../api/json-schema.ts';
import { type ApiServer, startApiServer } from '../cluster/api-server.ts';
import { until } from '../e2e/until.ts';

const ROOT = fileURLToPath(new URL('../..', import.meta.url));
let api: ApiServer;

beforeAll(async () => {
  api = await startApiServer();
  await api.kubectl.run(['apply', '-k', `${ROOT}manifests`]);
  await api.kubectl.run(['wait', 'crd/agentpools.agentpool.dev', '--for=condition=Established']);
}, 600_000);
afterAll(() => api.stop(), 60_000);

const pool = (name: string, spec: object): object => ({
  apiVersion: 'agentpool.dev/v1alpha1',
  kind: 'AgentPool',
  metadata: { name },
  spec: { ...spec, runtime: { image: 'agents:1', ...(spec as { runtime?: object }).runtime } },
});

it('takes the samples, and an apply of the same has no effect', async () => {
  const apply = (): Promise<string> => api.kubectl.run(['apply', '-k', `${ROOT}manifests/samples`]);
  await apply();
  const before = await api.kubectl.list('agentpools');
  expect(before.map(({ metadata }) => metadata.name)).toEqual(['getting-started', 'my-agents']);
  const said = await apply();
  expect(said.match(/unchanged/g)).toHaveLength(3);
  const after = await api.kubectl.list('agentpools');
  const versions = (pools: typeof after) => pools.map(({ metadata }) => metadata.resourceVersion);
  expect(versions(after)).toEqual(versions(before));
});

it('writes every default, so that a re-apply by another tool is no drift', async () => {
  const manifest = pool('defaults', {});
  const applied = ['--server-side', '--field-manager=gitops'];
  await api.kubectl.apply([manifest], applied);
  const { spec, metadata } = await api.kubectl.get('agentpools', 'defaults');
  expect(spec).toMatchObject({
    replicas: 1,
    tiers: { default: 'WARM', hot: { quota: { memoryMb: 2048 } } },
    runtime: { isolation: 'WorkerThread' },
  });
  await api.kubectl.apply([manifest], applied);
  const again = await api.kubectl.get('agentpools', 'defaults');
  expect(again.metadata.resourceVersion).toBe(metadata.resourceVersion);
  await api.kubectl.run(['scale', 'agentpool/defaults', '--replicas=3']);
  expect((await api.kubectl.get('agentpools', 'defaults'))['spec']).toHaveProperty('replicas', 3);
});

it('finds nothing changed when every kind of variable is applied again', async () => {
  const env = [
    { name: 'PLAIN', value: 'a' },
    { name: 'EMPTY', value: '' },
    { name: 'BARE' },
    { name: 'KEY', valueFrom: { secretKeyRef: { name: 's', key: 'k' } } },
  ];
  const apply = (variables: readonly object[]): Promise<string> =>
    api.kubectl.apply([pool('variables', { runtime: { env: variables } })]);
  expect(await apply(env)).toMatch(/created/);
  expect(await apply(env)).toMatch(/unchanged/);
  // As an earlier version of the resource filled it in.
  await apply(env.map((variable) => ({ value: '', ...variable })));
  await apply(env);
  const stored = await api.kubectl.get('agentpools', 'variables');
  expect(stored).toHaveProperty('spec.runtime.env', env);
});

it.each<[string, Record<string, string | number>, Record<string, string | number>]>([
  ['units of both kinds', { memory: '1024Mi', cpu: '999m' }, { memory: '1Gi', cpu: 1 }],
  ['numbers', { cpu: 1, 'ephemeral-storage': 1_000 }, { cpu: 1, 'ephemeral-storage': '1Ki' }],
  ['no limit', { cpu: 2, memory: '2Gi' }, {}],
])('takes resources with %s', async (_what, requests, limits) => {
  await api.kubectl.apply([pool('resources', { runtime: { resources: { requests, limits } } })]);
});

const resources = (requests: object, limits: object): object => ({
  runtime: { resources: { requests, limits } },
});

const marks = (metadata: object): object => ({ runtime: { podTemplate: { metadata } } });

it('takes labels and annotations as pods have them', async () => {
  const labels = { team: '', 'example.com/Team_1': 'A.b-c', 'app.kubernetes.io/part-of': 'shop' };
  const annotations = { 'Example.com/note': 'any text', [`${'a'.repeat(253)}/b`]: 'c' };
  await api.kubectl.apply([pool('marked', marks({ labels, annotations }))]);
});

describe('refuses, naming the field,', () => {
  it.each<[string, object, RegExp]>([
    ['a number out of bounds', { replicas: -1 }, /spec\.replicas.*greater than or equal to 0/],
    ['an unknown field', { replica: 2 }, /AgentPool\.spec.*unknown field "replica"/],
    ['an unknown word', { tiers: { default: 'LUKEWARM' } }, /spec\.tiers\.default.*HOT/],
    ['a wrong type', { maxInstances: 'many' }, /spec\.maxInstances.*integer/],
    [
      'more standbys than places',
      { tiers: { hot: { standby: 5, maxInstances: 2 } } },
      /standby must not be above maxInstances/,
    ],
    [
      'more memory asked for than may be used',
      resources({ memory: '1.5Gi' }, { memory: '1Gi' }),
      /spec\.runtime\.resources\.requests\[memory\]: .*must not be above limits\.memory: lower/,
    ],
    [
      'more CPU asked for than may be used',
      resources({ cpu: 2 }, { cpu: '1500m' }),
      /spec\.runtime\.resources\.requests\[cpu\]: .*must not be above limits\.cpu: lower/,
    ],
    [
      'more scratch space asked for than may be used',
      resources({ 'ephemeral-storage': '1Ki' }, { 'ephemeral-storage': 1_000 }),
      /spec\.runtime\.resources\.requests\[ephemeral-storage\]: .*must not be above/,
    ],
    [
      'an amount in a unit that there is not',
      resources({}, { memory: '1ki' }),
      /spec\.runtime\.resources\.limits\.memory.*1ki/,
    ],
    [
      'a project twice',
      { projects: [1, 2].map(() => ({ tenant: 'acme', project: 'web' })) },
      /spec\.projects\[1\].*Duplicate value/,
    ],
    [
      'a tenant that is no name',
      { projects: [{ tenant: 'a/b', project: 'web' }] },
      /spec\.projects\[0\]\.tenant/,
    ],
    ['neither image nor module', { runtime: { image: undefined } }, /image/],
    ['storage that no cluster has', { checkpoint: { storage: 'embedded' } }, /storage/],
    [
      'a pod template that turns off what keeps pods safe',
      { runtime: { podTemplate: { spec: { automountServiceAccountToken: true } } } },
      /podTemplate.*automountServiceAccountToken/,
    ],
    ['a label that no pod may have', marks({ labels: { team: 'a b' } }), /labels\.team.*a b/],
    ['a label of no name', marks({ labels: { 'a b': 'c' } }), /metadata\.labels.*keys of labels/],
    ['an annotation of no name', marks({ annotations: { 'a/b/c': 'd' } }), /keys of annotations/],
    [
      'a label that pods are found by',
      marks({ labels: { 'app.kubernetes.io/managed-by': 'Helm' } }),
      /metadata\.labels.*managed-by are set by the operator/,
    ],
  ])('%s', async (_what, spec, message) => {
    const { code, stderr } = await api.kubectl.attemptApply([pool('wrong', spec)]);
    expect(stderr).toMatch(message);
    expect(code).not.toBe(0);
  });
});

const STATUS = {
  ...{ observedGeneration: 1, replicas: 0, readyReplicas: 0, desiredReplicas: 0 },
  ...{ updatedReplicas: 0, selector: '', currentRevision: '', updateRevision: '' },
  ...{ tiers: [], conditions: [], lastScaleReason: 'ScaledUp: spec.replicas is 1' },
};

/** Labels could be anything in it. */
function earlierDefinition(): object {
  const definition = structuredClone(customResourceDefinition());
  const path = 'spec.runtime.podTemplate.metadata.labels'.split('.');
  const labels = schemaAt(path, definition.spec.versions[0]?.schema.openAPIV3Schema);
  delete labels?.['x-kubernetes-validations'];
  delete (labels?.additionalProperties as JsonSchema).pattern;
  return definition;
}

it('lets be told of, and go, what an earlier version of it has taken', async () => {
  const spec = marks({ labels: { team: 'a b', 'app.kubernetes.io/managed-by': 'Helm' } });
  const attempt = (name: string, ...flags: readonly string[]) => {
    const metadata = { name, finalizers: ['agentpool.dev/erase'] };
    return api.kubectl.attemptApply([{ ...pool(name, spec), metadata }], flags);
  };
  await api.kubectl.apply([earlierDefinition()]);
  await until('the earlier one is served', async () => (await attempt('earlier')).code === 0);
  await api.kubectl.run(['apply', '-k', `${ROOT}manifests`]);
  await until(
    'the new one is served',
    async () => (await attempt('later', '--dry-run=server')).code !== 0,
  );
  const change = (to: object, ...flags: readonly string[]): Promise<string> =>
    api.kubectl.run(['patch', 'apool/earlier', '--type=merge', '-p', JSON.stringify(to), ...flags]);
  const scaledAt = (lastScaleTime: string): Promise<string> =>
    change({ status: { ...STATUS, lastScaleTime } }, '--subresource=status');
  await scaledAt('2026-01-02T03:05:05.000Z');
  await expect(scaledAt('yesterday')).rejects.toThrow(/lastScaleTime.*date-time/);
  await change({ metadata: { finalizers: [] } });
});

it('explains itself, with units and defaults', async () => {
  const explain = (field: string): Promise<string> => api.kubectl.run(['explain', field]);
  expect(await explain('agentpool.spec.tiers.warm')).toMatch(/idleSeconds[\s\S]*Default: 300/);
  expect(await explain('apool.spec.runtime.podTemplate')).toMatch(/DESCRIPTION/);
  expect(await explain('apool.status')).toMatch(/lastScaleReason[\s\S]*lastScaleTime/);
});

it('is part of the built-in roles', async () => {
  const role = await api.kubectl.get('clusterroles', 'agentpool-view');
  expect(role.metadata.labels).toMatchObject({
    'rbac.authorization.k8s.io/aggregate-to-view': 'true',
  });
  expect(role['rules']).toEqual([
    expect.objectContaining({
      resources: ['agentpools', 'agentpools/scale'],
      verbs: ['get', 'list', 'watch'],
    }),
    expect.objectContaining({ resources: ['agentpools/status'], verbs: ['get'] }),
  ]);
});
