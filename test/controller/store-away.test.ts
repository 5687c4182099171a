/** An operator that begins to lead while Redis is away: it sees pools and pods, says so, makes what is missing, and ends nothing. */
import { afterAll, beforeAll, expect, it } from '@jest/globals';
import { API_VERSION, KIND } from '../../api/agent-pool.ts';
import type { KubeObject } from '../cluster/control/kubectl.ts';
import { until } from '../e2e/until.ts';
import { ClusterOperators } from './operator-world.ts';

let world: ClusterOperators;
beforeAll(async () => {
  world = await ClusterOperators.start();
}, 600_000);
afterAll(async () => {
  world.redis.signal('SIGCONT');
  await world.stop();
}, 60_000);

const makePool = (name: string, replicas: number): Promise<string> =>
  world.api.kubectl.apply([
    {
      ...{ apiVersion: API_VERSION, kind: KIND, metadata: { name } },
      spec: { runtime: { image: 'agents:1' }, replicas },
    },
  ]);
const podsOf = (name: string, count: number): Promise<readonly KubeObject[]> =>
  until(
    `${count} pods of ${name}`,
    async () => {
      const pods = await world.pods(name);
      return pods.length === count ? pods : undefined;
    },
    40_000,
  );
const uidsOf = (pods: readonly KubeObject[]) => pods.map(({ metadata }) => metadata.uid);
const says = (name: string, conditions: Readonly<Record<string, string>>): Promise<KubeObject> =>
  world.api.kubectl.until(
    `${name} says ${JSON.stringify(conditions)}`,
    ['agentpool', name],
    ({ status }) => {
      const { conditions: found = [] } = (status ?? {}) as {
        conditions?: { type: string; status: string; reason: string }[];
      };
      const all = new Map(found.map((one) => [one.type, `${one.status} ${one.reason}`]));
      return Object.entries(conditions).every(([type, wanted]) => all.get(type) === wanted);
    },
    40_000,
  );

it('sees pools and pods, makes what is missing, and ends nothing', async () => {
  const { kubectl } = world.api;
  const first = await world.startOperator('operator-0');
  await makePool('serving', 2);
  const before = await podsOf('serving', 2);
  for (const pod of before) await world.serve(pod);
  const READY = { Ready: 'True AllReady', Available: 'True MinimumAvailable' };
  await says('serving', { ...READY, Degraded: 'False AsExpected' });
  await first.end();

  world.redis.signal('SIGSTOP');
  try {
    const second = await world.startOperator('operator-1');
    const AWAY = { Degraded: 'True StoreUnavailable', StoreDurable: 'Unknown StoreUnavailable' };
    const { status } = await says('serving', { ...READY, ...AWAY });
    expect(status).toMatchObject({ replicas: 2, readyReplicas: 2 });
    expect((await fetch(`${second.url}/readyz`)).status).toBe(200);

    await makePool('new', 1);
    await says('new', { ...AWAY, Ready: 'False RuntimesStarting' });
    await podsOf('new', 1);
    const [lost, kept] = before;
    await kubectl.run(['delete', 'pod', lost?.metadata.name ?? '', '--grace-period=0', '--force']);
    const now = await podsOf('serving', 2);
    expect(uidsOf(now)).toContain(kept?.metadata.uid);
    expect(uidsOf(now)).not.toContain(lost?.metadata.uid);
    // Fewer are wanted, but which of them serve nobody knows.
    await kubectl.run(['scale', 'agentpool/serving', '--replicas=1']);
    await kubectl.until('it was seen', ['agentpool', 'serving'], (object) => {
      const { desiredReplicas } = object['status'] as { desiredReplicas?: number };
      return desiredReplicas === 1;
    });
    expect(uidsOf(await world.pods('serving'))).toContain(kept?.metadata.uid);
    expect(await kubectl.run(['describe', 'agentpool', 'serving'])).toMatch(
      /Warning +StoreUnavailable/,
    );
  } finally {
    world.redis.signal('SIGCONT');
  }
  // The connection of the test itself comes back in its own time, as that of the operator does.
  await until('Redis answers the test', () => world.store.listPools());
  const [left] = await podsOf('serving', 1);
  if (left !== undefined) await world.serve(left);
  await says('serving', { ...READY, Degraded: 'False AsExpected' });
  const [made] = await podsOf('new', 1);
  if (made !== undefined) await world.serve(made);
  await says('new', { ...READY, Degraded: 'False AsExpected' });
  await until('its record is there', async () => (await world.store.listPools()).length === 2);
}, 240_000);
