/** What happens to the control plane: API server and operators killed, frozen, meddled with. Callers notice none of it. */
import { afterAll, beforeAll, expect, it } from '@jest/globals';
import { until } from '../../e2e/until.ts';
import { writtenBy } from '../audit.ts';
import type { KubeObject } from '../control/kubectl.ts';
import { signalContainer } from '../faults/containers.ts';
import { testCluster } from '../test-cluster.ts';
import { isReady } from '../test-pods.ts';
import { type Installation, install, RELEASE } from './installation.ts';
import { TaskCalls } from './task-calls.ts';
import { expectBelongings, TestPool } from './test-pool.ts';

const cluster = testCluster();
const { kubectl } = cluster;
let installation: Installation;
let pool: TestPool;

beforeAll(async () => {
  installation = await install(cluster);
  pool = await TestPool.create(cluster, 'operators');
}, 240_000);

afterAll(async () => {
  await pool.remove();
  await installation.remove();
}, 240_000);

/** Both operators are ready; the name of the one that leads. */
async function settledLeader(): Promise<string> {
  return until(
    'two operators are ready, and one of them leads',
    async () => {
      const pods = (await installation.podsOf('operator')).filter(isReady);
      const leader = await installation.leader();
      return pods.length === 2 && pods.some(({ metadata }) => metadata.name === leader) && leader;
    },
    60_000,
  );
}

it('callers notice nothing of an API server that is killed; what is changed afterwards is done', async () => {
  const calls = new TaskCalls(installation, pool);
  try {
    await calls.untilAnswers(5);
    await cluster.apiServer.end('SIGKILL');
    try {
      await calls.untilAnswers(30);
    } finally {
      await cluster.startApiServerAgain();
    }
    await pool.scale(2);
    await pool.untilReady(2);
    await pool.scale(1);
    await pool.untilPods(1);
  } finally {
    const { failures, answered, counted } = await calls.stop();
    expect(failures).toEqual([]);
    expect(counted).toEqual(answered);
  }
}, 180_000);

it('a leader killed right after it was told to scale leaves no pod too many, and none too few', async () => {
  const leader = await settledLeader();
  await pool.scale(4);
  await signalContainer(kubectl, [RELEASE, leader, 'operator'], 'SIGKILL');
  let most = 0;
  await until(
    'four pods are ready',
    async () => {
      const pods = await pool.livePods();
      most = Math.max(most, pods.length);
      return pods.length === 4 && pods.every(isReady);
    },
    90_000,
  );
  await pool.untilReady(4);
  expect(most).toBe(4);
  expectBelongings(await pool.belongings(), pool.name);
  await pool.scale(1);
  await pool.untilPods(1);
}, 180_000);

it('a frozen leader is followed by the other one, and once thawed writes nothing and follows', async () => {
  const frozen = await settledLeader();
  const restartsBefore = restartsOf(await kubectl.get('pod', frozen, RELEASE));
  await signalContainer(kubectl, [RELEASE, frozen, 'operator'], 'SIGSTOP');
  let thawedMs: number;
  try {
    await pool.scale(2);
    await pool.untilReady(2);
    expect(await installation.leader()).not.toBe(frozen);
  } finally {
    thawedMs = Date.now();
    await signalContainer(kubectl, [RELEASE, frozen, 'operator'], 'SIGCONT');
  }
  await kubectl.until(
    'the thawed operator was started again',
    ['pod', frozen, RELEASE],
    (pod) => restartsOf(pod) > restartsBefore && isReady(pod),
  );
  expect(writtenBy(frozen, cluster.folder, thawedMs)).toEqual([]);
  expect(writtenBy(await settledLeader(), cluster.folder, 0)).toContain('create pods');
  expect(await installation.leader()).not.toBe(frozen);
  await pool.scale(1);
  await pool.untilPods(1);
}, 180_000);

function restartsOf({ status }: KubeObject): number {
  const { containerStatuses = [] } = status as {
    readonly containerStatuses?: readonly { readonly restartCount: number }[];
  };
  return containerStatuses[0]?.restartCount ?? 0;
}

it.each([
  ['PodDisruptionBudget', 'operators-shared'],
  ['NetworkPolicy', 'operators-runtimes'],
])(
  'makes a %s again that somebody deletes',
  async (kind, name) => {
    await pool.untilPods(1);
    await kubectl.run(['delete', kind, name, '-n', pool.namespace]);
    await until(`${name} is there again`, () => kubectl.find(kind, name, pool.namespace), 15_000);
  },
  60_000,
);

it('makes a Secret again that somebody deletes, before the next runtime needs it', async () => {
  await pool.untilPods(1);
  await kubectl.run(['delete', 'secret', 'operators-agentpool-runtime', '-n', pool.namespace]);
  await pool.replacePods();
  await pool.untilPods(1);
  await pool.untilReady(1);
  expectBelongings(await pool.belongings(), pool.name);
}, 180_000);

