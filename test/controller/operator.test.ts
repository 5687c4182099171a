/** The operator as a process on a real API server: what a pool becomes, and what is left of it. */
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { until } from '../e2e/until.ts';
import { ClusterOperators } from './operator-world.ts';

let world: ClusterOperators;

beforeAll(async () => {
  world = await ClusterOperators.start({ controllers: true });
  await world.startOperator();
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
    20_000,
  );

const isReady = (name: string) =>
  world.api.kubectl.until(
    `${name} is ready`,
    ['agentpool', name],
    (object) => condition(object, 'Ready') === 'True AllReady',
    20_000,
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
  });

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
      30_000,
    );
    await until('its record is gone', async () => (await world.store.listPools()).length === 0);
  });
});
