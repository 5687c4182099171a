import { describe, expect, it } from '@jest/globals';
import { growingLru } from './growing-lru.ts';

describe('a cache that grows', () => {
  it('forgets what was used least recently, and nothing before it is full', () => {
    const cache = growingLru<string, { n: number }>(3);
    for (const n of [1, 2, 3]) cache.set(`k${n}`, { n });
    cache.get('k1');
    cache.set('k4', { n: 4 });
    expect([...cache.keys()].toSorted()).toEqual(['k1', 'k3', 'k4']);
    cache.set('k3', { n: 33 });
    expect(cache.get('k3')).toEqual({ n: 33 });
    expect(cache.size).toBe(3);
  });

  it('takes no memory for what it does not hold', () => {
    const before = process.memoryUsage();
    const caches = Array.from({ length: 20 }, () => growingLru<string, true>(1_000_000));
    const after = process.memoryUsage();
    expect(caches).toHaveLength(20);
    const grownBytes = after.heapUsed + after.arrayBuffers - before.heapUsed - before.arrayBuffers;
    expect(grownBytes).toBeLessThan(20_000_000);
  });
});
