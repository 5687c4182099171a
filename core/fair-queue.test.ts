import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { AGEING_MS, FairQueue, type QueueItem } from './fair-queue.ts';

const LIMITS = { depthMax: 10_000, tenantDepthMax: Infinity };
const free = (): undefined => undefined;

interface Task {
  readonly tenant: string;
  readonly project?: string;
  readonly level?: number;
  readonly atMs?: number;
  readonly name?: string;
}

const item = ({ tenant, project = 'p', level = 2, name = tenant }: Task): QueueItem<string> => ({
  tenant,
  group: `${tenant}~${project}`,
  level,
  value: name,
});

function filled(tasks: readonly Task[]): FairQueue<string> {
  const queue = new FairQueue<string>();
  for (const task of tasks) queue.push(item(task), LIMITS, task.atMs ?? 0);
  return queue;
}

function drain(
  queue: FairQueue<string>,
  blockerOf: (name: string) => string | undefined = free,
): string[] {
  const taken: string[] = [];
  for (let next = queue.take(blockerOf); next !== undefined; next = queue.take(blockerOf))
    taken.push(next);
  return taken;
}

const many = (tenant: string, count: number, more: Partial<Task> = {}): Task[] =>
  Array.from({ length: count }, (_, index) => ({ tenant, name: `${tenant}${index}`, ...more }));

