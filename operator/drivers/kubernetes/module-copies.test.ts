/** The copies of agent modules in ConfigMaps, over a cluster in memory: one for each content, as long as a revision needs it. */
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { agentPoolSpecSchema } from '../../../api/agent-pool.ts';
import { refOf, type Stored } from '../../../platform/kube/kube.ts';
import { CONFIG_MAPS, type ConfigMap, type Pod, PODS } from '../../../platform/kube/resources.ts';
import { FakeClock } from '../../../test/fakes/fake-clock.ts';
import { FakeCluster } from '../../../test/fakes/fake-cluster.ts';
import {
  createPool,
  type OperatorSide,
  operatorSide,
} from '../../../test/fakes/kubernetes-world.ts';
import { SeededRandom } from '../../../test/simulation/seeded-random.ts';
import type { ModuleArtifact } from '../../pool/wanted-pool.ts';
import { copyName } from './copy-name.ts';

const POOL = 'default~pool';
const KEY = 'agents.ts';
const ORIGINAL = { namespace: 'default', name: 'agents' };
const moduleFrom = { configMapRef: { name: 'agents', key: KEY } };
const SPEC = { runtime: { image: 'agents:1', moduleFrom } };
const NEVER = new AbortController().signal;

describe('the copy of a module', () => {
  let clock: FakeClock;
  let cluster: FakeCluster;
  let side: OperatorSide;
  let kube: ReturnType<FakeCluster['connect']>;
  let pods = 0;

  beforeEach(async () => {
    clock = new FakeClock();
    cluster = new FakeCluster({ clock });
    await createPool(cluster, POOL, SPEC);
    await cluster.admin.create(CONFIG_MAPS, {
      metadata: ORIGINAL,
      data: { [KEY]: 'one', other: 'secret' },
    });
    kube = cluster.connect('agentpool-operator');
    side = operatorSide({ reads: kube, writes: kube, clock, random: new SeededRandom(1) });
    await clock.advance(10);
    await side.synced;
  });
  afterEach(async () => {
    const stopped = side.stop();
    await clock.advance(1_000);
    await stopped;
  });

  const copies = (): readonly Stored<ConfigMap>[] =>
    cluster.server.store.list(CONFIG_MAPS).filter(({ immutable }) => immutable === true);
  const texts = (): readonly unknown[] => copies().map(({ data }) => data?.[KEY]);
  const edit = async (text: string): Promise<void> => {
    await cluster.admin.patch(CONFIG_MAPS, ORIGINAL, { data: { [KEY]: text } });
    await clock.advance(10);
  };
  const module = (): ModuleArtifact => {
    const wanted = side.source.get(POOL)?.module;
    if (wanted?.at !== 'loaded') throw new Error('the module is not there');
    return wanted.artifact;
  };
  const make = async (of: ModuleArtifact, name = `pool-s-${++pods}`): Promise<Pod> => {
    const spec = agentPoolSpecSchema.parse(SPEC);
    const template = { revision: of.digest.slice(0, 10), module: of, spec };
    await side.driver.create({ name, pool: POOL, role: 'shared', template, resources: {} }, NEVER);
    await clock.advance(10);
    return cluster.admin.get(PODS, { namespace: 'default', name });
  };
  const keep = async (...modules: readonly ModuleArtifact[]): Promise<void> => {
    await side.driver.keepModules(POOL, modules, NEVER);
    await clock.advance(10);
  };
  const end = async (pod: Pod): Promise<void> => {
    await cluster.admin.delete(PODS, refOf(pod));
    await clock.advance(60_000);
  };

  it('is what its pods mount, cannot change, has that key only, and is the pool’s', async () => {
    const pod = await make(module());
    const [copy] = copies();
    expect(copy).toMatchObject({ immutable: true, data: { [KEY]: 'one' } });
    expect(Object.keys(copy?.data ?? {})).toEqual([KEY]);
    expect(copy?.metadata.ownerReferences).toMatchObject([
      { kind: 'AgentPool', name: 'pool', controller: true },
    ]);
    const volume = pod.spec?.volumes?.find(({ name }) => name === 'agentpool-module');
    expect(volume?.configMap?.name).toBe(copy?.metadata.name);
  });

  it('is made once for pods that are made at the same time, and for later ones', async () => {
    await Promise.all(['a', 'b', 'c'].map((name) => make(module(), name)));
    await make(module());
    expect(copies()).toHaveLength(1);
    expect(kube.calls.get('create configmaps')).toBe(1);
  });

  it('stays what it was when the ConfigMap is edited: two revisions, two copies', async () => {
    const one = module();
    await make(one);
    await edit('two');
    await make(module());
    expect(texts().toSorted()).toEqual(['one', 'two']);
    await make(one);
    expect(copies()).toHaveLength(2);
  });

  it('is not made of a text that is another revision’s by now', async () => {
    const one = module();
    await edit('two');
    await expect(make(one)).rejects.toThrow('the ConfigMap agents has changed meanwhile');
    expect(copies()).toEqual([]);
  });

  it('outlives the ConfigMap', async () => {
    const one = module();
    await make(one);
    await cluster.admin.delete(CONFIG_MAPS, ORIGINAL);
    await clock.advance(10);
    await make(one);
    expect(texts()).toEqual(['one']);
  });

  it('goes when neither a revision nor a pod needs it', async () => {
    const one = module();
    const pod = await make(one);
    await edit('two');
    await make(module());
    await keep(module());
    expect(copies()).toHaveLength(2);
    await end(pod);
    await keep(one, module());
    expect(copies()).toHaveLength(2);
    await keep(module());
    expect(texts()).toEqual(['two']);
  });

  it('stays while a pod has it that the cache does not show yet', async () => {
    const one = module();
    const pod = await make(one);
    await edit('two');
    await end(pod);
    const copy = copyName('pool', one.mounted!);
    const volumes = [{ name: 'agentpool-module', configMap: { name: copy } }];
    const { labels, ownerReferences } = pod.metadata ?? {};
    const late = { namespace: 'default', name: 'late', labels, ownerReferences };
    await cluster.admin.create(PODS, {
      metadata: late as NonNullable<Pod['metadata']>,
      spec: { containers: [], volumes },
    });
    await side.driver.keepModules(POOL, [module()], NEVER);
    expect(texts()).toEqual(['one']);
  });

  it('is made again when somebody deletes it, while its text can be had', async () => {
    const one = module();
    await make(one);
    await cluster.admin.delete(CONFIG_MAPS, refOf(copies()[0] ?? {}));
    await clock.advance(10);
    await keep(one);
    expect(texts()).toEqual(['one']);
  });

  describe('that an earlier pool has left', () => {
    const leave = async (data?: Readonly<Record<string, string>>): Promise<Stored<ConfigMap>> => {
      await make(module());
      const [copy] = copies();
      if (copy === undefined) throw new Error('no copy');
      await cluster.admin.delete(CONFIG_MAPS, refOf(copy));
      const { name, labels = {} } = copy.metadata;
      const metadata = { namespace: 'default', name, labels };
      const left = { metadata, immutable: true, data: data ?? copy.data ?? {} };
      const made = await cluster.admin.create(CONFIG_MAPS, left);
      await clock.advance(10);
      return made;
    };

    it('becomes its own where a pod needs it', async () => {
      const left = await leave();
      await keep(module());
      const [now] = copies();
      expect(now?.metadata.uid).toBe(left.metadata.uid);
      expect(now?.metadata.ownerReferences).toMatchObject([{ kind: 'AgentPool', name: 'pool' }]);
    });

    it('becomes its own though the text has changed since', async () => {
      const one = module();
      const left = await leave();
      await edit('two');
      await keep(one, module());
      const now = await cluster.admin.get(CONFIG_MAPS, refOf(left));
      expect(now.metadata.ownerReferences).toHaveLength(1);
    });

    it('goes where nobody needs it', async () => {
      await leave();
      for (const pod of cluster.server.store.list(PODS)) await end(pod);
      await edit('two');
      await keep(module());
      expect(texts()).toEqual([]);
    });

    it('is not taken where it says something else', async () => {
      const left = await leave({ [KEY]: 'evil' });
      await expect(make(module())).rejects.toMatchObject({ reason: 'ObjectNotOwned' });
      expect(await cluster.admin.get(CONFIG_MAPS, refOf(left))).toEqual(left);
    });
  });

  it('is never somebody else’s: not taken, not deleted', async () => {
    const metadata = { namespace: 'default', name: copyName('pool', module().mounted!) };
    const labels = { 'agentpool.dev/pool': 'pool' };
    await cluster.admin.create(CONFIG_MAPS, { metadata: { ...metadata, labels }, data: {} });
    await clock.advance(10);
    await expect(make(module())).rejects.toThrow('is not this pool');
    await keep();
    expect(await cluster.admin.get(CONFIG_MAPS, metadata)).toMatchObject({ data: {} });
  });
});
