import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { didYouMean } from './did-you-mean.ts';

const FIELDS = ['replicas', 'maxInstances', 'maxTenants', 'tiers', 'queue'];

describe('the word that was meant', () => {
  it.each([
    ['replica', 'replicas'],
    ['repilcas', 'replicas'],
    ['max_instances', 'maxInstances'],
    ['MAXINSTANCES', 'maxInstances'],
    ['max-tenant', 'maxTenants'],
    ['teirs', 'tiers'],
    ['tier', 'tiers'],
    ['hot', undefined],
    ['scaling', undefined],
    ['', undefined],
    ['replicas'.repeat(100), undefined],
  ])('%j is %j', (word, meant) => {
    expect(didYouMean(word, FIELDS)).toBe(meant);
  });

  it('is a known word itself when it is one', () => {
    fc.assert(
      fc.property(fc.constantFrom(...FIELDS), (word) => {
        expect(didYouMean(word, FIELDS)).toBe(word);
      }),
    );
  });

  it('is never a word that nobody knows', () => {
    fc.assert(
      fc.property(fc.string(), (word) => {
        expect([...FIELDS, undefined]).toContain(didYouMean(word, FIELDS));
      }),
    );
  });
});
