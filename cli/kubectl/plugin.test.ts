/** When `kubectl agentpool` leaves the cluster alone. */
import { expect, it } from '@jest/globals';
import { namesServer } from './plugin.ts';

it.each([
  [['get', 'pools', '--server', 'https://elsewhere'], true],
  [['get', 'pools', '--server=https://elsewhere'], true],
  [['ask', '--tenant', 'acme', 'which --server=?'], false],
  [['get', 'pools', '--servers'], false],
  [[], false],
])('a server is named by %j: %s', (args, isNamed) => {
  expect(namesServer(args)).toBe(isNamed);
});
