/** Who may call and how: TLS by the Service's name, tokens of pods, one namespace that is watched; upgraded under load, and gone while its operator is away. */
import { dirname, join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { issueFor, makeAuthority } from '../../builders/certificates.ts';
import { until } from '../../e2e/until.ts';
import { askedBy } from '../audit.ts';
import type { KubeObject } from '../control/kubectl.ts';
import { REPOSITORY } from '../images/base-image.ts';
import { IMAGES } from '../images/images.ts';
import { untilCaughtUp } from '../faults/caught-up.ts';
import { attempt } from '../process/run.ts';
import { anyCluster, createNamespace, itWith, type TestNamespace } from '../test-cluster.ts';
import { addressOf, isReady } from '../test-pods.ts';
import { type Audience, CallerPod } from './caller-pod.ts';
import { type Installation, install, RELEASE } from './installation.ts';
import { securePoster } from './secure-post.ts';
import { ATTEMPT_MS, TaskCalls } from './task-calls.ts';
import { TestPool } from './test-pool.ts';

const cluster = anyCluster();
const { kubectl } = cluster;
const SERVICE = `agentpool-gateway.${RELEASE}.svc`;
const OPERATOR = `system:serviceaccount:${RELEASE}:agentpool-operator`;
let shop: TestNamespace;
let elsewhere: TestNamespace;
let installation: Installation;
let pool: TestPool;
let caller: CallerPod;
let stranger: CallerPod;
const startedMs = Date.now();
/** An API server that has just started refuses everybody until it has read the roles: it is not ready before. */
const apiServerAway = { fromMs: Number.POSITIVE_INFINITY, toMs: Number.POSITIVE_INFINITY };
/** All authorities that gateways have shown certificates of. */
const trusted: string[] = [];

beforeAll(async () => {
  [shop, elsewhere] = await Promise.all([
    createNamespace(kubectl, 'shop'),
    createNamespace(kubectl, 'elsewhere'),
  ]);
  const rules = [{ namespace: shop.name, tenants: ['acme'], role: 'caller' }];
  installation = await install(cluster, {
    tls: { mode: 'SelfSigned' },
    auth: { tokenReview: { enabled: true, rules } },
    watchNamespaces: [shop.name],
  });
  await kubectl.apply([
    {
      apiVersion: 'agentpool.dev/v1alpha1',
      kind: 'AgentPool',
      metadata: { name: 'unseen', namespace: elsewhere.name },
      spec: { runtime: { image: IMAGES.agent }, deletionPolicy: 'Delete' },
    },
  ]);
  trusted.push((await secretText('agentpool-gateway-tls', 'ca.crt')) ?? '');
  const place = (namespace: string) => ({ namespace, name: 'caller', server: SERVICE });
  [pool, caller, stranger] = await Promise.all([
    TestPool.create(cluster, 'access', {}, shop),
    CallerPod.start(kubectl, place(shop.name), trusted[0] ?? ''),
    CallerPod.start(kubectl, place(elsewhere.name), trusted[0] ?? ''),
  ]);
}, 240_000);

afterAll(async () => {
  await pool.remove();
  await elsewhere.remove();
  await installation.remove();
}, 240_000);

async function secretText(name: string, key: string): Promise<string | undefined> {
  const { data } = await kubectl.get('secret', name, RELEASE);
  const value = (data as Readonly<Record<string, string>>)[key];
  return value === undefined ? undefined : Buffer.from(value, 'base64').toString();
}

const task = (tenant: string): object => ({
  ...{ pool: pool.path, tenant, project: 'website', agent: 'counter' },
});

describe('a pod with a token of its service account', () => {
  const surfaces = (who: CallerPod, audience: Audience, tenant: string) =>
    Promise.all([
      who.grpc(audience, { ...task(tenant), text: '' }),
      who.http(audience, 'application/json', { ...task(tenant), input: '' }),
      who.http(audience, 'text/event-stream', { ...task(tenant), input: '' }),
    ]);

  it("is let in for its tenant, over TLS by the Service's name", async () => {
    const [grpc, http, events] = await surfaces(caller, 'agentpool', 'acme');
    expect(`${grpc.stdout}${grpc.stderr}`).toContain('"count"');
    expect(http).toMatchObject({ status: 200, text: expect.stringContaining('"count"') });
    expect(events).toMatchObject({ status: 200, text: expect.stringContaining('event: result') });
  }, 60_000);

  const FORBIDDEN = { code: 'PermissionDenied', status: 403, reason: 'FORBIDDEN' };
  const NOBODY = { code: 'Unauthenticated', status: 401, reason: 'TOKEN_INVALID' };
  const bot = { who: () => caller, audience: 'agentpool', tenant: 'acme' } as const;

  it.each([
    { what: 'is refused what is of another tenant', ...bot, tenant: 'other', ...FORBIDDEN },
    { what: 'is nobody with one for another audience', ...bot, audience: 'vault', ...NOBODY },
    { what: 'is nobody where no rule has its namespace', ...bot, who: () => stranger, ...NOBODY },
  ] as const)(
    '$what',
    async ({ who, audience, tenant, code, status, reason }) => {
      const [grpc, ...overHttp] = await surfaces(who(), audience, tenant);
      expect(grpc.code).not.toBe(0);
      expect(grpc.stderr).toContain(`Code: ${code}`);
      for (const answer of overHttp) {
        expect(answer.status).toBe(status);
        expect(answer.text).toContain(`"${reason}"`);
      }
    },
    60_000,
  );
});

itWith(
  cluster.own,
  'callers with tokens of Kubernetes notice nothing of an API server that is away for over a minute',
  async (own) => {
    const times = 100;
    await caller.askOn('agentpool', times, { ...task('acme'), input: '' });
    await new Promise((resolve) => setTimeout(resolve, 5_000));
    apiServerAway.fromMs = Date.now();
    await own.apiServer.end('SIGKILL');
    try {
      await new Promise((resolve) => setTimeout(resolve, 75_000));
    } finally {
      await own.startApiServerAgain();
      apiServerAway.toMs = Date.now();
    }
    const answers = await until('it has asked', () => caller.answers(), 90_000);
    expect(answers).toEqual(Array(times).fill(200));
    await untilCaughtUp(own);
  },
  600_000,
);

describe('the command line', () => {
  it('reaches the gateways over TLS as a plugin of kubectl', async () => {
    const plugin = join(REPOSITORY, 'cli/kubectl-agentpool.js');
    const { code, stdout, stderr } = await attempt(
      process.execPath,
      [plugin, 'get', 'pools', '-A'],
      {
        env: {
          KUBECONFIG: cluster.kubeconfig,
          PATH: `${dirname(cluster.tools.kubectl)}:${process.env['PATH'] ?? ''}`,
        },
      },
    );
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
    expect(stdout).toContain(pool.path);
  }, 60_000);

  it("reaches them by the Service's name from a pod: helm test", async () => {
    const said = await cluster.helm(['test', RELEASE, '-n', RELEASE]);
    expect(said).toMatch(/Phase: +Succeeded/);
  }, 300_000);
});

describe('a pool in a namespace that is not watched', () => {
  it('is left alone, and the notes say so', async () => {
    const { metadata, ...unseen } = await kubectl.get('agentpool', 'unseen', elsewhere.name);
    expect([unseen['status'], metadata['finalizers']]).toEqual([undefined, undefined]);
    const pods = await kubectl.list('pods', elsewhere.name, 'agentpool.dev/pool');
    expect(pods).toEqual([]);
    const notes = await cluster.helm(['get', 'notes', RELEASE, '-n', RELEASE]);
    expect(notes).toContain(`Pools are served in these namespaces only: ${shop.name}.`);
  });

  itWith(cluster.own, 'makes the operator ask for nothing that it may not have', ({ folder }) => {
    const { fromMs, toMs } = apiServerAway;
    const refused = askedBy(OPERATOR, folder, startedMs).filter(
      ({ isForbidden, atMs }) => isForbidden && (atMs < fromMs || atMs > toMs),
    );
    expect(refused).toEqual([]);
  });
});

/** A gateway or runtime has just left. */
const UPGRADING = /ECONNRE|socket hang up|DRAINING|RUNTIME_LOST/;

/** Callers over TLS, by the address of the Service. */
async function underLoad(during: (calls: TaskCalls) => Promise<void>): Promise<readonly string[]> {
  const { hostname: host, port } = new URL(installation.url);
  const poster = securePoster({ host, port: Number(port), name: SERVICE }, trusted, ATTEMPT_MS);
  const calls = new TaskCalls(installation, pool, { post: (...sent) => poster.post(...sent) });
  try {
    await calls.untilAnswers(3);
    await during(calls);
    await calls.untilAnswers(3);
  } finally {
    const { failures, answered, counted } = await calls.stop();
    poster.close();
    expect(counted).toEqual(answered);
    expect(failures.filter((line) => !UPGRADING.test(line))).toEqual([]);
  }
  return calls.failures;
}

const gatewayPods = (): Promise<readonly KubeObject[]> => installation.podsOf('gateway');
const uidsOf = (pods: readonly KubeObject[]): readonly unknown[] =>
  pods.map(({ metadata }) => metadata.uid).toSorted();
const serialsOfAll = async (): Promise<ReadonlySet<string>> => {
  const shown = (await gatewayPods()).map((pod) => caller.serials(addressOf(pod)));
  return new Set((await Promise.all(shown)).flat());
};

it('shows a replaced certificate to new connections, without a restart', async () => {
  const [before] = [...(await serialsOfAll())];
  const pods = await gatewayPods();
  const authority = makeAuthority('another one of the clients');
  trusted.push(authority.certificate);
  const { certificate, key } = await issueFor(authority, SERVICE, 'localhost');
  const failures = await underLoad(async () => {
    const stringData = {
      ...{ 'ca.crt': authority.certificate, 'tls.crt': certificate, 'tls.key': key },
    };
    const secret = ['secret', 'agentpool-gateway-tls', '-n', RELEASE];
    const patch = JSON.stringify({ stringData });
    await kubectl.run(['patch', ...secret, '--type=merge', '--patch', patch]);
    // The kubelet looks at once when a pod changes, else within a minute.
    const selector = 'app.kubernetes.io/component=gateway';
    await kubectl.run(['annotate', 'pods', '-n', RELEASE, '-l', selector, `look=${Date.now()}`]);
    await until(
      'all gateways show the new certificate on both ports',
      async () => {
        const serials = await serialsOfAll();
        // Nothing was shown where a connection failed.
        return serials.size === 1 && !serials.has(before ?? '') && !serials.has('');
      },
      240_000,
    );
  });
  expect(failures).toEqual([]);
  expect(uidsOf(await gatewayPods())).toEqual(uidsOf(pods));
}, 330_000);

it('is upgraded under load: operators, gateways and runtimes are replaced, no key is', async () => {
  const before = await kubectl.list('secrets', RELEASE, `app.kubernetes.io/instance=${RELEASE}`);
  const dataOf = (secrets: readonly KubeObject[]): unknown =>
    secrets.map(({ metadata, data }) => [metadata.name, data as unknown]);
  const ours = async (): Promise<readonly KubeObject[]> =>
    (await Promise.all([installation.podsOf('operator'), gatewayPods(), pool.pods()])).flat();
  const old = new Set(uidsOf(await ours()));
  const images = { image: IMAGES.agentpool, agentImage: IMAGES.agent };
  const values = Object.entries(images).map(([name, image]) => {
    const [repository, tag] = image.split(':');
    return `${name}.repository=${repository},${name}.tag=${tag}`;
  });
  await underLoad(async (calls) => {
    const chart = join(REPOSITORY, 'charts/agentpool');
    const flags = ['-n', RELEASE, '--reuse-values', '--wait', '--set-string', values.join()];
    await cluster.helm(['upgrade', RELEASE, chart, ...flags]);
    await until(
      'all are new',
      async () => {
        const pods = await ours();
        return pods.length === 5 && pods.every((pod) => isReady(pod) && !old.has(pod.metadata.uid));
      },
      90_000,
    );
    await calls.untilAnswers(10);
  });
  const after = await kubectl.list('secrets', RELEASE, `app.kubernetes.io/instance=${RELEASE}`);
  expect(dataOf(after)).toEqual(dataOf(before));
  await pool.untilReady(1);
}, 200_000);

it('goes at once, also with a pool that is being deleted and waits for an operator that is away', async () => {
  const target = ['agentpool', pool.name, '-n', pool.namespace];
  await kubectl.run(['scale', 'deployment/agentpool-operator', '-n', RELEASE, '--replicas=0']);
  await until(
    'no operator runs',
    async () => (await installation.podsOf('operator')).length === 0,
    60_000,
  );
  await kubectl.run(['delete', ...target, '--wait=false']);
  const startedMs = performance.now();
  await cluster.helm(['uninstall', RELEASE, '-n', RELEASE, '--wait', '--timeout=60s']);
  await until('no gateway is left', async () => (await gatewayPods()).length === 0, 60_000);
  expect(performance.now() - startedMs).toBeLessThan(50_000);
  const { metadata } = await kubectl.get('agentpool', pool.name, pool.namespace);
  expect(metadata).toMatchObject({
    deletionTimestamp: expect.any(String),
    finalizers: ['agentpool.dev/erase'],
  });
  // As the runbook says.
  const removal = JSON.stringify([{ op: 'remove', path: '/metadata/finalizers' }]);
  await kubectl.run(['patch', ...target, '--type=json', '--patch', removal]);
  await kubectl.untilGone('agentpool', pool.name, pool.namespace);
  await until('its pods have gone with it', async () => (await pool.pods()).length === 0, 60_000);
}, 150_000);
