/** Which namespaces are in sight, of caches of several kinds in each. */
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { ResourceCache } from '../../platform/kube/resource-cache.ts';
import {
  CONFIG_MAPS,
  type KubeObject,
  PODS,
  type Resource,
} from '../../platform/kube/resources.ts';
import { type LogFields, silentLog } from '../../platform/log.ts';
import type { FakeKube } from '../../test/fakes/cluster/fake-kube.ts';
import { NO_FAULTS } from '../../test/fakes/cluster/kube-faults.ts';
import { FakeClock } from '../../test/fakes/fake-clock.ts';
import { FakeCluster } from '../../test/fakes/fake-cluster.ts';
import { SeededRandom } from '../../test/simulation/seeded-random.ts';
import { ALL_NAMESPACES, WatchedNamespaces } from './watched-namespaces.ts';

const KINDS: readonly Resource<KubeObject>[] = [PODS, CONFIG_MAPS];
/** More than the longest backoff. */
const TRIED_AGAIN_MS = 31_000;

describe('watched namespaces', () => {
  let clock: FakeClock;
  let kube: FakeKube;
  let namespaces: WatchedNamespaces;
  let lines: [string, LogFields][];

  const open = (...names: readonly string[]): void => {
    const random = new SeededRandom(1);
    const cache = (resource: Resource<KubeObject>, namespace: string) =>
      new ResourceCache({ kube, resource, selection: { namespace }, clock, random, log });
    const note = (message: string, fields: LogFields = {}): number => lines.push([message, fields]);
    const log = { ...silentLog, warn: note, info: note };
    const all = names.map((name) => [name, KINDS.map((kind) => cache(kind, name))] as const);
    namespaces = new WatchedNamespaces(new Map(all), { clock, log });
    namespaces.start();
  };
  const advance = async (byMs: number): Promise<void> => {
    await clock.advance(0);
    await clock.advance(byMs);
  };
  const refuse = (...names: readonly string[]): void => {
    kube.refused.clear();
    for (const name of names) kube.refused.add(name);
    kube.cutWatches();
  };
  const isOver = (work: Promise<unknown>): (() => boolean) => {
    let over = false;
    void work.then(() => (over = true));
    return () => over;
  };
  const inSight = (...names: readonly string[]): readonly boolean[] =>
    names.map((name) => namespaces.seenSinceMs(name) !== undefined);

  beforeEach(() => {
    clock = new FakeClock();
    kube = new FakeCluster({ clock }).connect('agentpool-operator');
    lines = [];
  });
  afterEach(() => namespaces.stop());

  it('are synced without the one that is refused', async () => {
    kube.refused.add('b');
    open('a', 'b');
    const isSynced = isOver(namespaces.synced);
    await advance(0);
    expect(isSynced()).toBe(true);
    expect(inSight('a', 'b', 'c')).toEqual([true, false, false]);
    expect(namespaces.missing).toBeUndefined();
  });

  it.each<[string, () => void]>([
    ['when one does not answer', () => (kube.isConnected = false)],
    ['when all are refused', () => refuse('a', 'b')],
    [
      'when one kind is refused in each',
      () => (kube.mayCall = (_, { plural }) => plural !== 'pods'),
    ],
  ])('are not synced %s', async (_when, spoil) => {
    spoil();
    open('a', 'b');
    const isSynced = isOver(namespaces.synced);
    await advance(60_000);
    expect(isSynced()).toBe(false);
    expect(inSight('a', 'b')).toEqual([false, false]);
    expect(namespaces.missing).toBeDefined();
    refuse();
    [kube.isConnected, kube.mayCall] = [true, () => true];
    await advance(TRIED_AGAIN_MS);
    expect(isSynced()).toBe(true);
    expect(namespaces.missing).toBeUndefined();
  });

  it('one is out of sight as long as one kind is refused in it, and those who listen are told when it is not', async () => {
    open('a', 'b');
    await advance(10);
    let sights = 0;
    const leave = namespaces.onSight(() => sights++);
    kube.mayCall = (_verb, { plural }) => plural !== 'pods';
    refuse('b');
    await advance(1_000);
    expect(inSight('a', 'b')).toEqual([false, false]);
    kube.mayCall = () => true;
    await advance(TRIED_AGAIN_MS);
    expect([...inSight('a', 'b'), sights]).toEqual([true, false, 1]);
    refuse();
    await advance(TRIED_AGAIN_MS);
    expect([...inSight('a', 'b'), sights]).toEqual([true, true, 2]);
    expect(namespaces.seenSinceMs('b')).toBeGreaterThan(TRIED_AGAIN_MS);
    leave();
    refuse('a');
    await advance(1_000);
    refuse();
    await advance(TRIED_AGAIN_MS);
    expect([...inSight('a'), sights]).toEqual([true, 2]);
  });

  it('are renewed without the one that was refused meanwhile', async () => {
    open('a', 'b');
    await advance(10);
    kube.refused.add('b');
    const isRenewed = isOver(namespaces.renew());
    expect(inSight('a', 'b')).toEqual([false, false]);
    expect(namespaces.missing).toBeUndefined();
    await advance(0);
    expect(isRenewed()).toBe(true);
    expect(inSight('a', 'b')).toEqual([true, false]);
  });

  it('one that was refused when they were renewed comes into sight only by lists that began later', async () => {
    open('a', 'b');
    await advance(10);
    refuse('b');
    await advance(60_000);
    kube.faults = { ...NO_FAULTS, latencyMaxMs: 1_000 };
    const before = kube.calls.get('list pods') ?? 0;
    // On its way: what it will tell may be from before the renewal.
    while (kube.calls.get('list pods') === before) await clock.advance(10);
    refuse();
    const isRenewed = isOver(namespaces.renew());
    const lists = (): number => kube.calls.get('list pods') ?? 0;
    const asked = lists();
    while (!inSight('b')[0]) await clock.advance(10);
    expect(isRenewed()).toBe(true);
    // One of a, and of b one more than the one that was on its way.
    expect(lists()).toBe(asked + 2);
  });

  it('tell a refusal once, with the namespace and what to do, and its end', async () => {
    open('a', 'b');
    await advance(10);
    expect(lines).toEqual([]);
    refuse('b');
    await advance(600_000);
    expect(lines).toHaveLength(1);
    expect(lines[0]?.[0]).toMatch(/refuses to show a namespace/);
    expect(lines[0]?.[1]).toMatchObject({ namespace: 'b', err: { reason: 'Forbidden' } });
    expect(lines[0]?.[1].detail?.['advice']).toMatch(/create it.*helm upgrade.*watchNamespaces/);
    refuse();
    await advance(TRIED_AGAIN_MS);
    expect(lines).toHaveLength(2);
    expect(lines[1]?.[0]).toMatch(/shows a namespace again/);
  });

  it('that are all as one stand for each', async () => {
    open(ALL_NAMESPACES);
    await advance(10);
    expect(inSight('a', 'b')).toEqual([true, true]);
    refuse(ALL_NAMESPACES);
    await advance(1_000);
    expect(inSight('a', 'b')).toEqual([false, false]);
    expect(namespaces.missing).toMatch('refuses to show');
    expect(lines[0]?.[1].detail?.['advice']).toMatch(/give the operator its role/);
  });
});
