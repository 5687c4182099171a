import { describe, expect, it } from '@jest/globals';
import { Environment } from '@marcbachmann/cel-js';
import fc from 'fast-check';
import { parsePool } from './parse-pool.ts';
import { compareQuantities } from './quantity.ts';
import { type FieldPath, formatPath, schemaAt } from './json-schema.ts';

const POOL = { apiVersion: 'agentpool.dev/v1alpha1', kind: 'AgentPool', metadata: { name: 'a' } };

interface RuleCase {
  /** Where in the resource the rule stands. */
  readonly at: FieldPath;
  /** A value of each kind that matters: around the border, and far from it. */
  readonly self: fc.Arbitrary<unknown>;
  /** What an API server makes of `self` before it asks the rule. */
  readonly defaults?: object;
  readonly spec: (self: never) => unknown;
}

class Quantity {
  readonly text: string;

  constructor(text: string) {
    this.text = text;
  }
}

/** With the functions of Kubernetes that rules ask. */
const cel = new Environment({ unlistedVariablesAreDyn: true })
  .registerType('Quantity', Quantity)
  .registerFunction('quantity(string): Quantity', (text: string) => new Quantity(text))
  .registerFunction('Quantity.compareTo(Quantity): int', (a: Quantity, b: Quantity) =>
    BigInt(compareQuantities(a.text, b.text)),
  );

const amounts = fc.dictionary(
  fc.constantFrom('cpu', 'memory', 'ephemeral-storage', 'example.com/gpu'),
  fc.constantFrom(1, '500m', '1Gi', '1000M', 2_000_000_000),
);

const long = (characters: number): string => 'a'.repeat(characters);
const MARKS = [
  ...['agentpool.dev/role', 'agentpool.dev', 'team', 'a b', '', 'A.b_c-d', '-a', 'a-', 'é'],
  ...['a.b-c/d', 'A.b/c', '/a', 'a/', 'a/b/c', 'a..b/c', '-a/b', 'app.kubernetes.io/part-of'],
  ...[long(63), long(64), `${long(253)}/${long(63)}`, `${long(254)}/a`],
];
const OUR_LABELS = ['name', 'instance', 'component', 'managed-by'].map(
  (label) => `app.kubernetes.io/${label}`,
);

const small = fc.integer({ min: 1, max: 4 });
const above50 = (n: number): number => 50 + n;

/** Any of these fields, each as often there as not. */
function someOf(fields: Readonly<Record<string, unknown>>): fc.Arbitrary<unknown> {
  return fc
    .subarray(Object.entries(fields))
    .map((entries) => Object.fromEntries(entries) as Record<string, unknown>);
}

