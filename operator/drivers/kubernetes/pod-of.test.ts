/** The pods that runtimes get. */
import { describe, expect, it } from '@jest/globals';
import type { AgentPoolSpecInput } from '../../../api/agent-pool.ts';
import { spec } from '../../../test/builders/pool-builders.ts';
import type { RuntimeRequest } from '../../pool/driver.ts';
import { modulePathOf } from '../../pool/module-path.ts';
import type { ModuleArtifact } from '../../pool/wanted-pool.ts';
import { copyName } from './copy-name.ts';
import { podOf } from './pod-of.ts';
import { disruptionBudget, networkPolicy, runtimeSecret, textOf } from './pool-objects.ts';

const SAFE_TO_EVICT = 'cluster-autoscaler.kubernetes.io/safe-to-evict';
const OWNER = { namespace: 'team', name: 'main', uid: 'uid-1' };

function request(
  input: AgentPoolSpecInput,
  over: Partial<RuntimeRequest> = {},
  module: Partial<ModuleArtifact> = {},
): RuntimeRequest {
  const parsed = spec(input);
  return {
    name: 'main-s01234-0',
    pool: 'team~main',
    role: 'shared',
    template: {
      revision: '0123456789',
      module: { digest: 'd', path: modulePathOf(parsed), ...module },
      spec: parsed,
    },
    resources: {},
    ...over,
  };
}

const IMAGE = { image: 'registry/agents:1' };
const podFor = (input: AgentPoolSpecInput, over?: Partial<RuntimeRequest>) =>
  podOf(request({ ...input, runtime: { ...IMAGE, ...input.runtime } }, over), OWNER, {});
const containerOf = (pod: ReturnType<typeof podOf>) => pod.spec?.containers[0];