it('takes back what another field manager has forced upon its objects', async () => {
  const named = { name: 'operators-shared', namespace: pool.namespace };
  const forced = {
    apiVersion: 'policy/v1',
    kind: 'PodDisruptionBudget',
    metadata: named,
    spec: { minAvailable: 7 },
  };
  const flags = ['--server-side', '--force-conflicts', '--field-manager=somebody'];
  await kubectl.apply([forced], flags);
  await kubectl.until(
    "the budget is the operator's",
    ['PodDisruptionBudget', named.name, named.namespace],
    ({ spec }) => (spec as { readonly minAvailable: number }).minAvailable === 0,
    15_000,
  );
}, 60_000);

it.each([
  ['loses the label of its pool', 'agentpool.dev/pool-'],
  ['is given another role', 'agentpool.dev/role=dedicated'],
  ['is given another revision', 'agentpool.dev/revision=other'],
])(
  'ends with one good pod when one %s',
  async (_, label) => {
    const [pod] = await pool.untilPods(1);
    const name = pod?.metadata.name ?? '';
    await kubectl.run(['label', 'pod', name, '-n', pool.namespace, '--overwrite', label]);
    await until(
      'one pod, ready, with its labels',
      async () => {
        const all = await kubectl.list('pods', pool.namespace);
        return all.length === 1 && all.every(isReady) && isGood(all[0]!) && all;
      },
      60_000,
    );
    await pool.untilReady(1);
  },
  90_000,
);

function isGood({ metadata }: KubeObject): boolean {
  const { labels = {}, name } = metadata;
  const revision = labels['agentpool.dev/revision'] ?? '';
  return (
    labels['agentpool.dev/pool'] === pool.name &&
    labels['agentpool.dev/role'] === 'shared' &&
    revision !== '' &&
    name.startsWith(`operators-s${revision.slice(0, 5)}`)
  );
}

/** @param user left out: the installation's. */
function redis(
  command: readonly string[],
  user?: { readonly name: string; readonly password: string },
): Promise<string> {
  const as = user === undefined ? [] : ['env', `REDISCLI_AUTH=${user.password}`];
  const name = user === undefined ? [] : ['--user', user.name];
  const container = ['exec', '-n', RELEASE, 'agentpool-redis-0', '--'];
  return kubectl.run([...container, ...as, 'redis-cli', ...name, ...command]);
}

const usersInRedis = async (): Promise<readonly string[]> =>
  (await redis(['ACL', 'USERS'])).split('\n').filter((name) => name.startsWith('agentpool:'));

it('gives the pods of a pool a user of Redis that sees nothing of other pools', async () => {
  const { data } = await kubectl.get('secret', 'operators-agentpool-runtime', pool.namespace);
  const text = (key: string): string =>
    Buffer.from((data as Readonly<Record<string, string>>)[key] ?? '', 'base64').toString();
  const key = `${pool.namespace}~${pool.name}`;
  const user = { name: text('store-username'), password: text('store-password') };
  expect(user.name).toBe(`agentpool:${key}`);
  await until('its runtime is in Redis as that user', async () =>
    (await redis(['CLIENT', 'LIST'])).includes(`user=${user.name} `),
  );
  await until(
    'it has a lease',
    async () => (await redis(['ZCARD', `agentpool:{${key}}:leases`], user)).trim() === '1',
  );
  for (const refused of [
    ['HGETALL', 'agentpool:{other~pool~acme~website}:record'],
    ['EVAL', 'return 1', '1', 'agentpool:{other~pool}:leases'],
    ['PUBLISH', 'agentpool:changed:other~pool:pools', ''],
    ['SMEMBERS', 'agentpool:pools'],
    ['CONFIG', 'GET', '*'],
  ])
    expect(await redis(refused, user)).toContain('NOPERM');
}, 60_000);

it('never deletes a pod that it has not made, whatever its labels; nothing else is left of a deleted pool', async () => {
  const other = await TestPool.create(cluster, 'goes', { tiers: { hot: { standby: 1 } } });
  const made = (await other.pods()).find(({ metadata }) => metadata.labels !== undefined);
  const stranger = {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name: 'stranger', namespace: other.namespace, labels: made?.metadata.labels },
    spec: {
      securityContext: { runAsNonRoot: true, seccompProfile: { type: 'RuntimeDefault' } },
      containers: [
        {
          ...{ name: 'pause', image: 'none.invalid/none', imagePullPolicy: 'Never' },
          securityContext: { allowPrivilegeEscalation: false, capabilities: { drop: ['ALL'] } },
        },
      ],
    },
  };
  await kubectl.apply([stranger]);
  await other.scale(2);
  await other.untilReady(2);
  const user = `agentpool:${other.namespace}~goes`;
  expect(await usersInRedis()).toContain(user);
  const target = ['agentpool', 'goes', '-n', other.namespace];
  await kubectl.run(['delete', ...target, '--timeout=60s'], { withinMs: 75_000 });
  await until(
    'its pods are gone',
    async () => {
      const pods = await kubectl.list('pods', other.namespace);
      return pods.length === 1 && pods[0]?.metadata.name === 'stranger';
    },
    60_000,
  );
  await until(
    'its belongings are gone',
    async () => (await other.belongings()).length === 0,
    60_000,
  );
  await until('its user is gone', async () => !(await usersInRedis()).includes(user));
  const { metadata } = await kubectl.get('pod', 'stranger', other.namespace);
  expect(metadata['deletionTimestamp']).toBeUndefined();
  await other.remove();
}, 180_000);
