import { describe, expect, it } from '@jest/globals';
import { JSON_DEPTH_MAX, toJsonText } from './json-text.ts';

class Point {
  x = 1;
}
const cycle: Record<string, unknown> = {};
cycle['self'] = cycle;
const nested = (depth: number): unknown => (depth === 0 ? 0 : [nested(depth - 1)]);

describe('what state refuses, naming the place', () => {
  it.each([
    ['a function', { list: [1, () => 1] }, 'state key "k".list[1] is a function'],
    ['a BigInt', { n: 1n }, 'state key "k".n is a BigInt'],
    ['NaN', [Number.NaN], 'state key "k"[0] is NaN'],
    ['Infinity', Infinity, 'state key "k" is Infinity'],
    ['undefined in a list', [undefined], 'state key "k"[0] is undefined'],
    ['a hole in a list', new Array(1), 'state key "k"[0] is undefined'],
    ['a symbol', Symbol('s'), 'state key "k" is a symbol'],
    ['a cycle', cycle, 'state key "k".self refers to itself'],
    ['a Date', { at: new Date(0) }, 'state key "k".at is a Date (store value.toISOString()'],
    ['a Map', new Map(), 'is an object of class Map (store a plain object)'],
    ['a class instance', new Point(), 'is an object of class Point'],
    ['bytes', new Uint8Array(1), 'is an object of class Uint8Array'],
    ['a promise', Promise.resolve(1), 'is a promise (is an await missing?)'],
    [
      'too deep a nesting',
      nested(JSON_DEPTH_MAX + 1),
      `nested more than ${JSON_DEPTH_MAX} levels deep`,
    ],
  ])('%s', (_what, value, message) => {
    expect(() => toJsonText(value, 'state key "k"', 'exact')).toThrow(message);
  });
});

describe('what passes', () => {
  it.each([
    ['null', null, 'null'],
    ['a property that is undefined is left out', { a: undefined, b: 1 }, '{"b":1}'],
    [
      'an object without prototype',
      Object.assign(Object.create(null) as object, { a: 1 }),
      '{"a":1}',
    ],
    [
      'the same object twice is no cycle',
      ((shared) => [shared, shared])({ a: 1 }),
      '[{"a":1},{"a":1}]',
    ],
    [
      'the deepest nesting',
      nested(JSON_DEPTH_MAX),
      '['.repeat(JSON_DEPTH_MAX) + '0' + ']'.repeat(JSON_DEPTH_MAX),
    ],
  ])('%s', (_what, value, json) => {
    expect(toJsonText(value, 'it', 'exact')).toBe(json);
  });

  it.each([
    ['a Date', new Date(0), '"1970-01-01T00:00:00.000Z"'],
    ['a class instance', { p: new Point() }, '{"p":{"x":1}}'],
  ])('loosely, %s', (_what, value, json) => {
    expect(toJsonText(value, 'it', 'loose')).toBe(json);
  });

  it.each([
    ['a Map', new Map([[1, 2]])],
    ['a function', () => 1],
    ['a toJSON that answers a BigInt', { toJSON: () => 1n }],
    ['a toJSON that answers nothing', { toJSON: () => undefined }],
  ])('but not %s, even loosely', (_what, value) => {
    expect(() => toJsonText(value, 'it', 'loose')).toThrow('which is no JSON');
  });
});
