/** What makes the agents of a pool in a cluster others. */
import { expect, it } from '@jest/globals';
import { spec } from '../../test/builders/pool-builders.ts';
import { clusterModule } from './cluster-module.ts';

function digestOf(installed?: string): string {
  const state = clusterModule(spec({ runtime: { image: 'registry/agents:1' } }), {
    configMapOf: () => undefined,
    before: undefined,
    ...(installed === undefined ? {} : { installed }),
  });
  if (state.at !== 'loaded') throw new Error(state.message);
  return state.artifact.digest;
}

it('is another one with another place of the store, and the same with the same', () => {
  expect(digestOf('redis://a')).toBe(digestOf('redis://a'));
  expect(digestOf('redis://a')).not.toBe(digestOf('redis://b'));
  expect(digestOf('redis://a')).not.toBe(digestOf());
});
