/**
 * The kill run against pods and Redis: containers killed and frozen, pods deleted, ways cut, a node lost, one at a time or overlapping, while
 * clients work; then every acknowledged request must be exactly one turn, and every counter must equal its turns. By hand, longer:
 * `CLUSTER_KILL_FAULTS=100 CLUSTER_KILL_SEED=7 npm run jest -- --selectProjects cluster --testPathPatterns cluster/kill`.
 */
import { afterAll, beforeAll, expect, it } from '@jest/globals';
import { Client } from '../../kill/client.ts';
import { COUNTER, TaskLoad } from '../../kill/task-load.ts';
import { SeededRandom } from '../../simulation/seeded-random.ts';
import { until } from '../../e2e/until.ts';
import { type Installation, install } from '../product/installation.ts';
import { testCluster } from '../test-cluster.ts';
import { ClusterFaults } from './cluster-faults.ts';

/** Default: each kind once. */
const FAULTS = Number(process.env['CLUSTER_KILL_FAULTS'] ?? '18');
const SEED = Number(process.env['CLUSTER_KILL_SEED'] ?? '20261121');
const ACKS = FAULTS * 100;
const PROJECTS = 200;
const GAP_MS_MIN = 2_000;
const GAP_MS_MAX = 6_000;
const RUN_WITHIN_MS = 120_000 + FAULTS * 30_000;
const POOLS = ['threads', 'shared'] as const;
/** Two of each pool, those of the HOT projects, a standby. */
const PODS = 4 + 2 + 1;

const cluster = testCluster();
const { kubectl } = cluster;

const QUOTA = { memoryMb: 128, maxConcurrentRequests: 50, requestsPerMinute: 100_000 };
/** As the load names them. */
const HOT = [0, 2].map((index) => ({
  tenant: `tenant-${index}`,
  project: `project-${index}`,
  tier: 'HOT',
}));
const pool = (name: string, isolation: string, hot: object): object => ({
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
      hot: { quota: QUOTA, ...hot },
      warm: { maxInstancesPerReplica: isolation === 'Shared' ? 200 : 20, quota: QUOTA },
      cold: { quota: QUOTA },
    },
    projects: name === 'threads' ? HOT : [],
    deletionPolicy: 'Delete',
  },
});

let installation: Installation;
let client: Client | undefined;

beforeAll(async () => {
  installation = await install(cluster);
  await kubectl.apply([
    {
      apiVersion: 'v1',
      kind: 'ConfigMap',
      metadata: { name: 'kill-agents' },
      data: { 'agents.ts': COUNTER },
    },
    pool('threads', 'WorkerThread', { standby: 1, maxInstances: 4 }),
    pool('shared', 'Shared', {}),
  ]);
  for (const name of POOLS) await ready(name, 120);
  client = new Client(`${new URL(installation.url).hostname}:9090`, installation.token);
}, 400_000);

afterAll(async () => {
  client?.close();
  const pools = ['delete', 'agentpool', ...POOLS, '--timeout=120s'];
  await kubectl.attempt(pools, { withinMs: 150_000 });
  await kubectl.attempt(['delete', 'configmap', 'kill-agents']);
  await installation.remove();
}, 500_000);

it(
  `keeps every acknowledged turn through ${FAULTS} faults (seed ${SEED})`,
  async () => {
    const random = new SeededRandom(SEED);
    const options = { seed: SEED, projects: PROJECTS, favourites: 4, tenants: 10 };
    const load = new TaskLoad({ ...options, inFlight: 20, pools: POOLS }, () => client!);
    let struck = 0;
    const running = load.run(() => struck >= FAULTS && load.ledger.total >= ACKS);
    const faults = new ClusterFaults(cluster, installation, random);
    const [hits] = await Promise.all([strikeAll(faults, random, () => (struck += 1)), running]);
    for (const name of POOLS) await ready(name, 180);
    await until('no runtime is left over', async () => (await runtimePods()) === PODS, 60_000);
    expect(await load.verify()).toEqual([]);
    expect(load.ledger.total).toBeGreaterThanOrEqual(ACKS);
    if (FAULTS >= faults.kinds.length) expect(new Set(hits)).toEqual(new Set(faults.kinds));
  },
  RUN_WITHIN_MS,
);

function ready(name: string, seconds: number): Promise<string> {
  const wait = ['wait', `agentpool/${name}`, '--for=condition=Ready', `--timeout=${seconds}s`];
  return kubectl.run(wait, { withinMs: (seconds + 30) * 1_000 });
}

/** Names of what has struck. */
async function strikeAll(
  faults: ClusterFaults,
  random: SeededRandom,
  struck: () => void,
): Promise<readonly string[]> {
  const hits: string[] = [];
  const endings: Promise<void>[] = [];
  for (let index = 0; index < FAULTS; index += 1) {
    const gapMs = random.between(GAP_MS_MIN, GAP_MS_MAX);
    await new Promise((resolve) => setTimeout(resolve, gapMs));
    const { name, over } = await faults.strikeNext();
    process.stderr.write(`fault ${index + 1}: ${name}\n`);
    endings.push(over);
    hits.push(name);
    struck();
  }
  await Promise.all(endings);
  return hits;
}

async function runtimePods(): Promise<number> {
  return (await kubectl.list('pods', 'default', 'agentpool.dev/role')).length;
}
