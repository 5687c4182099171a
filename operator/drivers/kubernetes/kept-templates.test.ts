/** What the good pods are made of, kept in a ConfigMap of the pool for operators to come, over a cluster in memory. */
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { agentPoolSpecSchema, type AgentPoolSpecInput } from '../../../api/agent-pool.ts';
import { refOf, type Stored } from '../../../platform/kube/kube.ts';
import { CONFIG_MAPS, type ConfigMap } from '../../../platform/kube/resources.ts';
import { silentLog } from '../../../platform/log.ts';
import { poolTextSeal } from '../../../platform/tls/pool-key.ts';
import { FakeClock } from '../../../test/fakes/fake-clock.ts';
import { FakeCluster } from '../../../test/fakes/fake-cluster.ts';
import {
  createPool,
  KEY,
  type OperatorSide,
  operatorSide,
} from '../../../test/fakes/kubernetes-world.ts';
import { SeededRandom } from '../../../test/simulation/seeded-random.ts';
import type { RuntimeTemplate } from '../../pool/driver.ts';
import { templateOf } from '../../pool/observe.ts';
import { templateText } from './template-text.ts';

const POOL = 'default~pool';
const NEVER = new AbortController().signal;

function templateWith(image: string, runtime: AgentPoolSpecInput['runtime'] = {}): RuntimeTemplate {
  const spec = agentPoolSpecSchema.parse({ runtime: { image, ...runtime } });
  return templateOf(spec, { digest: image, path: './agents.ts' });
}
const ONE = templateWith('agents:1');
const TWO = templateWith('agents:2');

