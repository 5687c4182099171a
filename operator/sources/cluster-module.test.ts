/** What makes the agents of a pool in a cluster others. */
import { createHash } from 'node:crypto';
import { expect, it } from '@jest/globals';
import { spec } from '../../test/builders/pool-builders.ts';
import { clusterModule } from './cluster-module.ts';

function digestOf(...installed: readonly string[]): string {
  const state = clusterModule(spec({ runtime: { image: 'registry/agents:1' } }), {
    configMapOf: () => undefined,
    before: undefined,
    installed,
  });
  if (state.at !== 'loaded') throw new Error(state.message);
  return state.artifact.digest;
}

it.each<readonly (readonly string[])[]>([
  [[], []],
  [
    ['redis://a', 'key'],
    ['redis://a', 'key'],
  ],
])('is the same where the same is installed: %j', (one, other) => {
  expect(digestOf(...one)).toBe(digestOf(...other));
});

it.each<readonly (readonly string[])[]>([
  [
    ['redis://a', 'key'],
    ['redis://b', 'key'],
  ],
  [
    ['redis://a', 'key'],
    ['redis://a', 'other'],
  ],
  [['redis://a', 'key'], ['redis://a']],
  [['redis://a'], []],
])('is another one with another place of the store, or another key: %j, %j', (one, other) => {
  expect(digestOf(...one)).not.toBe(digestOf(...other));
});

it.each([
  ['named by the pool', 'registry/agents:1', 'registry/agents:1'],
  ['of the installation', undefined, 'agents:default'],
])('says which image counts, and is another one with another: %s', (_what, image, counts) => {
  const moduleFrom = { configMapRef: { name: 'agents', key: 'a.ts' } };
  const runtime = { moduleFrom, ...(image === undefined ? {} : { image }) };
  const state = clusterModule(spec({ runtime }), {
    configMapOf: () => ({ data: { 'a.ts': 'of the text' } }),
    before: undefined,
    installed: [],
    defaultImage: 'agents:default',
  });
  // As operators of before this had it: their revisions stay.
  const digest = createHash('sha256').update(JSON.stringify([counts, 'a.ts', 'of the text']));
  expect(state).toMatchObject({ artifact: { image: counts, digest: digest.digest('hex') } });
});