describe('the pod of a runtime', () => {
  it('belongs to its pool, and says what it is', () => {
    expect(podFor({}).metadata).toEqual({
      name: 'main-s01234-0',
      namespace: 'team',
      labels: {
        'agentpool.dev/pool': 'main',
        'agentpool.dev/role': 'shared',
        'agentpool.dev/revision': '0123456789',
        'app.kubernetes.io/name': 'agentpool-runtime',
        'app.kubernetes.io/instance': 'main',
        'app.kubernetes.io/component': 'runtime',
        'app.kubernetes.io/managed-by': 'agentpool-operator',
      },
      annotations: { [SAFE_TO_EVICT]: 'true' },
      ownerReferences: [
        {
          apiVersion: 'agentpool.dev/v1alpha1',
          kind: 'AgentPool',
          name: 'main',
          uid: 'uid-1',
          controller: true,
          blockOwnerDeletion: true,
        },
      ],
    });
  });

  it('has no token, no rights and nothing to write to but one folder', () => {
    const pod = podFor({});
    expect(pod.spec).toMatchObject({
      automountServiceAccountToken: false,
      securityContext: {
        runAsNonRoot: true,
        runAsUser: 65_532,
        seccompProfile: { type: 'RuntimeDefault' },
      },
    });
    expect(containerOf(pod)?.securityContext).toEqual({
      allowPrivilegeEscalation: false,
      readOnlyRootFilesystem: true,
      capabilities: { drop: ['ALL'] },
    });
    const writable = containerOf(pod)?.volumeMounts?.filter((mount) => mount.readOnly !== true);
    expect(writable?.map((mount) => mount.mountPath)).toEqual(['/run/agentpool']);
  });

  it.each([
    ['shared', 'Always'],
    ['dedicated', 'Never'],
  ] as const)('%s: restarts %s', (role, restartPolicy) => {
    expect(podFor({}, { role }).spec?.restartPolicy).toBe(restartPolicy);
  });

  it('has time for the longest task and 15 s more', () => {
    const pod = podFor({ limits: { taskTimeoutSeconds: 30 } });
    expect(pod.spec?.terminationGracePeriodSeconds).toBe(45);
  });

  it('is not waited for that long when it answers no probe', () => {
    const { startupProbe, livenessProbe, readinessProbe } = containerOf(podFor({})) ?? {};
    const graces = [startupProbe, livenessProbe, readinessProbe].map(
      (probe) => probe?.terminationGracePeriodSeconds,
    );
    expect(graces).toEqual([5, 5, undefined]);
  });

  it('shared: has the resources of the manifest', () => {
    const resources = { requests: { cpu: '50m' }, limits: { memory: '2Gi' } };
    expect(containerOf(podFor({ runtime: { resources } }))?.resources).toEqual(resources);
  });

  it('dedicated: has the memory of its project and 128 Mi more, and remembers its class', () => {
    const pod = podFor({}, { role: 'dedicated', resources: { memoryMb: 512 } });
    expect(containerOf(pod)?.resources).toEqual({
      requests: { cpu: '100m', memory: '640Mi' },
      limits: { memory: '640Mi' },
    });
    expect(pod.metadata?.annotations).toEqual({
      'agentpool.dev/memory-mb': '512',
      [SAFE_TO_EVICT]: 'true',
    });
    expect(pod.metadata?.labels?.['agentpool.dev/tier']).toBe('HOT');
  });

  it('gets the environment of the manifest before its own, so that its own counts', () => {
    const pod = podFor({
      runtime: {
        env: [{ name: 'GREETING', value: 'hello' }],
        envFrom: [{ secretRef: { name: 'more' } }],
      },
    });
    const env = containerOf(pod)?.env ?? [];
    expect(env[0]).toEqual({ name: 'GREETING', value: 'hello' });
    expect(
      env
        .filter(({ name }) => name.startsWith('AGENTPOOL_'))
        .map(({ name, value }) => [name, value]),
    ).toEqual([
      ['AGENTPOOL_NAMESPACE', 'team'],
      ['AGENTPOOL_POOL', 'main'],
      ['AGENTPOOL_ROLE', 'shared'],
      ['AGENTPOOL_REVISION', '0123456789'],
      ['AGENTPOOL_MODULE', './agents.ts'],
      ['AGENTPOOL_GRACE_SECONDS', '315'],
      ['AGENTPOOL_RUNTIME', undefined],
      ['AGENTPOOL_POD_IP', undefined],
    ]);
    expect(containerOf(pod)?.envFrom).toEqual([{ secretRef: { name: 'more' } }]);
  });

  it('mounts the key of a ConfigMap as its module', () => {
    const moduleFrom = { configMapRef: { name: 'agents', key: 'a.ts' } };
    const mounted = { configMap: 'agents', key: 'a.ts', digest: 'of the text' };
    const asked = request({ runtime: { moduleFrom } }, {}, { mounted, image: 'default-image' });
    const pod = podOf(asked, OWNER, {});
    expect(asked.template.module.path).toBe('/etc/agentpool/module/a.ts');
    expect(containerOf(pod)?.image).toBe('default-image');
    expect(pod.spec?.volumes).toContainEqual({
      name: 'agentpool-module',
      configMap: {
        name: copyName(OWNER.name, mounted),
        items: [{ key: 'a.ts', path: 'a.ts' }],
      },
    });
    expect(containerOf(pod)?.volumeMounts).toContainEqual({
      name: 'agentpool-module',
      mountPath: '/etc/agentpool/module',
      readOnly: true,
    });
  });

  it('logs as the installation does', () => {
    const pod = podOf(request({ runtime: IMAGE }), OWNER, { logLevel: 'debug' });
    expect(containerOf(pod)?.env).toContainEqual({ name: 'AGENTPOOL_LOG_LEVEL', value: 'debug' });
  });

  it('needs an image', () => {
    expect(() => podOf(request({}), OWNER, {})).toThrow('spec.runtime.image');
  });

  it("takes its author's security context, and stays restricted in what that leaves out", () => {
    const spec = {
      securityContext: { runAsUser: 1_000 },
      containers: [{ name: 'runtime', securityContext: { readOnlyRootFilesystem: false } }],
    };
    const pod = podFor({ runtime: { podTemplate: { spec } } });
    expect(pod.spec?.securityContext).toMatchObject({
      ...{ runAsNonRoot: true, runAsUser: 1_000 },
      seccompProfile: { type: 'RuntimeDefault' },
    });
    expect(containerOf(pod)?.securityContext).toEqual({
      allowPrivilegeEscalation: false,
      readOnlyRootFilesystem: false,
      capabilities: { drop: ['ALL'] },
    });
  });

  it('is overlaid by the pool, then by the tier of its role', () => {
    const input: AgentPoolSpecInput = {
      runtime: {
        podTemplate: {
          metadata: { labels: { team: 'a' } },
          spec: {
            nodeSelector: { disk: 'ssd', zone: 'a' },
            imagePullSecrets: [{ name: 'pull' }],
            containers: [
              { name: 'runtime', volumeMounts: [{ name: 'cache', mountPath: '/cache' }] },
              { name: 'beside', image: 'proxy' },
            ],
            volumes: [{ name: 'cache', emptyDir: {} }],
          },
        },
      },
      tiers: {
        hot: { podTemplate: { spec: { nodeSelector: { zone: 'hot' }, runtimeClassName: 'kata' } } },
      },
    };
    const shared = podFor(input);
    const dedicated = podFor(input, { role: 'dedicated' });
    expect(shared.spec?.nodeSelector).toEqual({ disk: 'ssd', zone: 'a' });
    expect(dedicated.spec?.nodeSelector).toEqual({ disk: 'ssd', zone: 'hot' });
    expect(dedicated.spec?.runtimeClassName).toBe('kata');
    expect(shared.metadata?.labels).toMatchObject({ team: 'a', 'agentpool.dev/pool': 'main' });
    expect(shared.spec?.containers.map(({ name }) => name)).toEqual(['runtime', 'beside']);
    const paths = containerOf(shared)?.volumeMounts?.map((mount) => mount.mountPath);
    expect(paths).toEqual([
      '/etc/agentpool/runtime',
      '/etc/agentpool/tenants',
      '/run/agentpool',
      '/cache',
    ]);
    expect(shared.spec?.volumes?.map(({ name }) => name)).toContain('agentpool-runtime');
  });
});

