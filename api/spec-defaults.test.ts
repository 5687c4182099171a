import { describe, expect, it } from '@jest/globals';
import { agentPoolJsonSchema } from './json-schema.ts';
import { dropEmptyFields, layDefaults } from './spec-defaults.ts';

describe('defaults from outside', () => {
  it.each<[object, unknown, unknown]>([
    [{ a: 1 }, undefined, { a: 1 }],
    [{ a: 1 }, {}, { a: 1 }],
    [{ a: 1 }, { a: 2 }, { a: 2 }],
    [{ a: { b: 1, c: 2 } }, { a: { c: 3 } }, { a: { b: 1, c: 3 } }],
    [{ a: { b: 1 } }, { a: 'wrong' }, { a: 'wrong' }],
    [{ a: [1, 2] }, { a: [3] }, { a: [3] }],
    [{ a: 1 }, 'wrong', 'wrong'],
    [{ a: 1 }, [1], [1]],
    [{ a: 1 }, { a: 0 }, { a: 0 }],
  ])('%j below %j are %j', (defaults, wanted, merged) => {
    expect(layDefaults({ ...defaults }, wanted)).toEqual(merged);
  });

  it('leave both sides as they were', () => {
    const defaults = Object.freeze({ a: Object.freeze({ b: 1 }) });
    const wanted = Object.freeze({ a: Object.freeze({ c: 1 }) });
    expect(layDefaults(defaults, wanted)).toEqual({ a: { b: 1, c: 1 } });
  });
});

describe('empty fields', () => {
  it.each<[unknown, unknown]>([
    [{ metadata: null }, {}],
    [{ spec: { replicas: null, queue: { depthMax: null } } }, { spec: { queue: {} } }],
    [
      { spec: { runtime: { config: { a: null } } } },
      { spec: { runtime: { config: { a: null } } } },
    ],
    [{ spec: { projects: [null, { tier: null }] } }, { spec: { projects: [null, {}] } }],
    [{ metadata: { labels: { a: null } } }, { metadata: { labels: {} } }],
    [{ unknown: { a: null } }, { unknown: { a: null } }],
    ['text', 'text'],
    [null, null],
  ])('%j is read as %j', (value, read) => {
    expect(dropEmptyFields(value, agentPoolJsonSchema())).toEqual(read);
  });
});
