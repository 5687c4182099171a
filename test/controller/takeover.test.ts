/** Operators that take over from each other on a real API server while a bad revision rolls out: the good pods stay, and are made again. */
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { API_VERSION, KIND } from '../../api/agent-pool.ts';
import { LABELS } from '../../api/names.ts';
import type { KubeObject } from '../cluster/control/kubectl.ts';
import { until } from '../e2e/until.ts';
import { ClusterOperators, type OperatorProcess } from './operator-world.ts';

let world: ClusterOperators;
let leader: OperatorProcess;
let operators = 0;
const startOperator = async (): Promise<void> => {
  leader = await world.startOperator(`operator-${operators++}`);
};
beforeAll(async () => {
  world = await ClusterOperators.start();
  await startOperator();
}, 600_000);
afterAll(() => world.stop(), 60_000);

const put = (name: string, runtime: object): Promise<string> =>
  world.api.kubectl.apply([
    {
      ...{ apiVersion: API_VERSION, kind: KIND, metadata: { name } },
      spec: { replicas: 2, updateStrategy: { progressDeadlineSeconds: 3 }, runtime },
    },
  ]);
const untilStatus = (name: string, says: string): Promise<KubeObject> =>
  world.api.kubectl.until(
    `${name}: ${says}`,
    ['agentpool', name],
    ({ status }) => JSON.stringify(status ?? {}).includes(`"${says}"`),
    60_000,
  );
const revisionOf = ({ metadata }: KubeObject): string => metadata.labels?.[LABELS.revision] ?? '';
const statusOf = async (name: string): Promise<Readonly<Record<string, unknown>>> =>
  (await world.api.kubectl.get('agentpool', name))['status'] as Readonly<Record<string, unknown>>;
const goodPods = async (name: string): Promise<readonly KubeObject[]> => {
  const { goodRevision } = await statusOf(name);
  return (await world.pods(name)).filter((pod) => revisionOf(pod) === goodRevision);
};
const makeGood = async (name: string): Promise<void> => {
  await put(name, { image: 'agents:1' });
  for (const pod of await world.untilPods(name, 2)) await world.serve(pod);
  await untilStatus(name, 'AllReady');
};
const keptFor = async (name: string): Promise<readonly KubeObject[]> =>
  (await world.api.kubectl.list('configmaps', 'default', `${LABELS.pool}=${name}`)).filter(
    ({ metadata }) => metadata.name.startsWith(`${name}-template-`),
  );
const untilReplaced = (name: string, gone: KubeObject | undefined): Promise<KubeObject> =>
  until(
    'a good one is made in place of the one that is gone',
    async () => {
      const pods = await goodPods(name);
      const isGone = pods.every(({ metadata }) => metadata.uid !== gone?.metadata.uid);
      return isGone && pods.length === 2 ? pods.at(-1) : undefined;
    },
    60_000,
  );
/** Without a node it is gone at once. */
const deleteOne = async (name: string): Promise<KubeObject | undefined> => {
  const [one] = await goodPods(name);
  await world.api.kubectl.run(['delete', 'pod', one?.metadata.name ?? '', '--wait=false']);
  return one;
};

describe('the operator that takes over', () => {
  it('keeps the good pods of a roll-out that is stalled', async () => {
    await makeGood('stalled');
    const { goodRevision } = await statusOf('stalled');
    await until('it is kept', async () => (await keptFor('stalled')).length === 1, 20_000);
    const [kept] = await keptFor('stalled');
    expect(kept).toMatchObject({
      metadata: {
        name: `stalled-template-${String(goodRevision)}`,
        ownerReferences: [{ kind: KIND, name: 'stalled', controller: true }],
      },
      immutable: true,
    });
    await put('stalled', { image: 'agents:2' });
    await untilStatus('stalled', 'RolloutStalled');
    expect(await statusOf('stalled')).toMatchObject({ goodRevision });
    await leader.end('SIGKILL');
    await startOperator();
    const gone = await deleteOne('stalled');
    const made = await untilReplaced('stalled', gone);
    expect(JSON.stringify(made)).toContain('"agents:1"');
    expect(identities(await keptFor('stalled'))).toEqual(identities(kept ? [kept] : []));
  }, 180_000);

  it('keeps those of a spec that no operator has seen changed, and forgets them when another one serves', async () => {
    await makeGood('unseen');
    await until('it is kept', async () => (await keptFor('unseen')).length === 1, 20_000);
    await leader.end('SIGKILL');
    await put('unseen', { image: 'agents:2' });
    await startOperator();
    await untilStatus('unseen', 'RolloutStalled');
    const gone = await deleteOne('unseen');
    const made = await untilReplaced('unseen', gone);
    await world.serve(made);
    const { goodRevision } = await statusOf('unseen');
    const fresh = await until('one is tried', async () =>
      (await world.pods('unseen')).find((pod) => revisionOf(pod) !== goodRevision),
    );
    await world.serve(fresh);
    await until(
      'what serves now is kept',
      async () => {
        const [one, ...more] = await keptFor('unseen');
        return more.length === 0 && one?.metadata.name === `unseen-template-${revisionOf(fresh)}`;
      },
      60_000,
    );
  }, 180_000);
});

function identities(objects: readonly KubeObject[]): readonly (string | undefined)[] {
  return objects.map(({ metadata }) => metadata.uid);
}
