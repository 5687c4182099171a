/** The pure decisions of a host as tables: placement, room, leases, failures, results, the machine's moves. */
import { describe, expect, it } from '@jest/globals';
import { FakeClock } from '../../test/fakes/fake-clock.ts';
import { heapClassMb } from '../../core/heap-class.ts';
import type { InstanceState } from '../../core/instance-state.ts';
import { resolveQuota } from '../../core/quota.ts';
import {
  addLease,
  aliveLeases,
  LEASES_PER_PROJECT_MAX,
  removeLease,
  renewLease,
} from './client-leases.ts';
import { FailureHistory } from './failure-history.ts';
import { Gate } from './gate.ts';
import { InstanceMachine } from './instance-machine.ts';
import { chooseVictim, isHibernationDue, roomOf, tenantRoomOf } from './instance-room.ts';
import { decidePlacement, servedTier, type PlacementSituation } from './placement.ts';
import { RecordedResults } from './recorded-results.ts';

describe('placement', () => {
  const base: PlacementSituation = {
    role: 'shared',
    draining: false,
    leased: false,
    wanted: 'WARM',
    serving: 'WARM',
    dedicated: undefined,
  };
  const to = { incarnation: 'd', address: 'unix:/d' };

  it.each<{ what: string; change: Partial<PlacementSituation>; placement: unknown }>([
    { what: 'stays as it is', change: {}, placement: { type: 'stay' } },
    {
      what: 'HOT without a runtime of its own stays',
      change: { wanted: 'HOT' },
      placement: { type: 'stay' },
    },
    {
      what: 'HOT with one moves',
      change: { wanted: 'HOT', dedicated: to },
      placement: { type: 'move', reason: 'tier', to },
    },
    {
      what: 'HOT, leased, stays',
      change: { wanted: 'HOT', dedicated: to, leased: true },
      placement: { type: 'stay' },
    },
    {
      what: 'WARM with a dedicated runtime left over stays',
      change: { dedicated: to },
      placement: { type: 'stay' },
    },
    { what: 'WARM to COLD', change: { wanted: 'COLD' }, placement: { type: 'reclass' } },
    { what: 'COLD to WARM', change: { serving: 'COLD' }, placement: { type: 'reclass' } },
    {
      what: 'COLD to HOT without a runtime becomes WARM',
      change: { serving: 'COLD', wanted: 'HOT' },
      placement: { type: 'reclass' },
    },
    {
      what: 'a drain moves',
      change: { draining: true },
      placement: { type: 'move', reason: 'drain', to: undefined },
    },
    {
      what: 'a drain moves a leased one too',
      change: { draining: true, leased: true },
      placement: { type: 'move', reason: 'drain', to: undefined },
    },
    {
      what: 'a drain knows the HOT target',
      change: { draining: true, wanted: 'HOT', dedicated: to },
      placement: { type: 'move', reason: 'drain', to },
    },
    {
      what: 'dedicated and HOT stays',
      change: { role: 'dedicated', wanted: 'HOT', serving: 'HOT' },
      placement: { type: 'stay' },
    },
    {
      what: 'dedicated and not HOT any more moves',
      change: { role: 'dedicated', serving: 'HOT' },
      placement: { type: 'move', reason: 'tier', to: undefined },
    },
  ])('$what', ({ change, placement }) => {
    expect(decidePlacement({ ...base, ...change })).toEqual(placement);
  });

  it.each([
    ['shared', 'HOT', 'WARM'],
    ['shared', 'COLD', 'COLD'],
    ['dedicated', 'WARM', 'HOT'],
  ] as const)('a %s runtime serves %s as %s', (role, wanted, served) => {
    expect(servedTier(role, wanted)).toBe(served);
  });
});

