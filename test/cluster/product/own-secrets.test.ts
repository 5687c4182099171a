/** With every Secret the user's own, as tools that only render charts need it: Redis over TLS as a restricted user, authorities of one's own inside and to clients; then certificates inside are renewed. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from '@jest/globals';
import type { KeyPairPem } from '../../../platform/tls/issue-certificate.ts';
import { issueFor, makeAuthority, tlsFiles } from '../../builders/certificates.ts';
import { until } from '../../e2e/until.ts';
import type { KubeObject } from '../control/kubectl.ts';
import { REPOSITORY } from '../images/base-image.ts';
import { IMAGES } from '../images/images.ts';
import { run } from '../process/run.ts';
import { anyCluster, createNamespace, type TestNamespace } from '../test-cluster.ts';
import { addressOf, untilPodReady } from '../test-pods.ts';
import { type Installation, install, RELEASE } from './installation.ts';
import { TestPool } from './test-pool.ts';

const cluster = anyCluster();
const { kubectl } = cluster;
const HEADLESS = `agentpool-gateway-headless.${RELEASE}.svc`;
const GATEWAYS = [`agentpool-gateway.${RELEASE}.svc`, HEADLESS, 'localhost'] as const;
const IDENTITIES = { operator: 'operator.agentpool.dev', gateway: 'gateway.agentpool.dev' };
const TOKEN = crypto.randomUUID();
const [inside, clients, ofRedis] = ['inside', 'clients', 'redis'].map((name) =>
  makeAuthority(name),
) as [KeyPairPem, KeyPairPem, KeyPairPem];

let home: TestNamespace;
let installation: Installation;
let pool: TestPool;

const secretOf = (name: string, namespace: string, stringData: object): object => ({
  ...{ apiVersion: 'v1', kind: 'Secret', metadata: { name, namespace }, stringData },
});

beforeAll(async () => {
  home = await createNamespace(kubectl, 'own');
  const release = { apiVersion: 'v1', kind: 'Namespace', metadata: { name: RELEASE } };
  await kubectl.apply([release, ...(await redis(home.name)), ...(await secrets(home.name))]);
  await untilPodReady(kubectl, [home.name, 'redis']);
  installation = await install(cluster, {
    redis: { secretName: 'own-redis' },
    internal: {
      caSecretName: 'own-authority',
      operatorSecretName: 'own-operator',
      gatewaySecretName: 'own-gateway',
    },
    auth: { tokensSecretName: 'own-tokens' },
    tls: { mode: 'Secret', secretName: 'own-tls' },
  });
  pool = await TestPool.create(cluster, 'own', {}, home);
  // Too long for the note that a client's own apply leaves.
  await kubectl.apply(await caller(home.name), ['--server-side']);
}, 240_000);

afterAll(async () => {
  await pool.remove();
  await installation.remove();
}, 240_000);

/** The user of the manual, and nobody else; whoever connects shows a certificate. */
async function redis(namespace: string): Promise<readonly object[]> {
  const metadata = { name: 'redis', namespace, labels: { app: 'redis' } };
  const page = readFileSync(join(REPOSITORY, 'docs/redis.md'), 'utf8');
  const block = page.slice(page.indexOf('<!-- user of the installation -->')).split('```')[1] ?? '';
  const user = block.trim().replace('ACL SETUSER', 'user').replace('PASSWORD', TOKEN);
  const settings = [
    ...['port 0', 'tls-port 6380', 'tls-auth-clients yes', 'protected-mode no'],
    ...['tls-cert-file /config/tls.crt', 'tls-key-file /config/tls.key'],
    ...['tls-ca-cert-file /config/ca.crt', 'aclfile /config/users.acl', 'dir /data'],
    ...['appendonly yes', 'appendfsync always', 'maxmemory-policy noeviction', 'save ""'],
  ];
  const server = await issueFor(ofRedis, `redis.${namespace}.svc`, 'localhost');
  const container = {
    ...{ name: 'redis', image: IMAGES.redis, imagePullPolicy: 'IfNotPresent' },
    command: ['redis-server', '/config/redis.conf'],
    readinessProbe: { tcpSocket: { port: 6380 }, periodSeconds: 1 },
    resources: { requests: { cpu: '50m', memory: '64Mi' } },
    volumeMounts: ['config', 'data'].map((name) => ({ name, mountPath: `/${name}` })),
  };
  const config = { name: 'config', secret: { secretName: 'redis' } };
  return [
    secretOf('redis', namespace, {
      ...tlsFiles(server, ofRedis),
      'redis.conf': settings.join('\n'),
      'users.acl': `user default off\n${user.replaceAll(/\s+/g, ' ')}\n`,
    }),
    {
      ...{ apiVersion: 'v1', kind: 'Pod', metadata },
      spec: { containers: [container], volumes: [config, { name: 'data', emptyDir: {} }] },
    },
    {
      ...{ apiVersion: 'v1', kind: 'Service', metadata },
      spec: { selector: metadata.labels, ports: [{ port: 6380 }] },
    },
  ];
}

