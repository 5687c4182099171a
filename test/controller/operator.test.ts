/** The operator as a process on a real API server: what a pool becomes, and what is left of it. */
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { until } from '../e2e/until.ts';
import { ClusterOperators, type OperatorProcess } from './operator-world.ts';

let world: ClusterOperators;
let first: OperatorProcess;

beforeAll(async () => {
  world = await ClusterOperators.start({ controllers: true });
  first = await world.startOperator();
}, 600_000);
afterAll(() => world.stop(), 60_000);

const pool = (name: string, spec: object = {}): object => ({
  apiVersion: 'agentpool.dev/v1alpha1',
  kind: 'AgentPool',
  metadata: { name },
  spec: { ...spec, runtime: { image: 'agents:1', ...(spec as { runtime?: object }).runtime } },
});

const condition = (object: { readonly [field: string]: unknown }, type: string): string => {
  const { conditions = [] } = (object['status'] ?? {}) as {
    conditions?: { type: string; status: string; reason: string }[];
  };
  const found = conditions.find((one) => one.type === type);
  return `${found?.status ?? '?'} ${found?.reason ?? '?'}`;
};

const podsOf = (name: string, count: number) =>
  until(
    `${count} pods of ${name}`,
    async () => {
      const pods = await world.pods(name);
      return pods.length === count ? pods : undefined;
    },
    40_000,
  );

const isReady = (name: string) =>
  world.api.kubectl.until(
    `${name} is ready`,
    ['agentpool', name],
    (object) => condition(object, 'Ready') === 'True AllReady',
    40_000,
  );

