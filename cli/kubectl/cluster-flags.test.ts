import { describe, expect, it } from '@jest/globals';
import { asksForHelp, type ClusterFlags, namesServer, takeClusterFlags } from './cluster-flags.ts';

const words = (text: string): string[] => text.split(' ').filter((word) => word !== '');

describe('the flags of a cluster', () => {
  it.each<[string, ClusterFlags, string]>([
    ['get pools', {}, 'get pools'],
    ['get pools --context prod', { context: 'prod' }, 'get pools'],
    ['get --context=prod pools', { context: 'prod' }, 'get pools'],
    ['--kubeconfig k.yaml get pools', { kubeconfig: 'k.yaml' }, 'get pools'],
    ['get pools --kubeconfig=a=b', { kubeconfig: 'a=b' }, 'get pools'],
    ['get pools --release-namespace ap', { releaseNamespace: 'ap' }, 'get pools'],
    ['get pools --context a --context b', { context: 'b' }, 'get pools'],
    ['get pools -n shop -A', {}, 'get pools -n shop -A'],
    ['ask -c context --json {"a":1}', {}, 'ask -c context --json {"a":1}'],
    ['ask --context a -- --context b', { context: 'a' }, 'ask -- --context b'],
    ['', {}, ''],
  ])('of %j', (line, flags, left) => {
    expect(takeClusterFlags(words(line))).toEqual({ flags, args: words(left) });
  });

  it.each(['get pools --context', 'get pools --kubeconfig=', 'get pools --context --'])(
    'want a value: %s',
    (line) => {
      expect(() => takeClusterFlags(words(line))).toThrow(/--(context|kubeconfig) needs a value/);
    },
  );
});

it.each([
  ['get pools --server https://elsewhere', true],
  ['get pools --server=https://elsewhere', true],
  ['ask --tenant acme which?--server=?', false],
  ['ask --tenant acme -- --server', false],
  ['get pools --servers', false],
  ['', false],
])('a server is named by %j: %s', (line, isNamed) => {
  expect(namesServer(words(line))).toBe(isNamed);
});

it.each([
  ['help get', true],
  ['get pools --help', true],
  ['get -h', true],
  ['ask help', false],
  ['ask -- -h', false],
])('help is asked for by %j: %s', (line, isHelp) => {
  expect(asksForHelp(words(line))).toBe(isHelp);
});