describe('the nodes of its pods', () => {
  it('may be scaled down, unless its author keeps them, for the pool or for a tier', () => {
    const podTemplate = { metadata: { annotations: { [SAFE_TO_EVICT]: 'false', team: 'a' } } };
    const annotationsOf = (...asked: Parameters<typeof podFor>) =>
      podFor(...asked).metadata?.annotations;
    expect(annotationsOf({ runtime: { podTemplate } })).toEqual({
      [SAFE_TO_EVICT]: 'false',
      team: 'a',
    });
    const ofHot: AgentPoolSpecInput = { tiers: { hot: { podTemplate } } };
    expect(annotationsOf(ofHot, { role: 'dedicated' })).toMatchObject({ [SAFE_TO_EVICT]: 'false' });
    expect(annotationsOf(ofHot)).toEqual({ [SAFE_TO_EVICT]: 'true' });
  });

  const constraintsOf = (...asked: Parameters<typeof podFor>) =>
    podFor(...asked).spec?.topologySpreadConstraints;
  const byHost = { topologyKey: 'kubernetes.io/hostname', whenUnsatisfiable: 'ScheduleAnyway' };

  it.each(['shared', 'dedicated'] as const)(
    '%s: differ where they can, by pool, role and revision',
    (role) => {
      const matchLabels = {
        'agentpool.dev/pool': 'main',
        'agentpool.dev/role': role,
        'agentpool.dev/revision': '0123456789',
      };
      expect(constraintsOf({}, { role })).toEqual([
        { maxSkew: 1, ...byHost, labelSelector: { matchLabels } },
      ]);
      expect(podFor({}, { role }).metadata?.labels).toMatchObject(matchLabels);
    },
  );

  it.each([
    ['others', [{ maxSkew: 2, ...byHost, labelSelector: { matchLabels: { team: 'a' } } }]],
    ['none', []],
  ])("are its author's to say, of the pool or of the tier: %s", (_which, own) => {
    const podTemplate = { spec: { topologySpreadConstraints: own } };
    expect(constraintsOf({ runtime: { podTemplate } })).toEqual(own);
    expect(constraintsOf({ tiers: { warm: { podTemplate } } })).toEqual(own);
    const ofHot: AgentPoolSpecInput = { tiers: { hot: { podTemplate } } };
    expect(constraintsOf(ofHot, { role: 'dedicated' })).toEqual(own);
    expect(constraintsOf(ofHot)).toHaveLength(1);
  });
});

describe('what a pool has besides', () => {
  it('a Secret, readable again', () => {
    const secret = runtimeSecret(OWNER, { key: 'sesame' });
    expect(secret.metadata?.name).toBe('main-agentpool-runtime');
    expect(textOf(secret, 'key')).toBe('sesame');
    expect(textOf(secret, 'other')).toBeUndefined();
  });

  it.each([
    [3, 1, 2],
    [1, 1, 0],
    [0, 1, 0],
  ])('a budget: of %i runtimes %i may be away: %i stay', (wanted, away, stay) => {
    const budget = disruptionBudget(OWNER, 'dedicated', wanted, away);
    expect(budget.metadata?.name).toBe('main-dedicated');
    expect(budget.spec).toMatchObject({
      minAvailable: stay,
      selector: {
        matchLabels: { 'agentpool.dev/pool': 'main', 'agentpool.dev/role': 'dedicated' },
      },
    });
  });

  it('a policy that lets only our own processes reach the link', () => {
    const { spec: policy } = networkPolicy(OWNER, 'agentpool-system');
    const link = policy?.ingress?.filter((rule) => rule.ports?.some(({ port }) => port === 50_051));
    expect(link).toHaveLength(1);
    expect(link?.[0]?.from).toEqual([
      {
        namespaceSelector: { matchLabels: { 'kubernetes.io/metadata.name': 'agentpool-system' } },
        podSelector: {
          matchLabels: { 'app.kubernetes.io/part-of': 'agentpool' },
          matchExpressions: [
            { key: 'app.kubernetes.io/component', operator: 'In', values: ['gateway', 'operator'] },
          ],
        },
      },
      { podSelector: { matchLabels: { 'agentpool.dev/pool': 'main' } } },
    ]);
    expect(policy?.policyTypes).toEqual(['Ingress']);
  });
});
