import { describe, expect, it } from '@jest/globals';
import { nestsDeeperThan } from './json-depth.ts';

const lists = (depth: number): string => `${'['.repeat(depth)}${']'.repeat(depth)}`;
const objects = (depth: number): string => `${'{"a":'.repeat(depth)}1${'}'.repeat(depth)}`;

describe('the depth of JSON text', () => {
  it.each<[string, string, boolean]>([
    ['lists at the limit', lists(100), false],
    ['lists beyond it', lists(101), true],
    ['objects at the limit', objects(100), false],
    ['objects beyond it', objects(101), true],
    ['many beside one another', `[${Array.from({ length: 1_000 }, () => '[{}]').join()}]`, false],
    ['brackets in a string', JSON.stringify('['.repeat(500)), false],
    ['brackets after an escaped quote', JSON.stringify(`"${'['.repeat(500)}`), false],
    ['a string that ends in a backslash', `["\\\\",${lists(101)}]`, true],
    ['a string of quotes and backslashes', `[${JSON.stringify('\\"\\\\"'.repeat(100))},1]`, false],
  ])('%s', (_what, text, expected) => {
    JSON.parse(text);
    expect(nestsDeeperThan(100, text)).toBe(expected);
  });
});
