import { describe, expect, it } from '@jest/globals';
import { judgeDurability } from './redis-durability.ts';

const SAFE = {
  appendonly: 'yes',
  appendfsync: 'always',
  'no-appendfsync-on-rewrite': 'no',
  maxmemory: '0',
  'maxmemory-policy': 'noeviction',
};

function judged(
  settings: Partial<typeof SAFE>,
  { minReplicas = 0, replicas = 0 } = {},
): readonly unknown[] {
  const all = new Map(Object.entries({ ...SAFE, ...settings }));
  const { durable, reason } = judgeDurability({ settings: all, replicas, minReplicas });
  return [durable, reason];
}

describe('what an acknowledged commit survives on a Redis', () => {
  it.each([
    ['always synced', {}, true, 'RedisFsyncAlways'],
    ['synced once a second', { appendfsync: 'everysec' }, false, 'RedisFsyncEverySecond'],
    ['synced by the system', { appendfsync: 'no' }, false, 'RedisFsyncNever'],
    [
      'not synced while it is rewritten',
      { 'no-appendfsync-on-rewrite': 'yes' },
      false,
      'RedisFsyncPauses',
    ],
    [
      'synced once a second whatever a rewrite does',
      { appendfsync: 'everysec', 'no-appendfsync-on-rewrite': 'yes' },
      false,
      'RedisFsyncEverySecond',
    ],
    ['without a file', { appendonly: 'no' }, false, 'RedisNotPersistent'],
    [
      'a full memory evicts',
      { maxmemory: '1000', 'maxmemory-policy': 'allkeys-lru' },
      false,
      'RedisEvicts',
    ],
    [
      'evicts nothing without a limit',
      { 'maxmemory-policy': 'allkeys-lru' },
      true,
      'RedisFsyncAlways',
    ],
    ['a limit without eviction', { maxmemory: '1000' }, true, 'RedisFsyncAlways'],
  ])('%s', (_, settings, durable, reason) => {
    expect(judged(settings)).toEqual([durable, reason]);
  });

  it('names missing replicas before anything else', () => {
    const facts = { minReplicas: 2, replicas: 1 };
    expect(judged({ appendonly: 'no' }, facts)).toEqual([false, 'RedisReplicasMissing']);
    expect(judged({}, { minReplicas: 1, replicas: 1 })).toEqual([true, 'RedisFsyncAlways']);
  });

  it('takes no replica for one that keeps anything', () => {
    const settings = new Map(Object.entries(SAFE));
    expect(judgeDurability({ settings, isReplica: true, minReplicas: 0 })).toMatchObject({
      durable: false,
      reason: 'RedisIsReplica',
    });
  });

  it('does not guess where the settings may not be read', () => {
    expect(judgeDurability({ minReplicas: 0 })).toMatchObject({
      durable: undefined,
      reason: 'RedisUnchecked',
    });
  });
});
