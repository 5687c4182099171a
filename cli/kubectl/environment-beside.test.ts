import { expect, it } from '@jest/globals';
import type { ClusterFlags } from './cluster-flags.ts';
import { environmentBeside } from './environment-beside.ts';

const ALL = { PATH: '/bin', SERVER: 'theirs', TOKEN: 't', NAMESPACE: 'shop' };
const prefixed = (variables: object) =>
  Object.fromEntries(
    Object.entries(variables).map(([name, value]) => [
      name === 'PATH' ? name : `AGENTPOOL_${name}`,
      value,
    ]),
  );

it.each<[ClusterFlags, object, object]>([
  [{}, ALL, ALL],
  [{ context: 'c' }, ALL, { PATH: '/bin' }],
  [{ kubeconfig: 'k' }, ALL, { PATH: '/bin', NAMESPACE: 'shop' }],
  [{ releaseNamespace: 'r' }, ALL, { PATH: '/bin', NAMESPACE: 'shop' }],
  [{ context: 'c' }, { TOKEN: 't' }, { TOKEN: 't' }],
  [{ kubeconfig: 'k' }, { SERVER: ' ', TOKEN: 't' }, { SERVER: ' ', TOKEN: 't' }],
])('beside %j counts of %j: %j', (flags, environment, left) => {
  expect(environmentBeside(flags, prefixed(environment))).toEqual(prefixed(left));
});
