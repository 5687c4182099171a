/** A platform engineer's day: the quick start of docs/kubernetes.md, command by command, and what kubectl and callers see after each. */
import { mkdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from '@jest/globals';
import { parse } from 'yaml';
import { until } from '../e2e/until.ts';
import { askedBy } from './audit.ts';
import { commandsOf } from './document.ts';
import { IMAGES } from './images/images.ts';
import { REPOSITORY } from './images/base-image.ts';
import { ownedFolder } from './process/folder.ts';
import { type Ran, run } from './process/run.ts';
import { takeAway } from './process/take-away.ts';
import { anyCluster, itWith } from './test-cluster.ts';
import { runInPod } from './test-pods.ts';

const cluster = anyCluster();
const { kubectl } = cluster;
const steps = commandsOf(join(REPOSITORY, 'docs/kubernetes.md'));
const { folder, watchdog } = ownedFolder();
const bin = join(folder, 'bin');
const POOL = ['agentpool', 'getting-started'] as const;

/** This cluster has no volumes, and two cores for everything. */
const VALUES = `
redis: { bundled: { persistence: { enabled: false }, resources: { requests: { cpu: 50m } } } }
gateway: { resources: { requests: { cpu: 50m } } }
operator: { resources: { requests: { cpu: 20m } } }
`;

/** For what kubectl itself waits up to two minutes for. */
const LONG = { withinMs: 150_000 };

const startedMs = Date.now();

beforeAll(() => {
  mkdirSync(bin);
  symlinkSync(cluster.tools.kubectl, join(bin, 'kubectl'));
  symlinkSync(cluster.tools.helm, join(bin, 'helm'));
  const plugin = join(REPOSITORY, 'cli/kubectl-agentpool.js');
  writeFileSync(
    join(bin, 'kubectl-agentpool'),
    `#!/bin/sh\nexec ${process.execPath} ${plugin} "$@"\n`,
    {
      mode: 0o755,
    },
  );
  writeFileSync(join(folder, 'values.yaml'), VALUES);
});

afterAll(async () => {
  // While there is an operator: a pool that waits for one would hold the resource, and the next test that makes it.
  const all = ['agentpool', '--all', '--all-namespaces', '--timeout=60s'];
  await kubectl.attempt(['delete', ...all], { withinMs: 90_000 });
  await cluster.helm(['uninstall', 'agentpool', '-n', 'agentpool', '--ignore-not-found', '--wait']);
  await kubectl.attempt(['delete', 'crd', 'agentpools.agentpool.dev', '--timeout=60s'], LONG);
  await kubectl.run(['delete', 'namespace', 'agentpool', '--ignore-not-found', '--wait=false']);
  await kubectl.untilGone('namespace', 'agentpool', 'agentpool', 180_000);
  await takeAway(folder);
  watchdog.dismiss();
}, 400_000);

/** Runs the commands of a step as they stand in the document; what they said, one after the other. */
async function follow(heading: string): Promise<string> {
  const commands = steps.get(heading) ?? [];
  expect(commands).not.toEqual([]);
  const said: string[] = [];
  for (const command of commands) said.push(await shell(command));
  return said.join('\n');
}

function shell(command: string): Promise<string> {
  const isInstall = command.startsWith('helm install');
  const line = isInstall ? `${command} --values ${join(folder, 'values.yaml')}` : command;
  return run('sh', ['-c', line], {
    cwd: REPOSITORY,
    withinMs: 240_000,
    env: {
      KUBECONFIG: cluster.kubeconfig,
      // Step 0 is done: nodes have the images, under the names that a registry of none has.
      REGISTRY: 'docker.io/library',
      PATH: `${bin}:${process.env['PATH'] ?? ''}`,
    },
  });
}

async function adminToken(): Promise<string> {
  const secret = await kubectl.get('secret', 'agentpool-tokens', 'agentpool');
  const { 'admin-token': token = '' } = secret['data'] as Readonly<Record<string, string>>;
  return Buffer.from(token, 'base64').toString();
}

/** As a service in the cluster would: gRPC by the Service's name. */
async function callFromPod(project: string, input: string): Promise<Ran> {
  const request = {
    pool: 'getting-started',
    tenant: 'acme',
    project,
    agent: 'counter',
    text: input,
  };
  const token = await adminToken();
  return runInPod(
    kubectl,
    ['default', IMAGES.client],
    [
      'grpcurl',
      ...['-plaintext', '-H', `authorization: Bearer ${token}`, '-d', JSON.stringify(request)],
      'agentpool-gateway.agentpool.svc:9090',
      'agentpool.v1.AgentPoolService/Execute',
    ],
  );
}

const READ_CPU_LIMIT = `
const { existsSync, readFileSync } = require('node:fs');
const read = (file) => readFileSync('/sys/fs/cgroup/' + file, 'utf8').trim();
const [quota, period] = existsSync('/sys/fs/cgroup/cpu.max')
  ? read('cpu.max').split(' ')
  : [read('cpu/cpu.cfs_quota_us'), read('cpu/cpu.cfs_period_us')];
console.log(quota / period);`;

/** In cores, as its kernel has it. */
async function cpuLimitOf(pod: string): Promise<number> {
  return Number(await kubectl.run(['exec', pod, '--', 'node', '-e', READ_CPU_LIMIT]));
}

const runtimePods = () => kubectl.list('pods', 'default', 'agentpool.dev/pool=getting-started');
const role = (name: string) => (pod: { metadata: { labels?: Readonly<Record<string, string>> } }) =>
  pod.metadata.labels?.['agentpool.dev/role'] === name;

it('1. installs', async () => {
  await follow('1. Install');
  const { status } = await kubectl.get('deployment', 'agentpool-gateway', 'agentpool');
  expect(status).toMatchObject({ readyReplicas: 2 });
}, 240_000);

it('2. makes a pool whose pods are restricted and have no token', async () => {
  const said = await follow('2. A pool');
  expect(said).toMatch(/getting-started +True +1 +1 +\d+ +\d+ +AllReady/);
  const pods = await runtimePods();
  expect(pods.length).toBeGreaterThan(0);
  for (const { spec } of pods)
    expect(spec).toMatchObject({
      automountServiceAccountToken: false,
      securityContext: { runAsNonRoot: true, seccompProfile: { type: 'RuntimeDefault' } },
      containers: [
        {
          securityContext: {
            allowPrivilegeEscalation: false,
            readOnlyRootFilesystem: true,
            capabilities: { drop: ['ALL'] },
          },
        },
      ],
    });
}, 180_000);

it('3. is called, by kubectl and over gRPC from a pod', async () => {
  expect(await follow('3. Call it')).toContain('website');
  const { stdout, stderr } = await callFromPod('website', 'again');
  expect(`${stdout}${stderr}`).toMatch(/"count": *2|count.*2/);
}, 120_000);

it('4. gives a project a pod of its own', async () => {
  await follow('4. Tiers');
  await until(
    'the project is served by its own pod',
    async () => (await callFromPod('website', 'hot')).stdout.includes('HOT'),
    60_000,
  );
  const ownPod = async () =>
    (await runtimePods())
      .filter(role('dedicated'))
      .find(({ metadata }) => metadata.labels?.['agentpool.dev/project'] !== undefined);
  const own = await until('its pod says so', ownPod, 10_000);
  // One core of the quota, and half of one for what it takes to serve.
  expect(await cpuLimitOf(own.metadata.name)).toBe(1.5);
}, 120_000);

it('5. scales', async () => {
  await follow('5. Scale');
  expect((await runtimePods()).filter(role('shared')).length).toBe(2);
}, 120_000);

it('6. changes, and tells the story in events', async () => {
  const before = await kubectl.get(...POOL);
  await follow('6. Change');
  const after = await kubectl.get(...POOL);
  const revision = ({ status }: typeof after): unknown =>
    (status as { readonly currentRevision?: string }).currentRevision;
  expect(revision(after)).not.toBe(revision(before));
  await until('the events tell of the roll-out', async () =>
    /RolloutStarted[\s\S]*RolloutCompleted/.test(
      await shell('kubectl describe agentpool/getting-started'),
    ),
  );
  const { stdout } = await callFromPod('website', 'after');
  expect(stdout).toContain('count');
}, 240_000);

it('7. stops and goes on with what it knew', async () => {
  await follow('7. Stop and go');
  const { stdout } = await callFromPod('website', 'back');
  expect(Number(/"count": *(\d+)/.exec(stdout)?.[1] ?? 0)).toBeGreaterThan(3);
}, 240_000);

it("serves agents in a ConfigMap, tenants' secrets, and pools whose projects go with them", async () => {
  await kubectl.apply([
    { apiVersion: 'v1', kind: 'Secret', metadata: { name: 'acme' }, stringData: { key: 'sesame' } },
    {
      apiVersion: 'v1',
      kind: 'ConfigMap',
      metadata: { name: 'own-agents' },
      data: {
        'agents.ts': tellerModule('context.secrets.key'),
      },
    },
    {
      apiVersion: 'agentpool.dev/v1alpha1',
      kind: 'AgentPool',
      metadata: { name: 'own' },
      spec: {
        runtime: { moduleFrom: { configMapRef: { name: 'own-agents', key: 'agents.ts' } } },
        tenants: [{ name: 'acme', secretRef: { name: 'acme' } }],
        deletionPolicy: 'Delete',
      },
    },
  ]);
  await kubectl.run(['wait', 'agentpool/own', '--for=condition=Ready', '--timeout=120s'], LONG);
  const ask = 'kubectl agentpool ask --pool own --tenant acme --project website hello';
  expect(await shell(ask)).toContain('sesame');
  const unmanaged = JSON.stringify({
    spec: { networkPolicy: 'Unmanaged', tenants: [{ name: 'acme', secretRef: null }] },
  });
  await kubectl.run(['patch', 'agentpool/own', '--type=merge', '--patch', unmanaged]);
  await until('what it does not need any more is gone', async () => {
    const policies = await kubectl.list('networkpolicies');
    const { data = {} } = await kubectl.get('secret', 'own-agentpool-tenants');
    const isOver = !policies.some(({ metadata }) => metadata.name === 'own-runtimes');
    return isOver && Object.keys(data as object).length === 0;
  });
  const [before] = await copiesOfOwn();
  const edited = JSON.stringify({ data: { 'agents.ts': tellerModule('task.input') } });
  await kubectl.run(['patch', 'configmap/own-agents', '--type=merge', '--patch', edited]);
  await until(
    'its pods have a copy of the new text, and the old one is gone',
    async () => {
      const copies = await copiesOfOwn();
      return copies.length === 1 && copies[0] !== before;
    },
    90_000,
  );
  expect(await shell(ask)).toContain('hello');
  const own = ['agentpool/own', 'configmap/own-agents', 'secret/acme'];
  await kubectl.run(['delete', ...own, '--timeout=120s'], LONG);
}, 400_000);

itWith(cluster.own, 'has an operator that used all its rights, and asked for no others', (own) => {
  const asked = askedBy(
    'system:serviceaccount:agentpool:agentpool-operator',
    own.folder,
    startedMs,
  );
  const forbidden = asked.filter(({ isForbidden }) => isForbidden);
  expect(new Set(forbidden.map(({ resource, verb }) => `${verb} ${resource}`))).toEqual(new Set());
  const used = new Set(asked.map(({ resource, verb }) => `${verb} ${resource}`));
  // An apply of what is not there yet needs create, too, and is logged as patch.
  const isUsed = (right: string): boolean =>
    used.has(right) ||
    used.has(right.replace(/^create /, 'patch ')) ||
    AFTER_FAILURES.includes(right);
  const file = join(REPOSITORY, 'charts/agentpool/files/operator-rules.yaml');
  const unused = rightsOf(file).filter((right) => !isUsed(right));
  expect(unused).toEqual([]);
});

it('8. goes, and leaves the resource only', async () => {
  await follow('8. Delete');
  await until('its pods have drained', async () => (await runtimePods()).length === 0, 60_000);
  await until(
    'nothing else of it is left',
    async () => {
      const left = await kubectl.list('secrets,poddisruptionbudgets,networkpolicies', 'default');
      return !left.some(({ metadata }) => metadata.name.startsWith('getting-started'));
    },
    60_000,
  );
  expect(await kubectl.find('crd', 'agentpools.agentpool.dev')).toBeDefined();
}, 240_000);

function tellerModule(answer: string): string {
  return `export default { name: 'teller', process: async (task: any, context: any) => ${answer} };`;
}

/** Names of the copies of modules that the operator has made for the pool. */
async function copiesOfOwn(): Promise<readonly string[]> {
  const copies = await kubectl.list('configmaps', 'default', 'agentpool.dev/pool=own');
  return copies
    .map(({ metadata }) => metadata.name)
    .filter((name) => name.startsWith('own-module-'));
}

/** Rights that a day without failures and without pools that come back does not need: see the reasons in the file of rules. */
const AFTER_FAILURES: readonly string[] = ['get pods', 'patch configmaps'];

interface Rule {
  readonly apiGroups: readonly string[];
  readonly resources: readonly string[];
  readonly verbs: readonly string[];
}

/** `patch agentpools.agentpool.dev/status` … Rights that no request shows: of owners that block their deletion, which an admission plugin asks for. */
function rightsOf(file: string): readonly string[] {
  const rules = parse(readFileSync(file, 'utf8')) as readonly Rule[];
  return rules
    .flatMap(({ apiGroups, resources, verbs }) =>
      apiGroups.flatMap((group) =>
        resources.flatMap((resource) => {
          const [name = '', subresource] = resource.split('/');
          const whole = group === '' ? name : `${name}.${group}`;
          const path = subresource === undefined ? whole : `${whole}/${subresource}`;
          return verbs.map((verb) => `${verb} ${path}`);
        }),
      ),
    )
    .filter((right) => !right.endsWith('/finalizers'));
}
