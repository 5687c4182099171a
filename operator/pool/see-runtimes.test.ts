/** What is made of a runtime from what driver and store say of it: as tables. */
import { describe, expect, it } from '@jest/globals';
import { NOW_MS } from '../../test/builders/pool-builders.ts';
import { NONE_IN_ANY_TIER } from '../../core/tier.ts';
import type { RuntimeRecord } from '../../platform/store/store.ts';
import type { DrivenRuntime } from './driver.ts';
import { newPoolRun } from './pool-run.ts';
import { type Facts, seeRuntimes, unknownBindings } from './see-runtimes.ts';

const LONG_MS = NOW_MS - 90_000;
const driven: DrivenRuntime = {
  ...{ name: 'a', pool: 'default~pool', role: 'shared', revision: 'new', resources: {} },
  createdMs: LONG_MS,
  phase: { at: 'running' },
};
const member: RuntimeRecord = {
  ...{ incarnation: 'a.1', name: 'a', pool: 'default~pool', address: '', role: 'shared' },
  ...{ revision: 'new', protocolMin: 1, protocolMax: 1, maxConcurrentTasks: 1, agents: [] },
  ...{ ready: true, draining: false, instances: NONE_IN_ANY_TIER, blanks: 0 },
};

function see(over: Partial<Facts>, one: Partial<DrivenRuntime> = {}) {
  const { orders } = newPoolRun('default~pool', { namespace: 'default', name: 'pool' }, 0);
  const [seen] = seeRuntimes({
    driven: [{ ...driven, ...one }],
    members: [],
    projects: new Map(),
    orders,
    readySinceMs: new Map([['a', LONG_MS]]),
    unheardSinceMs: new Map(),
    blindUntilMs: -Infinity,
    nowMs: NOW_MS,
    ...over,
  });
  return seen;
}

describe('why a runtime does not come up with its project', () => {
  const binding = { project: 'p', sinceMs: NOW_MS - 5 };
  const said = { ...member, ready: false, bound: 'p', bindProblem: 'no key' };
  it.each<[string, RuntimeRecord, object]>([
    ['is what it says itself', said, { problem: 'no key' }],
    ['is not known where it says it of another project', { ...said, bound: 'q' }, {}],
    [
      'is cut where it says too much',
      { ...said, bindProblem: 'x'.repeat(999) },
      { problem: 'x'.repeat(500) },
    ],
  ])('%s', (_, one, problem) => {
    const seen = see({ members: [one] }, { binding });
    expect(seen?.state).toEqual({ at: 'starting', countsFromMs: -Infinity, ...problem });
  });
});

describe('whether a runtime without a lease may serve all the same', () => {
  const rows: readonly [string, true | undefined, Partial<Facts>, Partial<DrivenRuntime>][] = [
    ['no, if it could have been heard for long', undefined, {}, {}],
    ['yes, right after the store was away', true, { blindUntilMs: NOW_MS - 9_999 }, {}],
    ['no, when a lease would have been renewed', undefined, { blindUntilMs: NOW_MS - 10_000 }, {}],
    [
      'no, if it was made since',
      undefined,
      { blindUntilMs: NOW_MS - 5 },
      { createdMs: NOW_MS - 5 },
    ],
    ['no, if it has a lease', undefined, { blindUntilMs: NOW_MS, members: [member] }, {}],
    ['no, if it is not up', undefined, { blindUntilMs: NOW_MS }, { phase: { at: 'pending' } }],
  ];
  it.each(rows)('%s', (_title, mayServe, over, one) => {
    expect(see(over, one)?.mayServe).toBe(mayServe);
  });
});

describe('since when a runtime is not heard of', () => {
  const since = (ms: number) => new Map([['a', ms]]);
  const rows: readonly [string, number | undefined, Partial<Facts>, Partial<DrivenRuntime>?][] = [
    ['never, with a live lease', undefined, { members: [member], unheardSinceMs: since(1) }],
    ['from now on, without', NOW_MS, {}],
    ['as it was seen before', NOW_MS - 9_000, { unheardSinceMs: since(NOW_MS - 9_000) }],
    [
      'from its last start on',
      NOW_MS - 2_000,
      { unheardSinceMs: since(NOW_MS - 9_000) },
      { createdMs: NOW_MS - 2_000 },
    ],
    [
      'from when the store was away last',
      NOW_MS - 3_000,
      { unheardSinceMs: since(NOW_MS - 9_000), blindUntilMs: NOW_MS - 3_000 },
    ],
    [
      'from now on while the store is away',
      NOW_MS,
      { unheardSinceMs: since(1), blindUntilMs: NOW_MS },
    ],
    ['never, when it has ended', undefined, {}, { phase: { at: 'ending' } }],
    ['never, when it is not there yet', undefined, {}, { phase: { at: 'pending' } }],
  ];
  it.each(rows.map(([title, ...row]) => ({ title, row })))('$title', ({ row }) => {
    const [expected, facts, one] = row;
    expect(see(facts, one)?.unheardSinceMs).toBe(expected);
  });
});

describe('a runtime whose machine does not answer', () => {
  const phase = { at: 'unseen' } as const;

  it('is what the store says of it, while that hears of it', () => {
    expect(see({ members: [member] }, { phase })).toMatchObject({
      state: { at: 'ready', sinceMs: LONG_MS },
      isUnseen: true,
    });
  });

  it('is not heard of from when its lease ended', () => {
    const unheardSinceMs = new Map([['a', NOW_MS - 9_000]]);
    expect(see({ unheardSinceMs }, { phase })).toMatchObject({
      state: { at: 'unready' },
      unheardSinceMs: NOW_MS - 9_000,
      isUnseen: true,
    });
  });
});

