/** Pools that do not parse while nobody can say what an earlier operator served of them: nothing is done about those. */
import { beforeEach, describe, expect, it } from '@jest/globals';
import type { AgentPoolSpec } from '../../api/agent-pool.ts';
import type { PoolKey } from '../../core/identifiers.ts';
import type { Stored } from '../../platform/kube/kube.ts';
import { AGENT_POOLS, type AgentPoolObject } from '../../platform/kube/resources.ts';
import { spec } from '../../test/builders/pool-builders.ts';
import { FakeClock } from '../../test/fakes/fake-clock.ts';
import { FakeCluster } from '../../test/fakes/fake-cluster.ts';
import { createPool } from '../../test/fakes/kubernetes-world.ts';
import { EraseBound } from './erase-bound.ts';
import { KubernetesPools } from './kubernetes-pools.ts';
import { ERASE_FINALISER, PoolWriter } from './pool-writer.ts';

const SPOILT: PoolKey = 'default~spoilt';
const GOOD: PoolKey = 'default~good';

describe('while the store cannot say what was served', () => {
  const clock = new FakeClock();
  let objects: Map<string, Stored<AgentPoolObject>>;
  let lastSpecs: Map<PoolKey, AgentPoolSpec>;
  let isStoreRead: boolean;
  let source: KubernetesPools;
  beforeEach(async () => {
    const cluster = new FakeCluster({ clock });
    await createPool(cluster, SPOILT, { later: true });
    await createPool(cluster, GOOD, { replicas: 3 });
    objects = new Map(
      cluster.server.store.list(AGENT_POOLS).map((object) => [object.metadata.name, object]),
    );
    lastSpecs = new Map();
    isStoreRead = false;
    const pools = {
      get: ({ name }: { readonly name: string }) => objects.get(name),
      list: () => [...objects.values()],
      find: () => [],
      onChange: () => () => undefined,
    };
    source = new KubernetesPools({
      ...{ pools, configMaps: { ...pools, get: () => undefined, list: () => [] } },
      writer: new PoolWriter({ kube: cluster.connect('operator'), clock }),
      eraseBound: new EraseBound(clock, 1_000),
      installedFor: () => [],
      sight: { seenSinceMs: () => 0, onSight: () => () => undefined },
      ...{ lastSpecs, isStoreRead: () => isStoreRead },
    });
  });

  it('a pool that does not parse is neither wanted nor unwanted', () => {
    expect(source.get(SPOILT)).toBeUndefined();
    expect(source.covers(SPOILT)).toBe(false);
  });

  it('one that parses is wanted', () => {
    expect(source.get(GOOD)?.spec.replicas).toBe(3);
  });

  it('it goes on as it was served as soon as that is known', () => {
    expect(source.get(SPOILT)).toBeUndefined();
    lastSpecs.set(SPOILT, spec({ replicas: 7 }));
    isStoreRead = true;
    expect(source.get(SPOILT)?.spec.replicas).toBe(7);
    expect(source.covers(SPOILT)).toBe(true);
  });

  it('one that is deleted is let go in time all the same', async () => {
    const object = objects.get('spoilt');
    if (object === undefined) throw new Error('no pool');
    const deletionTimestamp = new Date(clock.wallMs()).toISOString();
    const metadata = { ...object.metadata, deletionTimestamp, finalizers: [ERASE_FINALISER] };
    objects.set('spoilt', { ...object, metadata });
    expect(source.get(SPOILT)).toBeUndefined();
    await clock.advance(2_000);
    expect(source.get(SPOILT)).toMatchObject({ isDeleting: true, isOverdue: true });
  });
});
