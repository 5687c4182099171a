/** Pools that are held until their projects are erased, while the operator or the store is away: nothing is held for ever. */
import { afterAll, beforeAll, expect, it } from '@jest/globals';
import { API_VERSION, KIND } from '../../api/agent-pool.ts';
import { projectKeyOf } from '../../core/identifiers.ts';
import { runtimeRecord } from '../builders/gateway.ts';
import { until } from '../e2e/until.ts';
import { ClusterOperators, type OperatorProcess } from './operator-world.ts';

/** Instead of five minutes. */
const ERASE_SECONDS = 8;
let world: ClusterOperators;
let operator: OperatorProcess;

const startOperator = (name: string): Promise<OperatorProcess> =>
  world.startOperator(name, ['--erase-seconds', String(ERASE_SECONDS)]);

beforeAll(async () => {
  world = await ClusterOperators.start();
  operator = await startOperator('operator-0');
}, 600_000);
/** Resolves when it answers. */
async function thawRedis(): Promise<void> {
  world.redis.signal('SIGCONT');
  await until('Redis answers', () => world.store.listPools(), 30_000);
}
afterAll(async () => {
  world.redis.signal('SIGCONT');
  await world.stop();
}, 60_000);

/** Without runtimes, with one project; resolves when the finaliser holds it. */
async function heldPool(name: string): Promise<void> {
  const { api, store } = world;
  const metadata = { name };
  const spec = { runtime: { image: 'agents:1' }, deletionPolicy: 'Delete', replicas: 0 };
  await api.kubectl.apply([{ apiVersion: API_VERSION, kind: KIND, metadata, spec }]);
  await api.kubectl.until('it is held', ['agentpool', name], (object) =>
    JSON.stringify(object.metadata['finalizers'] ?? []).includes('agentpool.dev/erase'),
  );
  const pool = `default~${name}`;
  await store.heartbeat(runtimeRecord(`${name}-runtime`, { pool }), 60_000);
  const claimed = await store.claim({
    key: projectOf(name),
    incarnation: `${name}-runtime`,
    claimId: 'claim',
  });
  expect(claimed.type).toBe('claimed');
  await store.deregister(`${name}-runtime`);
}

const projectOf = (pool: string) =>
  projectKeyOf({ namespace: 'default', pool, tenant: 'acme', project: 'docs' });
const askToDelete = (name: string): Promise<string> =>
  world.api.kubectl.run(['delete', 'agentpool', name, '--wait=false']);
const isGone = (name: string, withinMs: number): Promise<void> =>
  world.api.kubectl.untilGone('agentpool', name, 'default', withinMs);

/** Resolves when the pool has been held for longer than it may be. */
async function untilOverdue(name: string): Promise<void> {
  const { metadata } = await world.api.kubectl.get('agentpool', name);
  const deletedMs = Date.parse(String(metadata['deletionTimestamp']));
  const isUp = (): boolean => Date.now() > deletedMs + (ERASE_SECONDS + 1) * 1_000;
  await until('its time is up', isUp, 20_000);
}

async function reasonsOf(name: string): Promise<readonly unknown[]> {
  const events = await world.api.kubectl.list('events');
  return events
    .filter(({ involvedObject }) => (involvedObject as { name?: string }).name === name)
    .map(({ reason }) => reason as unknown);
}

it('erases what was deleted while no operator ran, however long ago', async () => {
  await heldPool('late');
  await operator.end();
  await askToDelete('late');
  await untilOverdue('late');
  operator = await startOperator('operator-1');
  await isGone('late', 90_000);
  expect(await world.store.readProject(projectOf('late'))).toBeUndefined();
  expect(await reasonsOf('late')).not.toContain('EraseGivenUp');
}, 120_000);

it('lets a pool go whose projects cannot be erased, and says so', async () => {
  await heldPool('stuck');
  world.redis.signal('SIGSTOP');
  try {
    await askToDelete('stuck');
    await isGone('stuck', 90_000);
    await until('it is told', async () => (await reasonsOf('stuck')).includes('EraseGivenUp'));
  } finally {
    await thawRedis();
  }
}, 180_000);

it('lets it go also when the operator was started while the store was away', async () => {
  await heldPool('blind');
  await operator.end();
  world.redis.signal('SIGSTOP');
  try {
    await askToDelete('blind');
    operator = await startOperator('operator-2');
    await isGone('blind', 90_000);
    await until('it is told', async () => (await reasonsOf('blind')).includes('EraseGivenUp'));
  } finally {
    await thawRedis();
  }
}, 180_000);
