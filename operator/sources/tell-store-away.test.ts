/** What is told of pools while the operator cannot begin. */
import { beforeEach, describe, expect, it } from '@jest/globals';
import type { AgentPoolStatus, Condition } from '../../api/agent-pool.ts';
import type { Stored } from '../../platform/kube/kube.ts';
import { AGENT_POOLS, type AgentPoolObject } from '../../platform/kube/resources.ts';
import { FakeClock } from '../../test/fakes/fake-clock.ts';
import { FakeCluster } from '../../test/fakes/fake-cluster.ts';
import type { FakeKube } from '../../test/fakes/cluster/fake-kube.ts';
import { createPool } from '../../test/fakes/kubernetes-world.ts';
import { PoolWriter } from './pool-writer.ts';
import { tellStoreAway } from './tell-store-away.ts';

const REF = { namespace: 'default', name: 'main' };
const { signal } = new AbortController();
const condition = (type: string, status: Condition['status'], reason: string): Condition => ({
  ...{ type, status, reason, message: 'as before' },
  ...{ lastTransitionTime: '2026-01-01T00:00:00.000Z', observedGeneration: 1 },
});
const SERVING: AgentPoolStatus = {
  ...{ observedGeneration: 1, selector: 's', currentRevision: 'r', updateRevision: 'r' },
  ...{ replicas: 2, readyReplicas: 2, desiredReplicas: 2, updatedReplicas: 2, tiers: [] },
  conditions: [
    condition('Ready', 'True', 'AllReady'),
    condition('Degraded', 'False', 'AsExpected'),
    condition('StoreDurable', 'True', 'RedisFsyncAlways'),
  ],
};

describe('a store that is away when an operator begins to lead', () => {
  const clock = new FakeClock();
  let cluster: FakeCluster;
  let kube: FakeKube;
  let writer: PoolWriter;
  let told: string[];
  beforeEach(async () => {
    cluster = new FakeCluster({ clock });
    kube = cluster.connect('agentpool-operator');
    writer = new PoolWriter({ kube, clock });
    told = [];
    await createPool(cluster, 'default~main');
  });
  const tell = async (): Promise<AgentPoolStatus> => {
    const { items } = await kube.list(AGENT_POOLS, { namespace: '' });
    const onTell = ({ metadata }: Stored<AgentPoolObject>) => told.push(metadata.name);
    await tellStoreAway({ pools: { list: () => items }, writer, clock, onTell }, signal);
    return (await kube.get(AGENT_POOLS, REF)).status as AgentPoolStatus;
  };
  const reasons = ({ conditions }: AgentPoolStatus): readonly string[] =>
    conditions.map(({ type, status, reason }) => `${type} ${status} ${reason}`);

  it('is said by a pool that no operator has looked at', async () => {
    const status = await tell();
    expect(reasons(status)).toEqual([
      'Degraded True StoreUnavailable',
      'StoreDurable Unknown StoreUnavailable',
    ]);
    expect(status.observedGeneration).toBe(0);
  });

  it('is said beside what the operator before has said', async () => {
    const { metadata } = await kube.get(AGENT_POOLS, REF);
    await kube.applyStatus(AGENT_POOLS, { metadata, status: SERVING });
    const status = await tell();
    expect(reasons(status)).toEqual([
      'Ready True AllReady',
      'Degraded True StoreUnavailable',
      'StoreDurable Unknown StoreUnavailable',
    ]);
    expect(status).toMatchObject({ readyReplicas: 2, observedGeneration: 1 });
  });

  it('is told and written once, however long it lasts', async () => {
    await tell();
    const { writes } = kube;
    await clock.advance(60_000);
    await tell();
    expect(kube.writes).toBe(writes);
    expect(told).toEqual(['main']);
  });
});
