/** What the chart says of values that are wrong, alone or together: by their names, and before anything is made. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeAll, describe, expect, it } from '@jest/globals';
import { parse } from 'yaml';
import { IDENTIFIER_PATTERN } from '../../core/identifiers.ts';
import { tools } from '../cluster/tools/tools.ts';
import { CHART, renderChart as render } from './rendered-chart.ts';

beforeAll(() => tools(), 600_000);

const RULE = { namespace: 'shop', tenants: ['acme'], role: 'caller' };
const reviewed = (rule: object) => ({
  'auth.tokenReview': { enabled: true, rules: [{ ...RULE, ...rule }] },
});

describe('refuses', () => {
  it.each<[string, object, RegExp]>([
    [
      'a label by which pools know gateways',
      { commonLabels: { 'app.kubernetes.io/part-of': 'platform' } },
      /commonLabels: app\.kubernetes\.io\/part-of is not yours to set/,
    ],
    [
      'the same of pods',
      { 'gateway.podLabels': { 'app.kubernetes.io/name': 'edge' } },
      /gateway\.podLabels: app\.kubernetes\.io\/name is not yours/,
    ],
    [
      'labels of helm',
      { 'operator.podLabels': { 'helm.sh/chart': 'mine' } },
      /operator\.podLabels: helm\.sh\/chart/,
    ],
    [
      'labels of runtimes',
      { 'serviceMonitor.labels': { 'agentpool.dev/role': 'shared' } },
      /serviceMonitor\.labels: agentpool\.dev\/role/,
    ],
    [
      'a gateway that is killed before it has left',
      { 'gateway.leaveSeconds': 315 },
      /terminationGracePeriodSeconds is 315.*more than gateway\.leaveSeconds \(315\) and 10 s/,
    ],
    [
      'a gateway that has no time for its tasks',
      { 'gateway.terminationGracePeriodSeconds': 15 },
      /terminationGracePeriodSeconds is 15, which leaves running tasks no time/,
    ],
    ['TLS without its Secret', { 'tls.mode': 'Secret' }, /name the Secret in tls\.secretName/],
    [
      'a Secret for TLS that is not on: tokens would travel in plain text',
      { 'tls.secretName': 'mine' },
      /tls\.secretName is given, but tls\.mode is Disabled/,
    ],
    [
      'a Secret for TLS where the chart makes its own',
      { 'tls.secretName': 'mine', 'tls.mode': 'SelfSigned' },
      /tls\.secretName is given, but tls\.mode is SelfSigned/,
    ],
    [
      'rules of token reviews that nobody asks',
      { 'auth.tokenReview.rules': [RULE] },
      /auth\.tokenReview\.rules are given.*auth\.tokenReview\.enabled=true/,
    ],
    [
      'a tenant that is no name',
      reviewed({ tenants: ['a b'] }),
      /tenants\/0.*'a b' does not match/,
    ],
    ['a tenant that is a path', reviewed({ tenants: ['..'] }), /tenants\/0/],
    ['all projects as one', reviewed({ projects: ['*'] }), /projects\/0.*'\*' does not match/],
    [
      'replicas of the bundled Redis, which has none',
      { 'redis.minReplicas': 1 },
      /redis\.minReplicas is 1, but the bundled Redis has no replica/,
    ],
    ['a namespace twice', { watchNamespaces: ['a', 'b', 'a'] }, /watchNamespaces.*equal/],
    [
      'metrics that nobody may see',
      { 'serviceMonitor.enabled': true, 'auth.tokensSecretName': 'mine' },
      /serviceMonitor\.gatewayToken\.secretName/,
    ],
    [
      "the operator's certificate without its authority",
      { 'internal.operatorSecretName': 'mine' },
      /name its Secret in internal\.caSecretName/,
    ],
    [
      "the gateways' certificate without its authority",
      { 'internal.gatewaySecretName': 'mine' },
      /name its Secret in internal\.caSecretName/,
    ],
    [
      'one port for two things',
      { 'gateway.service.grpcPort': 8080 },
      /gateway\.service\.grpcPort and gateway\.service\.httpPort are both 8080/,
    ],
    ...['abc', '8Gb', '-8Gi', '0Gi', '500m', '8 Gi', ''].map((size): [string, object, RegExp] => [
      `a volume of ${JSON.stringify(size)}`,
      { 'redis.bundled.persistence.size': size },
      /persistence\/size.*does not match pattern/,
    ]),
    [
      'a user who is root',
      { 'podSecurityContext.runAsUser': 0 },
      /podSecurityContext\/runAsUser.*minimum/,
    ],
    [
      'to let pods run as root',
      { 'podSecurityContext.runAsNonRoot': false },
      /podSecurityContext.*'runAsNonRoot' not allowed/,
    ],
  ])('%s', async (_what, values, message) => {
    await expect(render(values)).rejects.toThrow(message);
  });

  it.each([
    ['123', '123-agentpool'],
    ['a.b', 'a.b-agentpool'],
  ])('the release %s, whose Services no cluster would take', async (release, begins) => {
    const flags = ['--name-template', release];
    const said = `the release ${release} gives its Services names that begin with ${begins}, `;
    await expect(render({}, ...flags)).rejects.toThrow(said);
    await expect(render({}, ...flags)).rejects.toThrow(/set fullnameOverride/);
    expect(await render({ fullnameOverride: 'pools' }, ...flags)).not.toEqual([]);
  });
});

it('takes for tenants and projects what gateways take', async () => {
  const schema = JSON.parse(readFileSync(join(CHART, 'values.schema.json'), 'utf8')) as {
    readonly definitions: { readonly identifier: { readonly pattern: string } };
  };
  expect(schema.definitions.identifier.pattern).toBe(IDENTIFIER_PATTERN.source);
  const rule = { tenants: ['*', 'acme.eu:1@x-_'], projects: ['web'] };
  expect(await render(reviewed(rule))).not.toEqual([]);
});

it.each(['8Gi', '0.5Ti', '500M', '1.5G', '1e12', '8589934592'])(
  'takes for a volume what an API server takes: %s',
  async (size) => {
    expect(await render({ 'redis.bundled.persistence.size': size })).not.toEqual([]);
  },
);

describe('a name without a value', () => {
  const defaults = parse(readFileSync(join(CHART, 'values.yaml'), 'utf8')) as object;
  const isPart = (value: unknown): value is object =>
    typeof value === 'object' && value !== null && !Array.isArray(value);
  const childrenOf = (part: object, above: string): [string, unknown][] =>
    Object.entries(part).map(([name, value]: [string, unknown]) => [`${above}${name}`, value]);
  const emptied = (paths: readonly string[]) =>
    Object.fromEntries(paths.map((path) => [path, null]));

  /** Of those that are emptied together: paths that are refused by their names; throws when anything else is wrong. */
  async function refused(paths: readonly string[]): Promise<string[]> {
    const said = await render(emptied(paths)).catch((error: unknown) => String(error));
    if (typeof said !== 'string') return [];
    const found = [...said.matchAll(/at '([^']*)': missing propert(?:y|ies) (.*)/g)];
    if (found.length === 0) throw new Error(said);
    return found.flatMap(([, at = '', names = '']) =>
      [...names.matchAll(/'([^']+)'/g)].map(([, name = '']) =>
        `${at}/${name}`.slice(1).replaceAll('/', '.'),
      ),
    );
  }

  it('is nothing, or refused by its name; what would change something is never dropped in silence', async () => {
    let level = childrenOf(defaults, '');
    const seen: string[] = [];
    while (level.length > 0) {
      const paths = level.map(([path]) => path);
      const wrong = await refused(paths);
      seen.push(...wrong);
      const rest = paths.filter((path) => !wrong.includes(path));
      // What is not refused has an effect on its own: that of nothing.
      expect(await refused(rest)).toEqual([]);
      const silent = level.filter(
        ([path, value]) => !wrong.includes(path) && ['number', 'boolean'].includes(typeof value),
      );
      expect(silent).toEqual([]);
      level = level.flatMap(([path, value]) =>
        isPart(value) && wrong.includes(path) ? childrenOf(value, `${path}.`) : [],
      );
    }
    expect(seen).toEqual(
      expect.arrayContaining([
        'redis',
        'networkPolicy.enabled',
        'redis.bundled.persistence.enabled',
      ]),
    );
  }, 60_000);
});