describe('room', () => {
  it.each([
    { perReplicaMax: 60, poolMax: 100, hotProjects: 0, sharedRuntimes: 1, room: 60 },
    { perReplicaMax: 60, poolMax: 100, hotProjects: 10, sharedRuntimes: 3, room: 30 },
    { perReplicaMax: 60, poolMax: 5, hotProjects: 9, sharedRuntimes: 2, room: 1 },
  ])(
    'is $room of $poolMax with $hotProjects HOT on $sharedRuntimes runtimes',
    ({ room, ...rules }) => {
      expect(roomOf(rules)).toBe(room);
    },
  );

  it('of a tenant is its part', () => {
    expect([tenantRoomOf(10, 3), tenantRoomOf(1, 3)]).toEqual([4, 1]);
  });

  const idle = { tier: 'WARM' as const, idleMs: 5, leased: false };
  it.each([
    { what: 'the idlest', among: [idle, { ...idle, idleMs: 9 }], chosen: 1 },
    {
      what: 'COLD before WARM',
      among: [
        { ...idle, idleMs: 9 },
        { ...idle, tier: 'COLD' as const },
      ],
      chosen: 1,
    },
    {
      what: 'nobody busy or leased',
      among: [
        { ...idle, idleMs: 0 },
        { ...idle, leased: true },
      ],
      chosen: -1,
    },
  ])('is made by $what', ({ among, chosen }) => {
    expect(chooseVictim(among)).toBe(among[chosen]);
  });

  it.each([
    { idleMs: 10, idleMsMax: 10, leased: false, due: true },
    { idleMs: 9, idleMsMax: 10, leased: false, due: false },
    { idleMs: 10, idleMsMax: 10, leased: true, due: false },
    { idleMs: 10, idleMsMax: undefined, leased: false, due: false },
  ])('idle for $idleMs of $idleMsMax, leased $leased: due $due', ({ due, ...idleness }) => {
    expect(isHibernationDue({ tier: 'WARM', ...idleness })).toBe(due);
  });
});

describe('client leases', () => {
  const one = { id: 'one', expiresAtMs: 10 };

  it('live until they expire', () => {
    expect(aliveLeases([one, { id: 'two', expiresAtMs: 20 }], 10)).toEqual([
      { id: 'two', expiresAtMs: 20 },
    ]);
  });

  it('are added, renewed and removed by id', () => {
    const two = { id: 'two', expiresAtMs: 5 };
    expect(addLease([one], two)).toEqual([one, two]);
    expect(renewLease([one, two], { ...one, expiresAtMs: 99 })).toEqual([
      { id: 'one', expiresAtMs: 99 },
      two,
    ]);
    expect(removeLease([one, two], 'one')).toEqual([two]);
  });

  it.each([
    () => renewLease([one], { id: 'x', expiresAtMs: 1 }),
    () => renewLease([], one),
    () => removeLease([one], 'x'),
  ])('that nobody knows are refused', (change) => {
    expect(change).toThrow(expect.objectContaining({ reason: 'LEASE_UNKNOWN' }));
  });

  it('are bounded in number', () => {
    const many = Array.from({ length: LEASES_PER_PROJECT_MAX }, (_, at) => ({
      id: String(at),
      expiresAtMs: 1,
    }));
    expect(() => addLease(many, one)).toThrow(expect.objectContaining({ reason: 'QUEUE_FULL' }));
  });
});

describe('failures', () => {
  it('open the circuit at the limit, and close it an hour after the oldest that counts', async () => {
    const clock = new FakeClock();
    const history = new FailureHistory(clock, () => 2);
    history.add('p');
    await clock.advance(600_000);
    expect(history.openForMs('p')).toBe(0);
    history.add('p');
    expect([history.openForMs('p'), history.openForMs('other')]).toEqual([3_000_000, 0]);
    await clock.advance(3_000_000);
    expect(history.openForMs('p')).toBe(0);
  });

  it('with a limit of none allow the first start only', () => {
    const history = new FailureHistory(new FakeClock(), () => 0);
    expect(history.openForMs('p')).toBe(0);
    history.add('p');
    expect(history.openForMs('p')).toBe(3_600_000);
  });
});

