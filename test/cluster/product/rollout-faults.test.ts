/** Changes under load: what a platform engineer gets wrong (quotas, images, modules), and what HOT projects see of one that is right. */
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { until } from '../../e2e/until.ts';
import type { KubeObject } from '../control/kubectl.ts';
import { anyCluster } from '../test-cluster.ts';
import { type Installation, install } from './installation.ts';
import { TaskCalls } from './task-calls.ts';
import { AGENTS, TestPool } from './test-pool.ts';

const cluster = anyCluster();
const { kubectl } = cluster;
let installation: Installation;
let pool: TestPool;

beforeAll(async () => {
  installation = await install(cluster);
  pool = await TestPool.create(cluster, 'rollouts');
}, 240_000);

afterAll(async () => {
  await pool.remove();
  await installation.remove();
}, 240_000);

const uids = async (): Promise<readonly unknown[]> =>
  (await pool.livePods()).map(({ metadata }) => metadata.uid);

/** Every task is answered until `during` is over. */
async function serving(during: () => Promise<void>, of = pool): Promise<void> {
  const calls = new TaskCalls(installation, of);
  try {
    await calls.untilAnswers(3);
    await during();
    await calls.untilAnswers(3);
  } finally {
    const { failures, answered, counted } = await calls.stop();
    expect(failures).toEqual([]);
    expect(counted).toEqual(answered);
  }
}

it("says a quota's words, leaves good pods alone, and goes on when it is raised", async () => {
  await pool.untilPods(1);
  const before = await uids();
  const quota = (pods: string): object => ({
    apiVersion: 'v1',
    kind: 'ResourceQuota',
    metadata: { name: 'pods', namespace: pool.namespace },
    spec: { hard: { pods } },
  });
  await kubectl.apply([quota('1')]);
  await kubectl.until('the quota counts', ['resourcequota', 'pods', pool.namespace], (found) => {
    const { used } = (found['status'] ?? {}) as { readonly used?: Record<string, string> };
    return used?.['pods'] === '1';
  });
  await serving(async () => {
    await pool.scale(2);
    const { status, message } = await pool.untilReason('Degraded', 'QuotaExceeded');
    expect({ status, message }).toEqual({
      status: 'True',
      message: expect.stringMatching(/exceeded quota: pods, requested: pods=1/),
    });
    expect(await uids()).toEqual(before);
    await kubectl.apply([quota('9')]);
    await pool.untilReady(2);
  });
  expect(await uids()).toEqual(expect.arrayContaining([...before]));
  await kubectl.run(['delete', 'resourcequota', 'pods', '-n', pool.namespace]);
  await pool.scale(1);
  await pool.untilPods(1);
}, 180_000);

it('serves on by the old pods while an image cannot be pulled, and is well again without it', async () => {
  const [before] = await pool.untilPods(1);
  await serving(async () => {
    await pool.patch({ runtime: { image: 'registry.invalid/agents:none' } });
    const { message } = await pool.untilReason('Degraded', 'ImagePullFailed');
    expect(message).toContain('registry.invalid/agents:none');
    expect(await uids()).toContain(before?.metadata.uid);
    await pool.patch({ runtime: { image: null } });
    await pool.untilReady();
  });
  const after = await pool.untilPods(1);
  expect(after.map(({ metadata }) => metadata.uid)).toEqual([before?.metadata.uid]);
}, 180_000);

it('serves on by the old pods while the agent module is broken, and says where', async () => {
  const [before] = await pool.untilPods(1);
  await serving(async () => {
    await pool.writeAgents('export default {\n  name: (\n};\n');
    const { message } = await pool.untilReason('Degraded', 'AgentModuleInvalid');
    expect(message).toMatch(/agents\.ts:[23]/);
    expect(await uids()).toContain(before?.metadata.uid);
    await pool.writeAgents();
    await pool.untilReady();
  });
  expect((await pool.untilPods(1))[0]?.metadata.uid).toBe(before?.metadata.uid);
}, 180_000);

interface PodStatus {
  readonly containerStatuses?: readonly {
    readonly ready?: boolean;
    readonly state?: { readonly running?: object };
  }[];
}

/** Node has begun, and nothing of ours yet: as the first process of its container it gets no signal then. */
const hasJustBegun = ({ status }: KubeObject): boolean => {
  const [container] = (status as PodStatus).containerStatuses ?? [];
  return container?.state?.running !== undefined && container.ready !== true;
};

it('takes back pods that have just begun to start, in seconds', async () => {
  const long = await TestPool.create(cluster, 'starting', { limits: { taskTimeoutSeconds: 300 } });
  try {
    await long.scale(5);
    await until('a pod has begun', async () => (await long.pods()).some(hasJustBegun), 60_000);
    await long.scale(1);
    await long.untilPods(1);
  } finally {
    await long.remove();
  }
}, 240_000);

describe('HOT projects', () => {
  const quota = { memoryMb: 128, requestsPerMinute: 100_000 };
  /** One for all, four of projects, a standby. */
  const PODS = 6;
  let hot: TestPool;

  beforeAll(async () => {
    hot = await TestPool.create(cluster, 'hot', {
      tiers: { default: 'HOT', hot: { standby: 1, maxInstances: 6, quota }, warm: { quota } },
    });
  }, 120_000);

  afterAll(() => hot.remove(), 120_000);

  it('go over to a changed module one by one, and no task fails', async () => {
    await serving(async () => {
      const before = new Set((await hot.untilPods(PODS)).map(({ metadata }) => metadata.uid));
      await hot.writeAgents(`// changed\n${AGENTS}`);
      await until(
        'all pods are new',
        async () => (await hot.untilPods(PODS)).every(({ metadata }) => !before.has(metadata.uid)),
        120_000,
      );
    }, hot);
  }, 240_000);

  it('come back from a suspension with what they knew', async () => {
    const calls = new TaskCalls(installation, hot);
    await calls.untilAnswers(3);
    await hot.patch({ operatingMode: 'Suspended' });
    await hot.untilPods(0);
    await hot.patch({ operatingMode: 'Running' });
    await calls.untilAnswers(3, 90_000);
    const { failures, answered, counted } = await calls.stop();
    // Until a runtime is back tasks wait, perhaps longer than their callers.
    const known = /SUSPENDED|aborted due to timeout/;
    expect(failures.filter((line) => !known.test(line))).toEqual([]);
    expect(counted).toEqual(answered);
  }, 240_000);
});
