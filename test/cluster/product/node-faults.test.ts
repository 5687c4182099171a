/** What happens to machines: nodes drained, lost and back, kubelets frozen, Redis killed. Callers who send again always succeed. */
import { existsSync } from 'node:fs';
import { afterAll, beforeAll, expect, it } from '@jest/globals';
import { until } from '../../e2e/until.ts';
import type { KubeObject } from '../control/kubectl.ts';
import { containerProcesses, signalContainer } from '../faults/containers.ts';
import { drainNode } from '../faults/drain.ts';
import { testCluster } from '../test-cluster.ts';
import { isReady } from '../test-pods.ts';
import { type Installation, install, OTHER_NODE, RELEASE, STEADY_NODE } from './installation.ts';
import { type Outcome, TaskCalls } from './task-calls.ts';
import { namesOf, TestPool } from './test-pool.ts';

const cluster = testCluster();
const { kubectl } = cluster;
let installation: Installation;
let pool: TestPool;

beforeAll(async () => {
  installation = await install(cluster);
  pool = await TestPool.create(cluster, 'nodes', { replicas: 2 });
  const pods = await pool.untilPods(2);
  expect(pods.map(nodeOf).toSorted()).toEqual([STEADY_NODE, OTHER_NODE]);
}, 240_000);

afterAll(async () => {
  await pool.remove();
  await installation.remove();
}, 240_000);

const nodeOf = ({ spec }: KubeObject): string | undefined =>
  (spec as { readonly nodeName?: string }).nodeName;

/** Pods of the pool on both nodes, and operator and gateways as they should be. */
async function settled(): Promise<readonly KubeObject[]> {
  await until(
    'operators and gateways are ready',
    async () => {
      const ours = [
        ...(await installation.podsOf('operator')),
        ...(await installation.podsOf('gateway')),
      ];
      return ours.length === 4 && ours.every(isReady);
    },
    90_000,
  );
  const pods = await pool.untilPods(2);
  const away = pods.every((pod) => nodeOf(pod) === STEADY_NODE) ? pods.slice(0, 1) : [];
  for (const { metadata } of away)
    await kubectl.run(['delete', 'pod', metadata.name, '-n', pool.namespace]);
  return pool.untilPods(2);
}

async function underLoad(during: (calls: TaskCalls) => Promise<void>): Promise<Outcome> {
  const calls = new TaskCalls(installation, pool);
  let outcome: Outcome | undefined;
  try {
    await calls.untilAnswers(3);
    await during(calls);
    await calls.untilAnswers(3);
  } finally {
    outcome = await calls.stop();
  }
  expect(outcome.counted).toEqual(outcome.answered);
  return outcome;
}

it('a kubelet that is frozen until its node counts as lost changes nothing for callers', async () => {
  const before = await settled();
  const { kubelet } = cluster.node(OTHER_NODE);
  const { failures } = await underLoad(async (calls) => {
    kubelet.signal('SIGSTOP');
    try {
      await cluster.untilNode(OTHER_NODE, 'Unknown');
      await calls.untilAnswers(100);
      expect(namesOf(await pool.livePods())).toEqual(namesOf(before));
    } finally {
      kubelet.signal('SIGCONT');
    }
  });
  expect(failures).toEqual([]);
  await cluster.untilNode(OTHER_NODE, 'True');
  await pool.untilStill(before);
}, 180_000);

/** Longer than a probe takes to find it out; what it did before is no news when it goes on. */
const FROZEN_MS = 120_000;

it('a runtime that stands still for two minutes: callers go on, and another one is there before it moves again', async () => {
  const [frozen] = await settled();
  const target = [pool.namespace, frozen?.metadata.name ?? ''] as const;
  await underLoad(async (calls) => {
    const pids = await containerProcesses(kubectl, target);
    await signalContainer(kubectl, target, 'SIGSTOP');
    const untilMs = performance.now() + FROZEN_MS;
    await calls.untilAnswers(20);
    await until(
      'the frozen processes are gone, and two runtimes are ready',
      async () => {
        const isGone = !pids.some((pid) => existsSync(`/proc/${pid}`));
        const pods = await pool.pods();
        return isGone && pods.length === 2 && pods.every(isReady);
      },
      untilMs - performance.now(),
    );
    await pool.untilReady(2);
    await calls.untilAnswers(10);
  });
}, 240_000);

it('a drained node is left one pod after the other', async () => {
  await settled();
  let fewest = Infinity;
  await underLoad(async (calls) => {
    let isDrained = false;
    const draining = drainNode(kubectl, OTHER_NODE).finally(() => (isDrained = true));
    draining.catch(() => undefined);
    await until(
      'the node is drained',
      async () => {
        const ready = (await pool.livePods()).filter(isReady).length;
        fewest = Math.min(fewest, ready);
        return isDrained;
      },
      120_000,
    );
    const drained = await draining;
    try {
      await calls.untilAnswers(3);
      const pods = await pool.untilPods(2);
      expect(pods.map(nodeOf)).toEqual([STEADY_NODE, STEADY_NODE]);
    } finally {
      await drained.uncordon();
    }
  });
  expect(fewest).toBeGreaterThanOrEqual(1);
}, 180_000);

it('Redis killed: tasks wait or are told so, then go on by themselves, and none is lost or doubled', async () => {
  const before = await settled();
  const target = [RELEASE, 'agentpool-redis-0', 'redis'] as const;
  const { failures } = await underLoad(async (calls) => {
    const killed = new Set(await containerProcesses(kubectl, target));
    await signalContainer(kubectl, target, 'SIGKILL');
    await until(
      'Redis runs again',
      async () => (await containerProcesses(kubectl, target)).some((pid) => !killed.has(pid)),
      30_000,
    );
    await calls.untilAnswers(10);
  });
  const others = failures.filter((line) => !/STORE_UNAVAILABLE|LEASE_UNKNOWN/.test(line));
  expect(others).toEqual([]);
  await pool.untilStill(before);
}, 120_000);

it('a lost node: its runtimes are made elsewhere, callers go on; back again, no pod is there twice', async () => {
  const before = await settled();
  const lost = before.filter((pod) => nodeOf(pod) === OTHER_NODE);
  expect(lost.length).toBeGreaterThan(0);
  const node = cluster.node(OTHER_NODE);
  await underLoad(async (calls) => {
    await node.crash();
    try {
      await until(
        'two runtimes are ready on the node that is left',
        async () => {
          const here = (await pool.livePods()).filter((pod) => nodeOf(pod) === STEADY_NODE);
          return here.filter(isReady).length === 2;
        },
        90_000,
      );
      await pool.untilReady(2);
      await calls.untilAnswers(10);
      await pool.scale(3);
      await pool.untilReady(3);
    } finally {
      await node.bootAgain();
    }
    await cluster.untilNode(OTHER_NODE, 'True');
    await pool.untilPods(3);
  });
  await pool.scale(2);
  await pool.untilPods(2);
}, 240_000);
