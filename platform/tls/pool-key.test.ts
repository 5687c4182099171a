/** What is made of the installation's key: for each pool and each purpose something else, of which none says anything about another. */
import { describe, expect, it } from '@jest/globals';
import { poolKeyDigest, poolRuntimeKey, poolStorePassword, poolTextSeal } from './pool-key.ts';

const KEY = 'k'.repeat(48);
const OTHER = 'o'.repeat(48);
const POOL = 'default~demo';

const MADE: readonly (readonly [string, (key: string, pool: string) => string])[] = [
  ['the key of its runtimes', poolRuntimeKey],
  ['the digest of that key', poolKeyDigest],
  ['its password in the store', poolStorePassword],
  ['the seal of a text', (key, pool) => poolTextSeal(key, pool, 'text')],
];

describe.each(MADE)('%s', (_what, make) => {
  it('is the same each time, and another one for another pool or with another key', () => {
    const made = make(KEY, POOL);
    expect(make(KEY, POOL)).toBe(made);
    expect(make(OTHER, POOL)).not.toBe(made);
    expect(make(KEY, 'default~other')).not.toBe(made);
  });

  it('has all bits of a hash, and is nothing else that is made of the key', () => {
    const made = make(KEY, POOL);
    expect(Buffer.from(made, 'base64url')).toHaveLength(32);
    const others = MADE.filter(([, other]) => other !== make).map(([, other]) => other(KEY, POOL));
    expect(others).not.toContain(made);
  });
});