/** All that the chart would make itself. */
async function secrets(namespace: string): Promise<readonly object[]> {
  const admin = { token: TOKEN, subject: 'tests', tenants: ['*'], role: 'admin' };
  return [
    secretOf('own-redis', RELEASE, {
      ...{ url: `rediss://redis.${namespace}.svc:6380/0`, username: 'agentpool', password: TOKEN },
      ...tlsFiles(await issueFor(ofRedis, 'agentpool'), ofRedis),
    }),
    secretOf('own-authority', RELEASE, tlsFiles(inside)),
    secretOf('own-operator', RELEASE, await linkFiles('operator')),
    secretOf('own-gateway', RELEASE, await linkFiles('gateway')),
    secretOf('own-tls', RELEASE, tlsFiles(await issueFor(clients, ...GATEWAYS))),
    secretOf('own-tokens', RELEASE, { 'tokens.json': JSON.stringify([admin]) }),
  ];
}

const linkFiles = async (role: keyof typeof IDENTITIES): Promise<object> => ({
  key: TOKEN,
  ...tlsFiles(await issueFor(inside, IDENTITIES[role]), inside),
});

async function caller(namespace: string): Promise<readonly object[]> {
  const source = join(REPOSITORY, 'test/cluster/product/steady-caller.ts');
  const how = ['--bundle', '--platform=node', '--format=cjs', '--minify', '--log-level=error'];
  const text = await run(join(REPOSITORY, 'node_modules/.bin/esbuild'), [source, ...how]);
  const task = { pool: pool.path, tenant: 'acme', project: 'website', agent: 'counter' };
  const metadata = { name: 'caller', namespace };
  const container = {
    ...{ name: 'caller', image: IMAGES.base, imagePullPolicy: 'IfNotPresent' },
    command: ['node', '/caller/main.cjs', `${HEADLESS}:9090`, JSON.stringify(task)],
    resources: { requests: { cpu: '10m', memory: '64Mi' } },
    volumeMounts: [{ name: 'caller', mountPath: '/caller' }],
  };
  const spec = {
    ...{ restartPolicy: 'Never', terminationGracePeriodSeconds: 1 },
    containers: [container],
    volumes: [{ name: 'caller', secret: { secretName: 'caller' } }],
  };
  return [
    secretOf('caller', namespace, {
      ...{ 'main.cjs': text, 'ca.crt': clients.certificate, token: TOKEN },
    }),
    { apiVersion: 'v1', kind: 'Pod', metadata, spec },
  ];
}

interface Said {
  readonly count?: number;
  readonly peer?: string;
  readonly failure?: string;
}

/** All lines of the caller so far. */
async function said(): Promise<readonly Said[]> {
  const lines = await kubectl.attempt(['logs', 'caller', '-n', home.name]);
  return lines.stdout
    .split('\n')
    .filter((line) => line.startsWith('{'))
    .map((line) => JSON.parse(line) as Said);
}