describe('recorded results', () => {
  it('are known by digest, the oldest forgotten first', () => {
    const results = new RecordedResults([
      { requestId: 'a', digest: '1' },
      { requestId: 'b', digest: '2' },
    ]);
    results.add({ requestId: 'c', digest: '3' }, 2);
    expect(['a', 'b', 'c'].map((id) => results.digestOf(id))).toEqual([undefined, '2', '3']);
    results.drop('b');
    expect(results.digestOf('b')).toBeUndefined();
  });
});

describe('a gate', () => {
  it('lets so many through at once, the rest in order', async () => {
    const gate = new Gate(() => 1);
    const order: string[] = [];
    const pass = async (name: string): Promise<() => void> => {
      const leave = await gate.enter();
      order.push(name);
      return leave;
    };
    const first = await pass('a');
    const rest = [pass('b'), pass('c')];
    await Promise.resolve();
    expect(order).toEqual(['a']);
    first();
    (await rest[0])?.();
    await rest[1];
    expect([order, gate.inside]).toEqual([['a', 'b', 'c'], 1]);
  });
});

describe('the machine of an instance', () => {
  function machine(): {
    readonly at: InstanceMachine;
    readonly moves: string[];
    readonly refused: string[];
  } {
    const moves: string[] = [];
    const refused: string[] = [];
    const at = new InstanceMachine(new FakeClock(), {
      moved: (_from, to) => moves.push(to),
      refused: (from, to) => refused.push(`${from} ${to}`),
    });
    return { at, moves, refused };
  }

  it('follows work and pauses without a move that it does not have', () => {
    const { at, moves, refused } = machine();
    at.follow({ busy: true, paused: true });
    at.move('INITIALIZING');
    at.move('READY');
    at.follow({ busy: true, paused: false });
    at.follow({ busy: true, paused: true });
    at.follow({ busy: false, paused: true });
    at.follow({ busy: true, paused: true });
    at.follow({ busy: false, paused: false });
    expect(moves).toEqual([
      'INITIALIZING',
      'READY',
      'BUSY',
      'READY',
      'PAUSED',
      'READY',
      'BUSY',
      'READY',
    ]);
    expect(refused).toEqual([]);
  });

  it.each<{ path: InstanceState[]; end: string[] }>([
    { path: [], end: [] },
    { path: ['INITIALIZING'], end: ['ERROR', 'TERMINATED'] },
    { path: ['INITIALIZING', 'READY'], end: ['TERMINATED'] },
    { path: ['INITIALIZING', 'READY', 'BUSY'], end: ['ERROR', 'TERMINATED'] },
    { path: ['INITIALIZING', 'READY', 'PAUSED'], end: ['TERMINATED'] },
    { path: ['INITIALIZING', 'ERROR'], end: ['TERMINATED'] },
  ])('ends from $path by way of $end', ({ path, end }) => {
    const { at, moves, refused } = machine();
    for (const state of path) at.move(state);
    moves.length = 0;
    at.end();
    at.end();
    expect([moves, refused]).toEqual([end, []]);
  });

  it('counts what it refuses and stays where it is', () => {
    const { at, refused } = machine();
    expect([at.move('READY'), at.state, refused]).toEqual([false, 'CREATED', ['CREATED READY']]);
  });
});

describe('quotas', () => {
  it('of a project lie over those of its tier', () => {
    const ofTier = { memoryMb: 512, maxConcurrentRequests: 10, requestsPerMinute: 100 };
    expect(resolveQuota(ofTier, undefined)).toEqual(ofTier);
    expect(resolveQuota(ofTier, { memoryMb: 256 })).toEqual({ ...ofTier, memoryMb: 256 });
  });

  it.each([
    [16, 128],
    [128, 128],
    [129, 256],
    [2048, 2048],
    [3000, 3000],
  ])('of %d MiB get a heap of %d MiB', (quota, heap) => {
    expect(heapClassMb(quota)).toBe(heap);
  });
});
