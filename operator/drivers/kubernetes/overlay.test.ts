/** How one object is laid over another. */
import { describe, expect, it } from '@jest/globals';
import { type JsonObject, overlay } from './overlay.ts';

const rows: readonly [string, JsonObject, JsonObject, JsonObject][] = [
  ['adds fields', { a: 1 }, { b: 2 }, { a: 1, b: 2 }],
  ['replaces values', { a: 1 }, { a: 2 }, { a: 2 }],
  ['merges mappings', { a: { b: 1, c: 1 } }, { a: { c: 2 } }, { a: { b: 1, c: 2 } }],
  ['removes with null', { a: { b: 1, c: 1 } }, { a: { c: null } }, { a: { b: 1 } }],
  [
    'merges containers by name, new ones come last',
    { containers: [{ name: 'runtime', image: 'i', securityContext: { runAsUser: 1 } }] },
    { containers: [{ name: 'beside' }, { name: 'runtime', securityContext: { runAsUser: 2 } }] },
    {
      containers: [
        { name: 'runtime', image: 'i', securityContext: { runAsUser: 2 } },
        { name: 'beside' },
      ],
    },
  ],
  [
    'merges mounts by their path',
    { volumeMounts: [{ name: 'a', mountPath: '/a' }] },
    { volumeMounts: [{ name: 'b', mountPath: '/b' }] },
    {
      volumeMounts: [
        { name: 'a', mountPath: '/a' },
        { name: 'b', mountPath: '/b' },
      ],
    },
  ],
  [
    'replaces lists without a key, as the Kubernetes API does',
    { tolerations: [{ key: 'a' }], drop: ['ALL'] },
    { tolerations: [{ key: 'b' }], drop: [] },
    { tolerations: [{ key: 'b' }], drop: [] },
  ],
  ['replaces a value by a mapping', { a: 1 }, { a: { b: 1 } }, { a: { b: 1 } }],
];

describe('an overlay', () => {
  it.each(rows)('%s', (_title, under, over, merged) => {
    const before = structuredClone(under);
    expect(overlay(under, over)).toEqual(merged);
    expect(under).toEqual(before);
  });
});