/** By both gateways, so many times each from now on. */
async function untilBothAnswer(times: number): Promise<void> {
  const gateways = await installation.podsOf('gateway');
  const peers = gateways.map((pod) => `${addressOf(pod)}:9090`);
  expect(peers).toHaveLength(2);
  const before = (await said()).length;
  let last: readonly Said[] = [];
  await until(
    'both gateways answer',
    async () => {
      last = (await said()).slice(before);
      return peers.every((one) => last.filter(({ peer }) => peer === one).length >= times);
    },
    60_000,
  ).catch((cause: unknown) => {
    throw new Error(JSON.stringify(last.slice(-3)), { cause });
  });
}

/** Each task has counted once. */
async function expectCounted(): Promise<void> {
  const counts = (await said()).flatMap(({ count }) => count ?? []);
  expect(counts).toEqual(counts.map((_, index) => index + 1));
}

const ours = async (): Promise<readonly KubeObject[]> => [
  ...(await installation.podsOf('operator')),
  ...(await installation.podsOf('gateway')),
];

it('serves a service in the cluster through TLS, its calls spread over all gateways', async () => {
  await untilBothAnswer(10);
  expect((await said()).filter(({ failure }) => failure !== undefined)).toEqual([]);
  await expectCounted();
}, 90_000);

it('finds out what Redis can lose, with the rights of the manual', async () => {
  const { status } = await pool.untilReason('StoreDurable', 'RedisFsyncAlways');
  expect(status).toBe('True');
  const list = '--tls --cert /config/tls.crt --key /config/tls.key --cacert /config/ca.crt -p 6380';
  const asked = ['exec', '-n', home.name, 'redis', '--', 'redis-cli', ...list.split(' ')];
  const { stdout } = await kubectl.attempt([...asked, 'ping']);
  expect(stdout).toContain('NOAUTH');
});

it('takes renewed certificates inside without a restart', async () => {
  const before = await ours();
  for (const role of ['operator', 'gateway'] as const) {
    const patch = JSON.stringify({ stringData: await linkFiles(role) });
    const secret = ['secret', `own-${role}`, '-n', RELEASE];
    await kubectl.run(['patch', ...secret, '--type=merge', '--patch', patch]);
  }
  // The kubelet looks at once when a pod changes, else within a minute.
  const annotated = ['pods', '-n', RELEASE, '-l', 'app.kubernetes.io/part-of=agentpool'];
  await kubectl.run(['annotate', ...annotated, `look=${Date.now()}`]);
  await until(
    'operators and gateways have read them',
    async () => {
      const logs = before.map(({ metadata }) =>
        kubectl.run(['logs', metadata.name, '-n', RELEASE]),
      );
      return (await Promise.all(logs)).every((log) => /agentpool\/link".*reloaded/.test(log));
    },
    240_000,
  );
  // Nothing but new connections shows them: those to a runtime that takes the place of another.
  const [old] = await pool.pods();
  await pool.patch({ runtime: { config: { renewed: true } } });
  await until(
    'another runtime serves the pool',
    async () => {
      const pods = await pool.pods();
      return pods.length === 1 && pods[0]?.metadata.uid !== old?.metadata.uid;
    },
    90_000,
  );
  await untilBothAnswer(10);
  await expectCounted();
  const uids = (pods: readonly KubeObject[]) => pods.map(({ metadata }) => metadata.uid).toSorted();
  const after = await ours();
  expect(uids(after)).toEqual(uids(before));
  expect(after.map(restartsOf)).toEqual(before.map(restartsOf));
  const failures = (await said()).flatMap(({ failure }) => failure ?? []);
  expect(failures.filter((line) => !/DRAINING|RUNTIME_LOST/.test(line))).toEqual([]);
}, 400_000);

function restartsOf({ status }: KubeObject): unknown {
  const { containerStatuses } = status as {
    readonly containerStatuses: readonly { readonly restartCount: number }[];
  };
  return containerStatuses[0]?.restartCount;
}