const CASES: readonly RuleCase[] = [
  {
    at: ['spec', 'tiers', 'hot'],
    self: fc.record({ standby: small, maxInstances: small }),
    spec: (hot) => ({ tiers: { hot } }),
  },
  {
    at: ['spec', 'link'],
    self: fc.record({ reconnectMinMs: small.map(above50), reconnectMaxMs: small.map(above50) }),
    spec: (link) => ({ link }),
  },
  {
    at: ['spec', 'updateStrategy'],
    self: fc.record({ maxUnavailable: fc.nat(1), maxSurge: fc.nat(1) }),
    spec: (updateStrategy) => ({ updateStrategy }),
  },
  {
    at: ['spec'],
    self: fc.record({
      limits: fc.record({ conversationWindowTurns: small }),
      checkpoint: fc.record({ retention: fc.record({ turnsMaxPerConversation: small }) }),
      tenants: fc.constant([]),
    }),
    spec: (spec) => spec,
  },
  {
    at: ['spec'],
    self: fc.tuple(fc.nat(4), fc.option(small, { nil: undefined })).map(([count, maxTenants]) => ({
      tenants: Array.from({ length: count }, (_, index) => ({ name: `t${index}` })),
      ...(maxTenants === undefined ? {} : { maxTenants }),
    })),
    defaults: {
      limits: { conversationWindowTurns: 1 },
      checkpoint: { retention: { turnsMaxPerConversation: 1 } },
    },
    spec: (spec) => spec,
  },
  {
    at: ['spec', 'runtime'],
    self: fc.record(
      {
        agentModule: fc.constantFrom('./agents.ts', './other.ts'),
        moduleFrom: fc.constant({ configMapRef: { name: 'c', key: 'agents.ts' } }),
      },
      { requiredKeys: ['agentModule'] },
    ),
    spec: (runtime) => ({ runtime }),
  },
  {
    at: ['spec', 'runtime', 'resources'],
    self: fc.record({ requests: amounts, limits: amounts }, { requiredKeys: [] }),
    spec: (resources) => ({ runtime: { resources } }),
  },
  {
    at: ['spec', 'runtime', 'env', 0],
    self: fc.record(
      {
        name: fc.constantFrom('A', 'AGENTPOOL_A', 'AGENTPOOL'),
        value: fc.constantFrom('', 'x'),
        valueFrom: fc.constant({ fieldRef: { fieldPath: 'metadata.name' } }),
      },
      { requiredKeys: ['name'] },
    ),
    spec: (variable) => ({ runtime: { env: [variable] } }),
  },
  {
    at: ['spec', 'runtime', 'env', 0, 'valueFrom'],
    self: someOf({
      fieldRef: { fieldPath: 'metadata.name' },
      resourceFieldRef: { resource: 'limits.memory' },
      secretKeyRef: { name: 's', key: 'k' },
      configMapKeyRef: { name: 'c', key: 'k' },
    }),
    spec: (valueFrom) => ({ runtime: { env: [{ name: 'A', valueFrom }] } }),
  },
  {
    at: ['spec', 'runtime', 'envFrom', 0],
    self: fc.record(
      { configMapRef: fc.constant({ name: 'c' }), secretRef: fc.constant({ name: 's' }) },
      { requiredKeys: [] },
    ),
    spec: (bundle) => ({ runtime: { envFrom: [bundle] } }),
  },
  {
    at: ['spec', 'runtime', 'podTemplate', 'spec'],
    self: fc.oneof(
      fc.constant({ nodeSelector: { a: 'b' } }),
      someOf({
        restartPolicy: 'Always',
        terminationGracePeriodSeconds: 1,
        activeDeadlineSeconds: 1,
        automountServiceAccountToken: true,
        hostNetwork: true,
        ephemeralContainers: [{}],
      }),
    ),
    spec: (spec) => ({ runtime: { podTemplate: { spec } } }),
  },
  {
    at: ['spec', 'tiers', 'hot', 'podTemplate', 'spec', 'containers', 0],
    self: fc.record(
      {
        name: fc.constantFrom('runtime', 'sidecar'),
        image: fc.constant('i'),
        env: fc.constant([{ name: 'A' }]),
        resources: fc.constant({}),
        livenessProbe: fc.constant({}),
        volumeMounts: fc.constant([]),
      },
      { requiredKeys: ['name'] },
    ),
    spec: (one) => ({ tiers: { hot: { podTemplate: { spec: { containers: [one] } } } } }),
  },
  {
    at: ['spec', 'tiers', 'warm', 'podTemplate', 'spec', 'volumes', 0],
    self: fc.record({ name: fc.constantFrom('agentpool-runtime', 'agentpool', 'data') }),
    spec: (volume) => ({ tiers: { warm: { podTemplate: { spec: { volumes: [volume] } } } } }),
  },
  ...(['labels', 'annotations'] as const).map((field) => ({
    at: ['spec', 'runtime', 'podTemplate', 'metadata', field],
    self: fc.dictionary(
      fc.constantFrom(...MARKS, ...(field === 'labels' ? OUR_LABELS : [])),
      fc.constant('x'),
      { maxKeys: 3 },
    ),
    spec: (self: never) => ({ runtime: { podTemplate: { metadata: { [field]: self } } } }),
  })),
  ...(['tenant', 'project'] as const).map((field) => ({
    at: ['spec', 'projects', 0, field],
    self: fc.constantFrom('.', '..', '...', 'a', '.a'),
    spec: (self: never) => ({ projects: [{ tenant: 'a', project: 'a', [field]: self }] }),
  })),
  {
    at: ['spec', 'tenants', 0],
    self: fc.record(
      {
        name: fc.constantFrom('a'.repeat(64), 'a'.repeat(65)),
        secretRef: fc.constant({ name: 's' }),
      },
      { requiredKeys: ['name'] },
    ),
    spec: (tenant) => ({ tenants: [tenant] }),
  },
  {
    at: ['spec', 'tenants', 0, 'name'],
    self: fc.constantFrom('.', '..', '...', 'a', '.a'),
    spec: (name) => ({ tenants: [{ name }] }),
  },
];

describe('a rule between fields', () => {
  it.each(CASES.map((row) => [formatPath(row.at), row] as const))(
    'of %s says the same as CEL and here',
    (_name, { at, self, defaults = {}, spec }) => {
      const rules = schemaAt(at)?.['x-kubernetes-validations'] ?? [];
      expect(rules.length).toBeGreaterThan(0);
      const verdicts = new Set<boolean>();
      fc.assert(
        fc.property(self, (value) => {
          const asked = typeof value === 'object' ? { ...defaults, ...value } : value;
          const byCel = rules.every(({ rule }) => cel.evaluate(rule, { self: asked }) === true);
          expect(parsePool({ ...POOL, spec: spec(value as never) }).ok).toBe(byCel);
          verdicts.add(byCel);
        }),
        { numRuns: 200 },
      );
      expect(verdicts).toEqual(new Set([true, false]));
    },
  );
});
