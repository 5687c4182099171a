/** A user of Redis for each pool, as the operator makes, renews, and takes it away; and that a pool gets no pods where Redis refuses. */
import { afterAll, beforeAll, expect, it } from '@jest/globals';
import { API_VERSION, KIND } from '../../api/agent-pool.ts';
import { RedisKeys } from '../../platform/store/redis/redis-keys.ts';
import { installationRights, USER_COMMANDS } from '../../platform/store/redis/redis-rights.ts';
import { writeSecret } from '../builders/certificates.ts';
import type { KubeObject } from '../cluster/control/kubectl.ts';
import { until } from '../e2e/until.ts';
import { ClusterOperators, type OperatorProcess } from './operator-world.ts';

const OWNER = { username: 'owner', password: 'correct-horse' };
const RIGHTS = installationRights(new RedisKeys('agentpool'), `>${OWNER.password}`);
let world: ClusterOperators;
let operator: OperatorProcess;

beforeAll(async () => {
  world = await ClusterOperators.start();
  writeSecret(world.workspace.path('store'), { url: world.redis.url, ...OWNER });
}, 600_000);
afterAll(() => world.stop(), 60_000);

const makePool = (name: string): Promise<string> =>
  world.api.kubectl.apply([
    {
      ...{ apiVersion: API_VERSION, kind: KIND, metadata: { name } },
      spec: { runtime: { image: 'agents:1' }, deletionPolicy: 'Delete' },
    },
  ]);

const grant = (...more: readonly string[]): Promise<unknown> =>
  world.redis.admin((redis) => redis.call('ACL', 'SETUSER', OWNER.username, ...RIGHTS, ...more));

const poolUsers = (): Promise<readonly string[]> =>
  world.redis.admin(async (redis) => {
    const names = (await redis.call('ACL', 'USERS')) as readonly string[];
    return names.filter((name) => name.includes('~')).toSorted();
  });

const degraded = (name: string, expected: RegExp): Promise<KubeObject> =>
  world.api.kubectl.until(`${name} is ${expected.source}`, ['agentpool', name], ({ status }) => {
    const { conditions = [] } = (status ?? {}) as {
      conditions?: { type: string; status: string; reason: string; message: string }[];
    };
    const found = conditions.find(({ type }) => type === 'Degraded');
    return found !== undefined && expected.test(`${found.status} ${found.reason} ${found.message}`);
  });

it('gets no pods where Redis refuses to make its user, and is told why; with the right it goes on', async () => {
  await grant();
  operator = await world.startOperator('operator-0', ['--pool-users']);
  await makePool('one');
  await degraded('one', /^True RedisUsersRefused .*NOPERM.*[+]acl[|]setuser/);
  expect(await world.pods('one')).toEqual([]);
  expect(
    await world.api.kubectl.find('secret', 'one-agentpool-runtime', 'default'),
  ).toBeUndefined();
  await grant(...USER_COMMANDS.map((command) => `+${command}`));
  await world.untilPods('one', 1);
  await degraded('one', /^False AsExpected/);
}, 120_000);

it("has its user in its Secret, and nothing of the installation's", async () => {
  const { data } = await world.api.kubectl.get('secret', 'one-agentpool-runtime', 'default');
  const texts = Object.fromEntries(
    Object.entries(data as Readonly<Record<string, string>>).map(([name, base64]) => [
      name,
      Buffer.from(base64, 'base64').toString(),
    ]),
  );
  expect(texts).toMatchObject({
    'store-url': world.redis.url,
    'store-username': 'agentpool:default~one',
    'store-password': expect.stringMatching(/^[\w-]{43}$/),
  });
  expect(JSON.stringify(texts)).not.toMatch(/owner|correct-horse/);
  expect(await poolUsers()).toEqual(['agentpool:default~one']);
}, 30_000);

it('has it again when Redis was restarted and has forgotten it', async () => {
  await makePool('two');
  await world.untilPods('two', 1);
  await world.redis.kill();
  await world.redis.start();
  await grant(...USER_COMMANDS.map((command) => `+${command}`));
  await until('both are there', async () => (await poolUsers()).length === 2, 20_000);
}, 60_000);

it('loses it when it goes, also when an operator finds its record only', async () => {
  const { kubectl } = world.api;
  await makePool('two');
  await kubectl.run(['delete', 'agentpool', 'two', '--timeout=60s']);
  await until('its user is gone', async () => !(await poolUsers()).join().includes('two'), 20_000);
  const record = { generation: 1, spec: {}, status: {}, revision: 'r' };
  const installation = 'agentpool/agentpool-operator';
  await world.store.putPool({ key: 'default~gone', ...record, installation });
  await world.redis.admin((redis) =>
    redis.call('ACL', 'SETUSER', 'agentpool:default~gone', 'on', 'nopass'),
  );
  await operator.end();
  await world.startOperator('operator-1', ['--pool-users']);
  await until(
    'nothing of it is left',
    async () => {
      const records = await world.store.listPools('default~gone');
      return records.length === 0 && !(await poolUsers()).includes('agentpool:default~gone');
    },
    30_000,
  );
}, 120_000);
