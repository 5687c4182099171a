/** A leader that is frozen in the middle of its work and thawed when another one has taken over, with many pools that change meanwhile. */
import { once } from 'node:events';
import { afterAll, beforeAll, expect, it } from '@jest/globals';
import { API_VERSION, KIND } from '../../api/agent-pool.ts';
import { auditFlags, writesOf, type Written } from '../cluster/audit.ts';
import { until } from '../e2e/until.ts';
import { createWorkspace, type Workspace } from '../e2e/workspace.ts';
import { ClusterOperators, type OperatorProcess } from './operator-world.ts';

const POOLS = 200;
/** The most that any of them is ever to have, by its number. */
const FEW = 2;
const scattered = (index: number): number => 1 + (index % 3);
const bound = (index: number): number => Math.max(FEW, scattered(index));

let log: Workspace;
let world: ClusterOperators;
beforeAll(async () => {
  log = createWorkspace();
  world = await ClusterOperators.start({ flags: auditFlags(log.folder) });
}, 600_000);
afterAll(async () => {
  await world.stop();
  log.remove();
}, 60_000);

const nameOf = (index: number): string => `p${index}`;
const all = Array.from({ length: POOLS }, (_, index) => index);

const setReplicas = (replicasOf: (index: number) => number): Promise<string> =>
  world.api.kubectl.apply(
    all.map((index) => ({
      ...{ apiVersion: API_VERSION, kind: KIND, metadata: { name: nameOf(index) } },
      spec: { runtime: { image: 'agents:1' }, replicas: replicasOf(index) },
    })),
  );

/** Pods by pool. */
async function podCounts(): Promise<ReadonlyMap<string, number>> {
  const counts = new Map<string, number>();
  for (const { metadata } of await world.api.kubectl.list('pods')) {
    const pool = metadata.labels?.['agentpool.dev/pool'] ?? '';
    counts.set(pool, (counts.get(pool) ?? 0) + 1);
  }
  return counts;
}

const untilAllHave = (replicasOf: (index: number) => number): Promise<unknown> =>
  until(
    'each pool has its pods, and no more',
    async () => {
      const counts = await podCounts();
      return all.every((index) => counts.get(nameOf(index)) === replicasOf(index));
    },
    150_000,
  );

async function start(name: string): Promise<OperatorProcess> {
  const kubeconfig = await world.operatorUser(name);
  return world.startOperator(name, [], { kubeconfig });
}

const madeBy = (user: string): number =>
  writesOf(user, log.folder).filter(({ what }) => what === 'create pods').length;

/** The most pods that each pool had at one time: without a node they are gone as soon as they are deleted. */
function peaks(writes: readonly Written[]): ReadonlyMap<string, number> {
  const now = new Map<string, Set<string>>();
  const most = new Map<string, number>();
  for (const { what, name } of writes.toSorted((a, b) => a.atMs - b.atMs)) {
    const pool = name.slice(0, name.indexOf('-'));
    const pods = now.get(pool) ?? new Set();
    if (what === 'create pods') pods.add(name);
    if (what === 'delete pods') pods.delete(name);
    now.set(pool, pods);
    most.set(pool, Math.max(most.get(pool) ?? 0, pods.size));
  }
  return most;
}

it('a thawed leader writes nothing: no pod is made twice, none is left over', async () => {
  const old = await start('operator-a');
  await setReplicas(() => 1);
  await untilAllHave(() => 1);
  const heir = await start('operator-b');

  // In the middle of it.
  const changed = setReplicas(() => FEW);
  const isAtWork = (): boolean => madeBy('operator-a') > POOLS + 10;
  await Promise.all([
    until('it is at work', isAtWork, 60_000).then(() => old.signal('SIGSTOP')),
    changed,
  ]);
  await setReplicas(scattered);
  await untilAllHave(scattered);
  const leftMs = writesOf('operator-a', log.folder).at(-1)?.atMs ?? 0;

  const gone = once(old.child, 'exit');
  const thawedMs = Date.now();
  const last = setReplicas(() => FEW);
  old.signal('SIGCONT');
  const [code] = (await gone) as [number | null];
  expect(code).toBe(1);
  expect(old.log()).toContain('another operator leads now');
  await last;
  await untilAllHave(() => FEW);

  expect(leftMs).toBeLessThan(thawedMs - 10_000);
  expect(writesOf('operator-a', log.folder, thawedMs)).toEqual([]);
  const both = ['operator-a', 'operator-b'].flatMap((user) => writesOf(user, log.folder));
  const most = peaks(both.filter(({ what }) => / pods$/.test(what)));
  const tooMany = all.filter((index) => (most.get(nameOf(index)) ?? 0) > bound(index));
  expect(tooMany).toEqual([]);
  // It was in the middle of its work, and the other one did the rest.
  expect(madeBy('operator-a')).toBeLessThan(2 * POOLS);
  expect(madeBy('operator-b')).toBeGreaterThan(POOLS / 2);
  await heir.end();
}, 480_000);
