import { describe, expect, it } from '@jest/globals';
import { runtimeRecord } from '../../../test/conformance/store-builders.ts';
import { runtimeChangesOf } from './redis-codec.ts';

describe('an announcement of runtimes', () => {
  const record = runtimeRecord();
  const { pool } = record;

  it('says what a runtime is now, or which have gone', () => {
    expect(runtimeChangesOf(pool, JSON.stringify(record))).toEqual([{ type: 'lives', record }]);
    expect(runtimeChangesOf(pool, '["a","b\\/c"]')).toEqual([
      { type: 'gone', incarnation: 'a' },
      { type: 'gone', incarnation: 'b/c' },
    ]);
  });

  it.each([
    ['nothing', ''],
    ['no JSON', '{'],
    ['null', 'null'],
    ['a text', '"a"'],
    ['a list of something else', '["a",1]'],
    ['what has no incarnation', JSON.stringify({ ...record, incarnation: undefined })],
    ['a runtime without an address', JSON.stringify({ ...record, address: undefined })],
    ['a runtime that is ready in its own way', JSON.stringify({ ...record, ready: 'yes' })],
    ['a runtime with no list of agents', JSON.stringify({ ...record, agents: {} })],
    ['a runtime of another pool', JSON.stringify({ ...record, pool: 'default~else' })],
  ])('that says %s is a reason to read', (_, message) => {
    expect(runtimeChangesOf(pool, message)).toBeUndefined();
  });
});
