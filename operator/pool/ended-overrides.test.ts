/** Tier overrides under the operator's loop, over a fake driver and a real memory store. */
import { afterEach, beforeEach, expect, it } from '@jest/globals';
import { OperatorWorld } from '../../test/fakes/operator-world.ts';

const POOL = 'default~pool';
let world: OperatorWorld;

beforeEach(async () => {
  world = new OperatorWorld();
  world.put({ replicas: 1 });
  await world.start();
});
afterEach(() => world.stop());

async function override(project: string, forMs?: number): Promise<void> {
  const sinceMs = world.clock.wallMs();
  const key = `${POOL}~acme~${project}`;
  const before = await world.store.readTierOverride(key);
  await world.store.setTierOverride(
    key,
    { tier: 'COLD', sinceMs, ...(forMs === undefined ? {} : { expiresAtMs: sinceMs + forMs }) },
    before?.generation ?? 0,
  );
}

async function left(): Promise<readonly string[]> {
  const all = await world.store.listTierOverrides(POOL);
  return all.map(({ key }) => key.split('~').at(-1) ?? '');
}

it('leave the store a while after they have ended; others stay', async () => {
  await override('ended', 5_000);
  await override('lasting', 3_600_000);
  await override('endless');
  await world.pass(60_000);
  expect(await left()).toEqual(['ended', 'endless', 'lasting']);
  await world.pass(60_000);
  expect(await left()).toEqual(['endless', 'lasting']);
});

it('stay where they were set anew while the operator looks', async () => {
  await override('ended', 5_000);
  let late: Promise<void> | undefined;
  world.onCall = (method) => {
    if (method === 'setTierOverride') late ??= override('ended', 3_600_000);
  };
  await world.pass(120_000);
  expect(late).toBeDefined();
  expect(await left()).toEqual(['ended']);
});

it('leave the store however many there are', async () => {
  for (let at = 0; at < 250; at += 1) await override(`p${at}`, 1_000);
  await world.pass(200_000);
  expect(await left()).toEqual([]);
});