describe('the operator in a cluster', () => {
  it('makes the pods of a pool, and says how it is', async () => {
    const { kubectl } = world.api;
    await kubectl.apply([pool('one', { replicas: 2 })]);
    const pods = await podsOf('one', 2);
    expect(pods.map(({ metadata }) => metadata.name.replace(/-s\w{5}-/, '-s-')).sort()).toEqual([
      'one-s-0',
      'one-s-1',
    ]);
    for (const pod of pods) await world.serve(pod);
    const { status } = await isReady('one');
    expect(status).toMatchObject({ observedGeneration: 1, replicas: 2, readyReplicas: 2 });
    for (const [kind, name] of [
      ['secret', 'one-agentpool-runtime'],
      ['pdb', 'one-shared'],
      ['networkpolicy', 'one-runtimes'],
    ] as const)
      expect((await kubectl.get(kind, name)).metadata.name).toBe(name);
  }, 90_000);

  it('leaves nothing of a deleted pool', async () => {
    const { kubectl } = world.api;
    await kubectl.run(['delete', 'agentpool', 'one', '--wait=true', '--timeout=20s']);
    await until(
      'nothing is left',
      async () => {
        const kinds = 'secrets,pdb,networkpolicies';
        const left = await kubectl.list(kinds, 'default', 'agentpool.dev/pool=one');
        return left.length === 0 && (await world.pods('one')).length === 0;
      },
      75_000,
    );
    // A pod that was made seconds ago may still be missing from lists: that it never comes is sure after half a minute.
    const isForgotten = async () => (await world.store.listPools()).length === 0;
    await until('its record is gone', isForgotten, 45_000);
  }, 150_000);

  it.each<[string, string, object, string]>([
    ['a label that is none', 'two', { nodeSelector: { 'not a label!': 'x' } }, 'nodeSelector'],
    [
      'a field that it does not know, which would keep them in a sandbox,',
      'typo',
      { runtimeClass: 'gvisor' },
      'unknown field \\"spec.runtimeClass\\"',
    ],
  ])(
    'says that the API server refuses its pods for %s in its own words, and keeps those that serve',
    async (_, name, spec, words) => {
      const { kubectl } = world.api;
      await kubectl.apply([pool(name)]);
      const [good] = await podsOf(name, 1);
      if (good === undefined) throw new Error('no pod');
      await world.serve(good);
      await isReady(name);
      await kubectl.apply([pool(name, { runtime: { podTemplate: { spec } } })]);
      const { status } = await kubectl.until(
        'it is rejected',
        ['agentpool', name],
        (object) => condition(object, 'Degraded') === 'True PodRejected',
        40_000,
      );
      expect(JSON.stringify(status)).toContain(words);
      const isTold = async (): Promise<boolean> =>
        /Warning +PodRejected/.test(await kubectl.run(['describe', 'agentpool', name]));
      await until('there is an event', isTold);
      const pods = await world.pods(name);
      expect(pods.map(({ metadata }) => metadata.uid)).toEqual([good.metadata.uid]);
    },
    150_000,
  );

  it('names a ConfigMap that is missing, and starts when it comes', async () => {
    const { kubectl } = world.api;
    const moduleFrom = { configMapRef: { name: 'agents', key: 'agents.ts' } };
    const spec = { runtime: { moduleFrom } };
    await kubectl.apply([{ ...pool('three'), spec }]);
    const { status } = await kubectl.until(
      'it is named',
      ['agentpool', 'three'],
      (object) => condition(object, 'Ready') === 'False AgentModuleInvalid',
      40_000,
    );
    expect(JSON.stringify(status)).toContain('the ConfigMap agents is not there');
    const metadata = { name: 'agents' };
    const data = { 'agents.ts': 'export default []' };
    await kubectl.apply([{ apiVersion: 'v1', kind: 'ConfigMap', metadata, data }]);
    const [made] = await podsOf('three', 1);
    expect(JSON.stringify(made)).toContain('agents:default');
  }, 120_000);

  it('gives the pods of each revision a copy of its text that nobody can change, for as long as it is needed', async () => {
    const { kubectl } = world.api;
    const copies = async () => {
      const all = await kubectl.list('configmaps', 'default', 'agentpool.dev/pool=three');
      return all
        .filter(({ metadata }) => metadata.name.startsWith('three-module-'))
        .map((copy) => ({
          name: copy.metadata.name,
          data: copy['data'] as unknown,
          immutable: copy['immutable'] as unknown,
        }));
    };
    const copiesOf = (...texts: readonly string[]) =>
      until(
        `copies of ${texts.join(' and ')}`,
        async () => {
          const all = await copies();
          const found = all.map(({ data }) => JSON.stringify(data)).toSorted();
          const wanted = texts.map((text) => JSON.stringify({ 'agents.ts': text })).toSorted();
          return JSON.stringify(found) === JSON.stringify(wanted) ? all : undefined;
        },
        40_000,
      );
    const [first] = await copiesOf('export default []');
    expect(first?.immutable).toBe(true);
    const [old] = await podsOf('three', 1);
    if (old === undefined) throw new Error('no pod');
    expect(JSON.stringify(old)).toContain(`"name":"${first?.name}"`);
    await world.serve(old);
    await isReady('three');
    const edit = JSON.stringify({ data: { 'agents.ts': 'export default [{}]' } });
    await kubectl.run(['patch', 'configmap', 'agents', '--type=merge', '-p', edit]);
    await copiesOf('export default []', 'export default [{}]');
    const both = await podsOf('three', 2);
    const fresh = both.find(({ metadata }) => metadata.name !== old.metadata.name);
    if (fresh === undefined) throw new Error('no new pod');
    await world.serve(fresh);
    await copiesOf('export default [{}]');
  }, 140_000);

  it('takes back what it was given of the Secrets of tenants, and deletes no Secret for it', async () => {
    const { kubectl } = world.api;
    const stringData = { key: 'sesame' };
    await kubectl.apply([
      { apiVersion: 'v1', kind: 'Secret', metadata: { name: 'acme' }, stringData },
      pool('tenants', { tenants: [{ name: 'acme', secretRef: { name: 'acme' } }] }),
    ]);
    const given = async (): Promise<readonly string[] | undefined> => {
      const secret = await kubectl.find('secret', 'tenants-agentpool-tenants');
      return secret && Object.keys((secret['data'] ?? {}) as object);
    };
    await until('it is given', async () => (await given())?.length === 1, 40_000);
    await kubectl.apply([pool('tenants', { tenants: [{ name: 'acme' }] })]);
    await until('it is taken back', async () => (await given())?.length === 0, 40_000);
  }, 90_000);

  it('holds a pool until its projects are erased, where that is its policy', async () => {
    const { kubectl } = world.api;
    await kubectl.apply([pool('four', { deletionPolicy: 'Delete', replicas: 0 })]);
    await kubectl.until(
      'it is held',
      ['agentpool', 'four'],
      ({ metadata }) =>
        JSON.stringify(metadata['finalizers'] ?? []).includes('agentpool.dev/erase'),
      40_000,
    );
    await kubectl.run(['delete', 'agentpool', 'four', '--wait=true', '--timeout=40s']);
  }, 90_000);

  it('is killed and replaced while it makes pods: none is made twice', async () => {
    await first.end('SIGKILL');
    await world.api.kubectl.apply([pool('five', { replicas: 6 })]);
    const second = await world.startOperator('operator-1');
    await until('the first pods', async () => (await world.pods('five')).length > 0, 40_000);
    await second.end('SIGKILL');
    await world.startOperator('operator-2');
    for (let served = 0; served < 6;) {
      const pods = await until(
        'more pods',
        async () => {
          const all = await world.pods('five');
          return all.length > served ? all : undefined;
        },
        60_000,
      );
      for (const pod of pods.slice(served)) await world.serve(pod);
      served = pods.length;
    }
    await isReady('five');
    expect(await world.pods('five')).toHaveLength(6);
  }, 180_000);
});
