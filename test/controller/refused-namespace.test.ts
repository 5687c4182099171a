/** An operator with `watchNamespaces`, one of which the API server refuses it, as the namespace was deleted with its role or has none yet. */
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { API_VERSION, KIND } from '../../api/agent-pool.ts';
import { until } from '../e2e/until.ts';
import { ClusterOperators, OPERATOR_USER, type OperatorProcess } from './operator-world.ts';

const GRANT = 'agentpool-operator';
const WATCHED = ['--watch-namespace', 'tenant-a', '--watch-namespace', 'tenant-b'];
/** More than the longest backoff. */
const JOINS_WITHIN_MS = 45_000;
let world: ClusterOperators;
let operators = 0;
const startOperator = (): Promise<OperatorProcess> =>
  world.startOperator(`operator-${operators++}`, WATCHED);

beforeAll(async () => {
  world = await ClusterOperators.start();
  const { kubectl } = world.api;
  await kubectl.run(['delete', 'clusterrolebinding', GRANT]);
  for (const namespace of ['tenant-a', 'tenant-b']) {
    await kubectl.run(['create', 'namespace', namespace]);
    await put(namespace, 1);
  }
}, 600_000);
afterAll(() => world.stop(), 60_000);

const put = (namespace: string, replicas: number): Promise<string> =>
  world.api.kubectl.apply([
    {
      ...{ apiVersion: API_VERSION, kind: KIND, metadata: { name: 'pool', namespace } },
      spec: { replicas, runtime: { image: 'agents:1' } },
    },
  ]);

const grant = async (namespace: string): Promise<void> => {
  const role = [`--clusterrole=${GRANT}`, `--user=${OPERATOR_USER}`];
  await world.api.kubectl.run(['create', 'rolebinding', GRANT, '-n', namespace, ...role]);
};
/** Resolves when the API server refuses the operator to look there. */
const revoke = async (namespace: string): Promise<void> => {
  const { kubectl } = world.api;
  await kubectl.run(['delete', 'rolebinding', GRANT, '-n', namespace]);
  const asked = ['auth', 'can-i', 'list', 'pods', '-n', namespace, '--as', OPERATOR_USER];
  await until('it is refused', async () => (await kubectl.attempt(asked)).code !== 0);
};
const untilPods = (namespace: string, count: number): Promise<unknown> =>
  until(
    `${count} pods in ${namespace}`,
    async () => (await world.pods('pool', namespace)).length === count,
    JOINS_WITHIN_MS,
  );
const readiness = async ({ url }: OperatorProcess): Promise<readonly [number, string]> => {
  const answer = await fetch(`${url}/readyz`);
  return [answer.status, (await answer.text()).trim()];
};
const untilReady = (operator: OperatorProcess, status: number): Promise<unknown> =>
  until(
    `/readyz says ${status}`,
    async () => (await readiness(operator))[0] === status,
    JOINS_WITHIN_MS,
  );
const linesOf = (operator: OperatorProcess, message: string): readonly string[] =>
  operator
    .log()
    .split('\n')
    .filter((line) => line.includes(message));

describe('an operator that may not look into one of its namespaces', () => {
  it('is not ready without any, serves each as soon as it may, and names the one that it may not', async () => {
    const operator = await startOperator();
    await until(
      'that is told',
      () => linesOf(operator, 'refuses to show a namespace').length === 2,
    );
    const [status, missing] = await readiness(operator);
    expect([status, missing]).toEqual([503, expect.stringContaining('refuses to show')]);
    await grant('tenant-a');
    await untilPods('tenant-a', 1);
    await untilReady(operator, 200);
    expect(await world.pods('pool', 'tenant-b')).toEqual([]);
    const [line = ''] = linesOf(operator, '"namespace":"tenant-b"');
    expect(line).toMatch(/forbidden.*tenant-b.*create it; then `helm upgrade`/s);
    await grant('tenant-b');
    await untilPods('tenant-b', 1);
    expect(linesOf(operator, 'refuses to show a namespace')).toHaveLength(2);
    expect(linesOf(operator, 'shows a namespace again')).toHaveLength(2);
    await operator.end('SIGKILL');
  }, 180_000);

  it('takes over from another one without it, touches nothing there, and goes on there when it may', async () => {
    const leader = await startOperator();
    await put('tenant-a', 2);
    await untilPods('tenant-a', 2);
    const standby = await startOperator();
    await untilReady(standby, 200);
    const before = await world.pods('pool', 'tenant-b');
    await revoke('tenant-b');
    await leader.end('SIGKILL');
    await put('tenant-a', 3);
    await put('tenant-b', 2);
    await untilPods('tenant-a', 3);
    expect(await readiness(standby)).toEqual([200, 'ok']);
    expect(await world.pods('pool', 'tenant-b')).toEqual(before);
    expect((await world.store.listPools()).map(({ key }) => key).toSorted()).toEqual([
      'tenant-a~pool',
      'tenant-b~pool',
    ]);
    await grant('tenant-b');
    await untilPods('tenant-b', 2);
  }, 180_000);
});