describe('a runtime of which nobody knows whether it ends', () => {
  const doubted = (shown: Partial<DrivenRuntime> = {}, nowMs = NOW_MS) => {
    const { orders } = newPoolRun('default~pool', { namespace: 'default', name: 'pool' }, 0);
    orders.doubt('a', new Error('no answer'), NOW_MS);
    orders.observe([{ ...driven, ...shown }], nowMs);
    return see({ orders, unheardSinceMs: new Map([['a', LONG_MS]]) }, shown);
  };
  it.each<[string, Partial<DrivenRuntime>, object]>([
    ['counts for nothing, and keeps its place', {}, { state: { at: 'ending' }, isStuck: true }],
    [
      'the same, though its node has not begun with it',
      { phase: { at: 'pending' } },
      { state: { at: 'ending' }, isStuck: true },
    ],
    ['is given up no later for that', {}, { unheardSinceMs: LONG_MS }],
  ])('%s', (_title, shown, expected) => {
    expect(doubted(shown)).toMatchObject(expected);
  });

  it('is known to end once a list shows it', () => {
    expect(doubted({ phase: { at: 'ending' } })).not.toHaveProperty('isStuck');
  });

  it('is ended at once where it does not answer any more', () => {
    const seen = doubted({ phase: { at: 'silent' } });
    expect(seen?.state.at).toBe('silent');
    expect(seen).not.toHaveProperty('isStuck');
  });

  it('is what lists show after 30 s', () => {
    const seen = doubted({}, NOW_MS + 30_000);
    expect(seen?.state.at).toBe('unready');
    expect(seen).not.toHaveProperty('isStuck');
  });
});

describe('what a runtime is bound to', () => {
  const given = (project: string, sinceMs: number, taken: { readonly isTaken?: true } = {}) => {
    const { orders } = newPoolRun('default~pool', { namespace: 'default', name: 'pool' }, 0);
    orders.bind('a', { project, sinceMs, ...taken });
    return orders;
  };
  const mark = { project: 'p', sinceMs: NOW_MS };
  const rows: readonly [string, unknown, Partial<Facts>, Partial<DrivenRuntime>][] = [
    ['nothing', undefined, {}, {}],
    ['what its mark says', mark, {}, { binding: mark }],
    [
      'what we gave it, before it said so',
      { project: 'p', sinceMs: 5 },
      { orders: given('p', 5) },
      {},
    ],
    [
      'what we gave it, and is to be marked',
      { project: 'p', sinceMs: 5, isUnmarked: true },
      { orders: given('p', 5, { isTaken: true }) },
      {},
    ],
    [
      'since we gave it',
      { project: 'p', sinceMs: 5 },
      { orders: given('p', 5) },
      { binding: mark },
    ],
    [
      'what its mark says rather than what we gave it',
      mark,
      { orders: given('q', 5) },
      { binding: mark },
    ],
  ];
  it.each(rows)('%s', (_title, binding, facts, one) => {
    expect(see(facts, one)?.binding).toEqual(binding);
  });

  it('stays ready when it is marked', () => {
    const facts = {
      orders: given('p', NOW_MS - 60_000),
      readySinceMs: new Map([['a', NOW_MS - 50_000]]),
      members: [{ ...member, bound: 'p' }],
    };
    expect(see(facts, { binding: mark })?.state).toEqual({ at: 'ready', sinceMs: NOW_MS - 50_000 });
  });

  it('is learnt from the runtime where nobody else tells', () => {
    const { orders } = newPoolRun('default~pool', { namespace: 'default', name: 'pool' }, 0);
    const members = [{ ...member, bound: 'p' }];
    const learnt = (over: Partial<Facts>, one: Partial<DrivenRuntime> = {}) => {
      const facts = { driven: [{ ...driven, ...one }], members, orders, nowMs: NOW_MS, ...over };
      return [...unknownBindings(facts)];
    };
    expect(learnt({})).toEqual([['a', { project: 'p', sinceMs: NOW_MS, isTaken: true }]]);
    expect(learnt({}, { binding: mark })).toEqual([]);
    expect(learnt({ orders: given('p', 5) })).toEqual([]);
    expect(learnt({ members: [member] })).toEqual([]);
    expect(learnt({ members: [{ ...member, name: 'b', bound: 'p' }] })).toEqual([]);
    expect(learnt({ members: [{ ...member, draining: true, bound: 'p' }] })).toEqual([]);
    expect(learnt({}, { phase: { at: 'pending' } })).toEqual([]);
  });

  it('is not what an earlier runtime of its name says, whose lease lives on', () => {
    const { orders } = newPoolRun('default~pool', { namespace: 'default', name: 'pool' }, 0);
    const members = [{ ...member, bound: 'p' }];
    const create = { do: 'create', role: 'dedicated', revision: 'new', resources: {} } as const;
    orders.create('a', create, NOW_MS);
    orders.observe([driven], NOW_MS);
    expect([...unknownBindings({ driven: [driven], members, orders, nowMs: NOW_MS })]).toEqual([]);
  });

  it('is to be marked once the runtime itself says so, though its answer got lost', () => {
    const facts = { orders: given('p', 5), members: [{ ...member, bound: 'p' }] };
    expect(see(facts)?.binding).toEqual({ project: 'p', sinceMs: 5, isUnmarked: true });
  });
});