describe('FairQueue', () => {
  it.each<[string, Task[], string[]]>([
    ['one tenant: first come, first served', many('a', 3), ['a0', 'a1', 'a2']],
    ['tenants take turns', [...many('a', 3), ...many('b', 2)], ['a0', 'b0', 'a1', 'b1', 'a2']],
    [
      'priority orders inside a tenant',
      [
        { tenant: 'a', name: 'low', level: 3 },
        { tenant: 'a', name: 'critical', level: 0 },
      ],
      ['critical', 'low'],
    ],
    [
      'also between projects of a tenant',
      [
        { tenant: 'a', project: 'p', name: 'low', level: 3 },
        { tenant: 'a', project: 'q', name: 'critical', level: 0 },
      ],
      ['critical', 'low'],
    ],
    [
      'no tenant starves another by calling everything critical',
      [...many('a', 3, { level: 0 }), { tenant: 'b', name: 'b0', level: 3 }],
      ['a0', 'b0', 'a1', 'a2'],
    ],
    [
      'waiting for three ageing steps makes LOW as urgent as a new CRITICAL, and first',
      [
        { tenant: 'a', name: 'critical', level: 0, atMs: 3 * AGEING_MS },
        { tenant: 'a', name: 'low', level: 3, atMs: 0 },
      ],
      ['critical', 'low'],
    ],
    [
      'a little longer and it overtakes',
      [
        { tenant: 'a', name: 'critical', level: 0, atMs: 3 * AGEING_MS + 1 },
        { tenant: 'a', name: 'low', level: 3, atMs: 0 },
      ],
      ['low', 'critical'],
    ],
  ])('%s', (_name, tasks, order) => {
    expect(drain(filled(tasks))).toEqual(order);
  });

  it('sets a blocked project aside, and nobody waits behind it', () => {
    const queue = filled([
      { tenant: 'a', project: 'full', name: 'f0' },
      { tenant: 'a', project: 'full', name: 'f1' },
      { tenant: 'a', project: 'open', name: 'o0' },
      { tenant: 'b', name: 'b0' },
    ]);
    expect(drain(queue, (name) => (name.startsWith('f') ? 'project:full' : undefined))).toEqual([
      'o0',
      'b0',
    ]);
    expect(drain(queue)).toEqual([]);
    queue.unblock('project:other');
    expect(drain(queue)).toEqual([]);
    queue.unblock('project:full');
    expect(drain(queue)).toEqual(['f0', 'f1']);
  });

  it('frees as many groups as there is room for, tenants in turn', () => {
    const queue = filled([
      ...many('a', 1, { project: 'p' }),
      ...many('a', 1, { project: 'q', name: 'q0' }),
      ...many('b', 1),
    ]);
    expect(drain(queue, () => 'link:1')).toEqual([]);
    queue.unblock('link:1', 2);
    expect(drain(queue)).toEqual(['a0', 'b0']);
    queue.unblockAll();
    expect(drain(queue)).toEqual(['q0']);
  });

  it.each([
    ['in all', { depthMax: 2, tenantDepthMax: Infinity }, 2],
    ['for one tenant', { depthMax: 10, tenantDepthMax: 1 }, 1],
  ])('is bounded %s', (_name, limits, expected) => {
    const queue = new FairQueue<string>();
    const tickets = many('a', 4).map((task) => queue.push(item(task), limits, 0));
    expect(tickets.filter((ticket) => ticket !== undefined).length).toBe(expected);
    expect([queue.size, queue.sizeOf('a')]).toEqual([expected, expected]);
  });

  it('forgets what is taken out, once', () => {
    const queue = new FairQueue<string>();
    const ticket = queue.push(item({ tenant: 'a' }), LIMITS, 0)!;
    queue.take(() => 'somewhere');
    queue.remove(ticket);
    queue.remove(ticket);
    expect([queue.size, queue.sizeOf('a'), queue.hasGroup('a~p')]).toEqual([0, 0, false]);
    queue.unblock('somewhere');
    expect(queue.take(free)).toBeUndefined();
  });

  const tasks = fc.array(
    fc.record({
      tenant: fc.constantFrom('a', 'b', 'c'),
      project: fc.constantFrom('p', 'q'),
      level: fc.integer({ min: 0, max: 3 }),
      atMs: fc.integer({ min: 0, max: 60_000 }),
    }),
    { maxLength: 60 },
  );

  it('hands out each item exactly once, whatever is blocked and freed in between', () => {
    fc.assert(
      fc.property(tasks, fc.array(fc.boolean()), (list, blocks) => {
        const named = list.map((task, index) => ({ ...task, name: String(index) }));
        const queue = filled(named);
        let asked = 0;
        const first = drain(queue, () =>
          blocks[asked++ % Math.max(1, blocks.length)] === true ? `blocker${asked % 3}` : undefined,
        );
        queue.unblockAll();
        const all = [...first, ...drain(queue)];
        expect(all.sort()).toEqual(named.map(({ name }) => name).sort());
        expect(queue.size).toBe(0);
      }),
    );
  });

  it('starves no tenant: between two turns of a waiting tenant each other one has at most one', () => {
    fc.assert(
      fc.property(tasks, (list) => {
        const order = drain(filled(list));
        const left = new Map<string, number>();
        for (const tenant of order) left.set(tenant, (left.get(tenant) ?? 0) + 1);
        const since = new Map<string, Map<string, number>>(
          [...left.keys()].map((tenant) => [tenant, new Map<string, number>()]),
        );
        for (const tenant of order) {
          for (const [waiting, seen] of since) {
            if (waiting === tenant || left.get(waiting) === 0) continue;
            seen.set(tenant, (seen.get(tenant) ?? 0) + 1);
            expect(seen.get(tenant)).toBeLessThanOrEqual(1);
          }
          since.get(tenant)?.clear();
          left.set(tenant, (left.get(tenant) ?? 0) - 1);
        }
      }),
    );
  });

  it('orders a tenant by priority and age', () => {
    fc.assert(
      fc.property(tasks, (list) => {
        const one = list.map((task, index) => ({ ...task, tenant: 'a', name: String(index) }));
        const urgencies = drain(filled(one))
          .map((name) => one[Number(name)]!)
          .map(({ level, atMs }) => atMs + level * AGEING_MS);
        expect(urgencies).toEqual([...urgencies].sort((a, b) => a - b));
      }),
    );
  });
});