describe('what good pods are made of', () => {
  let clock: FakeClock;
  let cluster: FakeCluster;
  let side: OperatorSide;
  let kube: ReturnType<FakeCluster['connect']>;
  let said: string[];

  beforeEach(async () => {
    clock = new FakeClock();
    cluster = new FakeCluster({ clock });
    said = [];
    await createPool(cluster, POOL);
    kube = cluster.connect('agentpool-operator');
    side = operatorSide({
      ...{ reads: kube, writes: kube, clock, random: new SeededRandom(1) },
      log: { ...silentLog, warn: (message) => said.push(message) },
    });
    await clock.advance(10);
    await side.synced;
  });
  afterEach(async () => {
    const stopped = side.stop();
    await clock.advance(1_000);
    await stopped;
  });

  const kept = (): readonly Stored<ConfigMap>[] => cluster.server.store.list(CONFIG_MAPS);
  const keep = async (template: RuntimeTemplate): Promise<void> => {
    await side.driver.keepTemplate(POOL, template, NEVER);
    await clock.advance(10);
  };
  const read = (of: RuntimeTemplate): Promise<RuntimeTemplate | undefined> =>
    side.driver.keptTemplate(POOL, of.revision, TWO.spec, NEVER);
  /** Under the name that this one would have. */
  const put = async (
    of: RuntimeTemplate,
    data: Readonly<Record<string, string>>,
    labels: Readonly<Record<string, string>> = {},
  ): Promise<void> => {
    const metadata = { namespace: 'default', name: `pool-template-${of.revision}`, labels };
    await cluster.admin.create(CONFIG_MAPS, { metadata, data });
    await clock.advance(10);
  };
  const MARKS = {
    'app.kubernetes.io/managed-by': 'agentpool-operator',
    'agentpool.dev/pool': 'pool',
  };

  it('are there for the operators to come, cannot be changed, and are the pool’s', async () => {
    await keep(ONE);
    expect(await read(ONE)).toEqual({ ...ONE, spec: { ...TWO.spec, runtime: ONE.spec.runtime } });
    expect(kept()).toMatchObject([
      {
        immutable: true,
        metadata: { ownerReferences: [{ kind: 'AgentPool', name: 'pool', controller: true }] },
      },
    ]);
  });

  it('are written once, and go when they are not needed any more', async () => {
    for (let times = 0; times < 3; times++) await keep(ONE);
    expect(kube.calls.get('create configmaps')).toBe(1);
    expect(kube.calls.get('patch configmaps')).toBeUndefined();
    await keep(TWO);
    expect(kept()).toHaveLength(1);
    expect(await read(ONE)).toBeUndefined();
    expect(kube.calls.get('delete configmaps')).toBe(1);
    expect(said).toEqual([]);
  });

  it('stay until what comes after them is there', async () => {
    await keep(ONE);
    kube.mayCall = (verb) => verb !== 'create';
    await expect(keep(TWO)).rejects.toThrow();
    await clock.advance(10);
    expect(await read(ONE)).toMatchObject({ revision: ONE.revision });
    kube.mayCall = () => true;
    await keep(TWO);
    expect(await read(TWO)).toMatchObject({ revision: TWO.revision });
    expect(kept()).toHaveLength(1);
  });

  it('are asked of the API server only where there are some', async () => {
    expect(await read(ONE)).toBeUndefined();
    expect(kube.calls.get('get configmaps')).toBeUndefined();
  });

  it('are not kept where they are too large, which is said once', async () => {
    const env = Array.from({ length: 200 }, (_, index) => ({
      name: `E${index}`,
      value: 'x'.repeat(6_000),
    }));
    const large = templateWith('agents:1', { env });
    await keep(large);
    await keep(large);
    expect(kept()).toEqual([]);
    expect(said).toEqual(['what a revision is made of is too large to be kept']);
  });

  it.each<[string, Readonly<Record<string, string>>]>([
    ['nothing', {}],
    ['no seal', { 'template.json': templateText(ONE) }],
    [
      'the seal of another installation',
      { 'template.json': templateText(ONE), seal: poolTextSeal('other', POOL, templateText(ONE)) },
    ],
    [
      'the seal of another pool',
      {
        'template.json': templateText(ONE),
        seal: poolTextSeal(KEY, 'default~other', templateText(ONE)),
      },
    ],
    [
      'another revision',
      { 'template.json': templateText(TWO), seal: poolTextSeal(KEY, POOL, templateText(TWO)) },
    ],
  ])('are not believed where the ConfigMap has %s, and are put right', async (_what, data) => {
    await put(ONE, data, MARKS);
    expect(await read(ONE)).toBeUndefined();
    expect(said).toEqual(['what a revision was made of is not taken from its ConfigMap']);
    await keep(ONE);
    expect(await read(ONE)).toMatchObject({ revision: ONE.revision });
    expect(kept()).toHaveLength(1);
  });

  it('are left aside by an operator whose store is another place', async () => {
    await keep(ONE);
    const common = { reads: kube, writes: kube, clock, random: new SeededRandom(2) };
    const log = { ...silentLog, warn: (message: string) => said.push(message) };
    const other = operatorSide({ ...common, log, storePlace: 'redis://other' });
    await clock.advance(10);
    await other.synced;
    const readByOther = (): Promise<RuntimeTemplate | undefined> =>
      other.driver.keptTemplate(POOL, ONE.revision, TWO.spec, NEVER);
    expect(await readByOther()).toBeUndefined();
    expect(said).toEqual(['what a revision was made of is not taken from its ConfigMap']);
    await other.driver.keepTemplate(POOL, ONE, NEVER);
    await clock.advance(10);
    expect(await readByOther()).toMatchObject({ revision: ONE.revision });
    const stopped = other.stop();
    await clock.advance(1_000);
    await stopped;
  });

  it('become its own where an earlier pool has left them', async () => {
    const text = templateText(ONE);
    await put(ONE, { 'template.json': text, seal: poolTextSeal(KEY, POOL, text) }, MARKS);
    await keep(ONE);
    expect(kept()).toMatchObject([{ metadata: { ownerReferences: [{ name: 'pool' }] } }]);
  });

  const prepare = (): Promise<void> =>
    side.driver.prepare(POOL, { spec: TWO.spec, shared: 1, dedicated: 0 }, NEVER);

  it('become its own, and go with it, though the pool may never have good ones itself', async () => {
    await put(ONE, { any: 'x' }, MARKS);
    await prepare();
    expect(kept()).toMatchObject([{ metadata: { ownerReferences: [{ name: 'pool' }] } }]);
  });

  it('hold nothing up where they have gone meanwhile, or are somebody else’s', async () => {
    await put(TWO, { mine: 'x' });
    await put(ONE, {}, MARKS);
    for (const one of kept())
      if (one.metadata.labels?.['agentpool.dev/pool'] === 'pool')
        await cluster.admin.delete(CONFIG_MAPS, refOf(one));
    await prepare();
    expect(kept()).toMatchObject([{ data: { mine: 'x' } }]);
    expect(kept()[0]?.metadata.ownerReferences).toBeUndefined();
  });

  it('never take the place of somebody else’s', async () => {
    await put(ONE, { mine: 'x' });
    const [theirs] = kept();
    await expect(keep(ONE)).rejects.toMatchObject({ reason: 'ObjectNotOwned' });
    expect(await cluster.admin.get(CONFIG_MAPS, refOf(theirs ?? {}))).toEqual(theirs);
  });

  it('leave the copies of modules alone', async () => {
    const metadata = { namespace: 'default', name: 'pool-module-abc', labels: MARKS };
    await cluster.admin.create(CONFIG_MAPS, { metadata, data: {} });
    await clock.advance(10);
    await keep(ONE);
    await keep(TWO);
    expect(kept().map((one) => one.metadata.name)).toContain('pool-module-abc');
    expect(kept()).toHaveLength(2);
  });
});
