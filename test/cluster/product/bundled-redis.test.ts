/** The chart's own Redis with its volume, as a trial has it: its pod goes, or all of the chart and comes back, and everything that was answered is still there. */
import { afterAll, beforeAll, expect, it } from '@jest/globals';
import { until } from '../../e2e/until.ts';
import { anyCluster } from '../test-cluster.ts';
import { isReady } from '../test-pods.ts';
import { type Installation, install, RELEASE } from './installation.ts';
import { TaskCalls } from './task-calls.ts';
import { TestPool } from './test-pool.ts';

const cluster = anyCluster();
const { kubectl } = cluster;
/** Redis is, for some seconds. */
const AWAY = /STORE_UNAVAILABLE|LEASE_UNKNOWN/;

let installation: Installation;
let pool: TestPool;

const installIt = (): Promise<Installation> => {
  const resources = { requests: { cpu: '50m' } };
  return install(cluster, {
    redis: { bundled: { persistence: { enabled: true, size: '1Gi' }, resources } },
  });
};

beforeAll(async () => {
  installation = await installIt();
  pool = await TestPool.create(cluster, 'kept');
}, 240_000);

afterAll(async () => {
  await pool.remove();
  await installation.remove();
}, 240_000);

it('keeps each answered task over the loss of its pod, in whatever runtime it is asked for next', async () => {
  const calls = new TaskCalls(installation, pool);
  try {
    await calls.untilAnswers(3);
    const [before] = await installation.podsOf('redis');
    await kubectl.run(['delete', 'pod', 'agentpool-redis-0', '-n', RELEASE, '--wait=false']);
    await until(
      'Redis is there again, as another pod',
      async () => {
        const [now] = await installation.podsOf('redis');
        return now !== undefined && now.metadata.uid !== before?.metadata.uid && isReady(now);
      },
      60_000,
    );
    await calls.untilAnswers(3);
    expect(calls.failures.filter((line) => !AWAY.test(line))).toEqual([]);
    // What it still has in memory is no proof.
    await pool.replacePods();
    await calls.untilAnswers(3);
  } finally {
    const { answered, counted, failures } = await calls.stop();
    expect(counted).toEqual(answered);
    // Without a runtime tasks wait, perhaps longer than their callers.
    const known = /STORE_UNAVAILABLE|LEASE_UNKNOWN|DRAINING|RUNTIME_LOST|aborted due to timeout/;
    expect(failures.filter((line) => !known.test(line))).toEqual([]);
  }
}, 200_000);

it('says that nothing which was acknowledged can be lost', async () => {
  const { status } = await pool.untilReason('StoreDurable', 'RedisFsyncAlways');
  expect(status).toBe('True');
});

it('is served again by itself where the chart is uninstalled, and installed again with another key inside', async () => {
  const first = new TaskCalls(installation, pool);
  await first.untilAnswers(3).finally(() => first.stop());
  const { counted: before } = await first.stop();
  await installation.uninstall();
  const pods = await pool.livePods();
  expect(pods).toHaveLength(1);
  installation = await installIt();
  // Also what the runtimes of before have claimed.
  const again = new TaskCalls(installation, pool, { projects: Object.keys(before) });
  try {
    await again.untilAnswers(3);
  } finally {
    const { answered, counted } = await again.stop();
    const expected = Object.entries(answered).map(([name, more]) => [name, before[name]! + more]);
    expect(counted).toEqual(Object.fromEntries(expected));
  }
  await pool.untilReady(1);
  const [now] = await pool.untilPods(1);
  expect(now?.metadata.uid).not.toBe(pods[0]?.metadata.uid);
}, 200_000);
