/**
 * The kill run against pods and Redis: containers killed and frozen, pods deleted, ways cut, one at a time or overlapping, while clients work; then
 * every acknowledged request must be exactly one turn, and every counter must equal its turns. By hand, longer:
 * `CLUSTER_KILL_FAULTS=100 CLUSTER_KILL_SEED=7 npm run jest -- --selectProjects cluster --testPathPatterns cluster/kill`.
 */
import { afterAll, beforeAll, expect, it } from '@jest/globals';
import { Client } from '../../kill/client.ts';
import { COUNTER, TaskLoad } from '../../kill/task-load.ts';
import { SeededRandom } from '../../simulation/seeded-random.ts';
import { until } from '../../e2e/until.ts';
import { REPOSITORY } from '../images/base-image.ts';
import { testCluster } from '../test-cluster.ts';
import { ClusterFaults } from './cluster-faults.ts';

const FAULTS = Number(process.env['CLUSTER_KILL_FAULTS'] ?? '16');
const SEED = Number(process.env['CLUSTER_KILL_SEED'] ?? '20261121');
const ACKS = FAULTS * 100;
const PROJECTS = 200;
const GAP_MS_MIN = 2_000;
const GAP_MS_MAX = 6_000;
const RUN_WITHIN_MS = 120_000 + FAULTS * 30_000;
const POOLS = ['threads', 'shared'] as const;

const cluster = testCluster();
const { kubectl } = cluster;

const QUOTA = { memoryMb: 128, maxConcurrentRequests: 50, requestsPerMinute: 100_000 };
const pool = (name: string, isolation: string): object => ({
  apiVersion: 'agentpool.dev/v1alpha1',
  kind: 'AgentPool',
  metadata: { name },
  spec: {
    runtime: {
      moduleFrom: { configMapRef: { name: 'kill-agents', key: 'agents.ts' } },
      isolation,
      resources: { requests: { cpu: '50m', memory: '256Mi' }, limits: { memory: '2Gi' } },
    },
    replicas: 2,
    maxInstances: 400,
    tiers: {
      hot: { quota: QUOTA },
      warm: { maxInstancesPerReplica: isolation === 'Shared' ? 200 : 20, quota: QUOTA },
      cold: { quota: QUOTA },
    },
    deletionPolicy: 'Delete',
  },
});

const VALUES = {
  redis: { bundled: { persistence: { enabled: false }, resources: { requests: { cpu: '50m' } } } },
  gateway: { resources: { requests: { cpu: '50m' } } },
  operator: { resources: { requests: { cpu: '20m' } } },
};
let client: Client | undefined;

beforeAll(async () => {
  const values = JSON.stringify(VALUES);
  await cluster.helm(
    [
      'install',
      'agentpool',
      `${REPOSITORY}charts/agentpool`,
      '-n',
      'agentpool',
      '--create-namespace',
      '--wait',
      '--values',
      '-',
    ],
    { input: values },
  );
  await kubectl.apply([
    {
      apiVersion: 'v1',
      kind: 'ConfigMap',
      metadata: { name: 'kill-agents' },
      data: { 'agents.ts': COUNTER },
    },
    pool('threads', 'WorkerThread'),
    pool('shared', 'Shared'),
  ]);
  for (const name of POOLS)
    await kubectl.run(['wait', `agentpool/${name}`, '--for=condition=Ready', '--timeout=120s']);
  const { spec } = await kubectl.get('service', 'agentpool-gateway', 'agentpool');
  const secret = await kubectl.get('secret', 'agentpool-tokens', 'agentpool');
  const { 'admin-token': token = '' } = secret['data'] as Readonly<Record<string, string>>;
  const { clusterIP } = spec as { readonly clusterIP: string };
  client = new Client(`${clusterIP}:9090`, Buffer.from(token, 'base64').toString());
}, 300_000);

afterAll(async () => {
  client?.close();
  await kubectl.attempt(['delete', 'agentpool', ...POOLS, '--timeout=120s']);
  await kubectl.attempt(['delete', 'configmap', 'kill-agents']);
  await cluster.helm(['uninstall', 'agentpool', '-n', 'agentpool', '--ignore-not-found', '--wait']);
  await kubectl.attempt(['delete', 'crd', 'agentpools.agentpool.dev', '--timeout=60s']);
  await kubectl.run(['delete', 'namespace', 'agentpool', '--ignore-not-found', '--wait=false']);
  await kubectl.untilGone('namespace', 'agentpool', 'agentpool', 180_000);
}, 500_000);

it(
  `keeps every acknowledged turn through ${FAULTS} faults (seed ${SEED})`,
  async () => {
    const random = new SeededRandom(SEED);
    const options = { seed: SEED, projects: PROJECTS, tenants: 10, inFlight: 20, pools: POOLS };
    const load = new TaskLoad(options, () => client!);
    let struck = 0;
    const running = load.run(() => struck >= FAULTS && load.ledger.total >= ACKS);
    const endings = strikeAll(random, () => (struck += 1));
    await Promise.all([running, endings]);
    for (const name of POOLS)
      await kubectl.run(['wait', `agentpool/${name}`, '--for=condition=Ready', '--timeout=180s']);
    expect(await load.verify()).toEqual([]);
    expect(load.ledger.total).toBeGreaterThanOrEqual(ACKS);
    await until('no runtime is left over', async () => (await runtimePods()) === 4, 60_000);
  },
  RUN_WITHIN_MS,
);

async function strikeAll(random: SeededRandom, struck: () => void): Promise<void> {
  const faults = new ClusterFaults(cluster, random);
  const endings: Promise<void>[] = [];
  for (let index = 0; index < FAULTS; index += 1) {
    const gapMs = random.between(GAP_MS_MIN, GAP_MS_MAX);
    await new Promise((resolve) => setTimeout(resolve, gapMs));
    const { name, over } = await faults.strikeNext();
    process.stderr.write(`fault ${index + 1}: ${name}\n`);
    endings.push(over);
    struck();
  }
  await Promise.all(endings);
}

async function runtimePods(): Promise<number> {
  return (await kubectl.list('pods', 'default', 'agentpool.dev/role')).length;
}
