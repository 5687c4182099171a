/** What an earlier pool of the same name has left (`--cascade=orphan`, a backup): taken over, never doubled, and gone with the new one. */
import { afterAll, beforeAll, expect, it } from '@jest/globals';
import { API_VERSION, KIND } from '../../api/agent-pool.ts';
import type { KubeObject } from '../cluster/control/kubectl.ts';
import { until } from '../e2e/until.ts';
import { ClusterOperators } from './operator-world.ts';

let world: ClusterOperators;
beforeAll(async () => {
  world = await ClusterOperators.start({ controllers: true });
  await world.startOperator();
  const metadata = { name: 'agents' };
  const data = { 'agents.ts': 'export default []' };
  await world.api.kubectl.apply([{ apiVersion: 'v1', kind: 'ConfigMap', metadata, data }]);
}, 600_000);
afterAll(() => world.stop(), 60_000);

const moduleFrom = { configMapRef: { name: 'agents', key: 'agents.ts' } };
const makePool = (name: string): Promise<string> =>
  world.api.kubectl.apply([
    {
      ...{ apiVersion: API_VERSION, kind: KIND, metadata: { name } },
      spec: { replicas: 2, runtime: { moduleFrom } },
    },
  ]);

/** Above what kubectl itself waits for. */
const DELETED = { withinMs: 90_000 };
const KINDS = 'secrets,poddisruptionbudgets,networkpolicies,configmaps';
const belongings = (pool: string): Promise<readonly KubeObject[]> =>
  world.api.kubectl.list(KINDS, 'default', `agentpool.dev/pool=${pool}`);
const identities = (objects: readonly KubeObject[]): readonly string[] =>
  objects.map(({ kind, metadata }) => `${kind} ${metadata.name} ${metadata.uid}`).toSorted();
const ownersOf = ({ metadata }: KubeObject): readonly string[] =>
  ((metadata['ownerReferences'] ?? []) as { uid: string }[]).map(({ uid }) => uid);
const uidOf = async (pool: string): Promise<string> =>
  (await world.api.kubectl.get('agentpool', pool)).metadata.uid ?? '';

/** Resolves with its pods when it is ready. */
async function serveAll(pool: string): Promise<readonly KubeObject[]> {
  const pods = await world.untilPods(pool, 2);
  for (const pod of pods) await world.serve(pod);
  await world.api.kubectl.until(`${pool} is ready`, ['agentpool', pool], ({ status }) =>
    JSON.stringify(status ?? {}).includes('"AllReady"'),
  );
  return pods;
}

const isForgotten = (pool: string) => async (): Promise<boolean> =>
  (await world.store.listPools()).every(({ key }) => key !== `default~${pool}`);

it('a pool that was deleted with --cascade=orphan leaves all that it had, and has it again when it is made again', async () => {
  const { kubectl } = world.api;
  await makePool('orphaned');
  const pods = await serveAll('orphaned');
  const before = await belongings('orphaned');
  expect(before.map(({ kind }) => kind).toSorted()).toEqual([
    // The copy of the module, and what the pods are made of.
    ...['ConfigMap', 'ConfigMap'],
    ...['NetworkPolicy', 'PodDisruptionBudget', 'PodDisruptionBudget', 'Secret'],
  ]);

  // The garbage collector looks for new kinds twice a minute.
  await kubectl.run(
    ['delete', 'agentpool', 'orphaned', '--cascade=orphan', '--timeout=75s'],
    DELETED,
  );
  await until('the pool is forgotten', isForgotten('orphaned'), 60_000);
  expect(identities(await world.pods('orphaned'))).toEqual(identities(pods));
  expect((await world.pods('orphaned')).flatMap(ownersOf)).toEqual([]);
  expect(identities(await belongings('orphaned'))).toEqual(identities(before));

  await makePool('orphaned');
  const again = await serveAll('orphaned');
  expect(identities(again)).toEqual(identities(pods));
  const uid = await uidOf('orphaned');
  const ownsAll = async (): Promise<boolean> => {
    const all = [...(await belongings('orphaned')), ...(await world.pods('orphaned'))];
    return all.length === 8 && all.every((one) => ownersOf(one).join() === uid);
  };
  await until('all is its own', ownsAll);
  expect(identities(await belongings('orphaned'))).toEqual(identities(before));

  await kubectl.run(['delete', 'agentpool', 'orphaned', '--timeout=75s'], DELETED);
  const isGone = async (): Promise<boolean> =>
    (await belongings('orphaned')).length === 0 && (await world.pods('orphaned')).length === 0;
  await until('nothing is left', isGone, 75_000);
}, 240_000);

it.each([
  ['with the owner that it had', (owners: readonly object[]) => owners],
  ['without an owner', () => []],
])(
  'what comes back from a backup %s holds nothing up',
  async (_, ownersFrom) => {
    const { kubectl } = world.api;
    const name = `restored-${ownersFrom([{}]).length}`;
    await makePool(name);
    await serveAll(name);
    const backup = [...(await belongings(name)), ...(await world.pods(name))];
    const earlier = await uidOf(name);
    await kubectl.run(['delete', 'agentpool', name, '--timeout=75s'], DELETED);
    const isGone = async (): Promise<boolean> =>
      (await belongings(name)).length === 0 && (await world.pods(name)).length === 0;
    await until('nothing is left', isGone, 75_000);

    await kubectl.run(['create', '-f', '-'], {
      input: JSON.stringify({
        ...{ apiVersion: 'v1', kind: 'List' },
        items: backup.map((one) => restored(one, ownersFrom)),
      }),
    });
    await makePool(name);
    const uid = await uidOf(name);
    expect(uid).not.toBe(earlier);
    const ownsAll = (least: number) => async (): Promise<boolean> => {
      const all = [...(await belongings(name)), ...(await world.pods(name))];
      return all.length >= least && all.every((one) => ownersOf(one).join() === uid);
    };
    // What pods are made of the garbage collector may have taken first: it is kept again once one of them is ready.
    await until('all is its own', ownsAll(7), 60_000);
    await serveAll(name);
    await until('what they are made of, too', ownsAll(8), 60_000);
    const { status } = await kubectl.get('agentpool', name);
    expect(JSON.stringify(status)).toContain('"AsExpected"');
  },
  240_000,
);

/** As tools for backups write it: what the API server gives an object is not in it. */
function restored(
  { apiVersion, kind, metadata, status: _, ...rest }: KubeObject,
  ownersFrom: (owners: readonly object[]) => readonly object[],
): object {
  const { name, namespace, labels, annotations } = metadata;
  const ownerReferences = ownersFrom((metadata['ownerReferences'] ?? []) as readonly object[]);
  const kept = { name, namespace, labels, annotations, ownerReferences };
  return { apiVersion, kind, metadata: kept, ...rest };
}
