import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import type { AgentPoolSpec } from './agent-pool.ts';
import { agentPoolJsonSchema, type JsonSchema } from './json-schema.ts';
import { parsePool } from './parse-pool.ts';

const POOL = { apiVersion: 'agentpool.dev/v1alpha1', kind: 'AgentPool', metadata: { name: 'a' } };

function specOf(spec: unknown): AgentPoolSpec | undefined {
  const parsed = parsePool({ ...POOL, spec });
  return parsed.ok ? parsed.pool.spec : undefined;
}

describe('an AgentPool that says nothing', () => {
  it('has every default of the reference manifest', () => {
    expect(specOf(undefined)).toEqual({
      runtime: {
        agentModule: './agents.ts',
        isolation: 'WorkerThread',
        config: {},
        maxConcurrentTasks: 1000,
        env: [],
        envFrom: [],
        resources: { requests: { cpu: '100m', memory: '256Mi' }, limits: { memory: '1Gi' } },
        podTemplate: {},
      },
      replicas: 1,
      maxInstances: 100,
      operatingMode: 'Running',
      tiers: {
        default: 'WARM',
        hot: {
          standby: 0,
          maxInstances: 10,
          idleSeconds: 0,
          quota: {
            cpuPercent: 100,
            memoryMb: 2048,
            maxConcurrentRequests: 50,
            requestsPerMinute: 1000,
          },
          podTemplate: {},
        },
        warm: {
          blankWorkers: 2,
          maxInstancesPerReplica: 60,
          idleSeconds: 300,
          quota: { memoryMb: 512, maxConcurrentRequests: 10, requestsPerMinute: 100 },
          podTemplate: {},
        },
        cold: {
          idleSeconds: 30,
          maxConcurrentActivations: 1,
          quota: { memoryMb: 256, maxConcurrentRequests: 5, requestsPerMinute: 30 },
        },
      },
      projects: [],
      tenants: [],
      tenantLimits: {},
      limits: {
        taskTimeoutSeconds: 300,
        cancelGraceSeconds: 5,
        drainSeconds: 30,
        requestBytesMax: 4194304,
        answerBytesMax: 16777216,
        stateBytesMax: 1048576,
        conversationWindowTurns: 100,
      },
      queue: { depthMax: 1000, waitMsMax: 30000, parkedPerProjectMax: 100 },
      checkpoint: {
        mode: 'EveryRequest',
        durability: 'Process',
        retention: {
          resultSeconds: 86400,
          resultsPerProjectMax: 1000,
          resultBytesMaxPerProject: 67108864,
          turnsMaxPerConversation: 10000,
          conversationsPerProjectMax: 10000,
        },
      },
      deletionPolicy: 'Retain',
      link: {
        pingMs: 1000,
        pingTimeoutMs: 1000,
        connectTimeoutMs: 2000,
        reconnectMinMs: 50,
        reconnectMaxMs: 5000,
      },
      health: { initializeTimeoutSeconds: 60 },
      recovery: { maxFailuresPerHour: 5 },
      circuitBreaker: { resetTimeoutSeconds: 30 },
      updateStrategy: {
        maxUnavailable: 0,
        maxSurge: 1,
        progressDeadlineSeconds: 600,
        onFailure: 'Pause',
      },
      disruption: { maxUnavailable: 1 },
      networkPolicy: 'Managed',
    });
  });

  it.each([[{}], [null], [{ tiers: null, projects: null, runtime: { config: null } }]])(
    'means the same as %j',
    (spec) => {
      expect(specOf(spec)).toEqual(specOf(undefined));
    },
  );

  it('lies in the namespace default', () => {
    expect(parsePool(POOL)).toMatchObject({
      pool: { metadata: { name: 'a', namespace: 'default', labels: {}, annotations: {} } },
    });
  });
});

describe('what a pool may say', () => {
  it.each<[unknown, Partial<AgentPoolSpec> | object]>([
    [{ replicas: 0 }, { replicas: 0 }],
    [{ runtime: { config: { a: null, b: [1] } } }, { runtime: { config: { a: null, b: [1] } } }],
    [{ runtime: { env: [{ name: 'A' }] } }, { runtime: { env: [{ name: 'A' }] } }],
    [{ tiers: { hot: { standby: 10 } } }, { tiers: { hot: { standby: 10, maxInstances: 10 } } }],
    [
      { projects: [{ tenant: 'A.b:c@d-e_f', project: '1', quota: { memoryMb: 64 } }] },
      { projects: [{ tenant: 'A.b:c@d-e_f', project: '1', quota: { memoryMb: 64 } }] },
    ],
    [
      { projects: ['x', 'y'].map((project) => ({ tenant: 'a', project })) },
      { projects: [{ project: 'x' }, { project: 'y' }] },
    ],
    [{ maxTenants: 1, tenants: [{ name: 'a' }] }, { maxTenants: 1 }],
    [{ checkpoint: { storage: 'memory' } }, { checkpoint: { storage: 'memory' } }],
    [{ checkpoint: { storage: 'redis' } }, { checkpoint: { storage: 'redis' } }],
    [
      { runtime: { env: [{ name: 'A', valueFrom: { secretKeyRef: { name: 's', key: 'k' } } }] } },
      { runtime: { env: [{ name: 'A', valueFrom: { secretKeyRef: { key: 'k' } } }] } },
    ],
    [
      { runtime: { envFrom: [{ prefix: 'P_', configMapRef: { name: 'c', optional: true } }] } },
      { runtime: { envFrom: [{ prefix: 'P_', configMapRef: { name: 'c', optional: true } }] } },
    ],
    [
      { runtime: { resources: { limits: { cpu: 2, 'nvidia.com/gpu': '1' } } } },
      { runtime: { resources: { limits: { cpu: 2, 'nvidia.com/gpu': '1' } } } },
    ],
    [
      { runtime: { moduleFrom: { configMapRef: { name: 'c', key: 'agents.ts' } } } },
      { runtime: { agentModule: './agents.ts' } },
    ],
    [
      { tiers: { hot: { podTemplate: { spec: { tolerations: [{ key: null }] } } } } },
      { tiers: { hot: { podTemplate: { spec: { tolerations: [{ key: null }] } } } } },
    ],
    [{ updateStrategy: { maxSurge: 0, maxUnavailable: 1 } }, { updateStrategy: { maxSurge: 0 } }],
  ])('%j', (spec, expected) => {
    expect(specOf(spec)).toMatchObject(expected);
  });

  it.each(['storage', 'maxTenants', 'image', 'imagePullPolicy', 'moduleFrom'])(
    'does not invent %s',
    (field) => {
      const spec = specOf({});
      expect({ ...spec, ...spec?.checkpoint, ...spec?.runtime }).not.toHaveProperty(field);
    },
  );
});

describe('the bounds of every number', () => {
  const numbers = numbersOf(agentPoolJsonSchema().properties?.['spec'] ?? {}, []);

  it('exist', () => {
    expect(numbers.length).toBeGreaterThan(40);
    for (const { schema } of numbers)
      expect(Object.keys(schema)).toEqual(expect.arrayContaining(['minimum', 'maximum']));
  });

  it.each(numbers.map(({ path, schema }) => [path.join('.'), path, schema] as const))(
    '%s keeps its own',
    (_name, path, { minimum = 0, maximum = 0 }) => {
      for (const value of [minimum - 1, maximum + 1, minimum + 0.5])
        expect(specOf(nest(path, value))).toBeUndefined();
      // A bound itself can only be refused by a rule between fields, which names another reason than the range.
      for (const value of [minimum, maximum]) {
        const parsed = parsePool({ ...POOL, spec: nest(path, value) });
        const problems = parsed.ok ? [] : parsed.problems.map(({ message }) => message);
        expect(problems.filter((message) => message.includes('whole number'))).toEqual([]);
      }
    },
  );
});

describe('anything at all', () => {
  it('is parsed or told what is wrong, and never throws', () => {
    fc.assert(
      fc.property(fc.jsonValue(), fc.jsonValue(), (spec, metadata) => {
        const parsed = parsePool({ ...POOL, metadata, spec });
        expect(parsed.ok || parsed.problems.length > 0).toBe(true);
      }),
    );
  });

  it('that was parsed is parsed to the same again', () => {
    const partial = fc.record(
      {
        replicas: fc.integer({ min: 0, max: 1000 }),
        tiers: fc.record({ default: fc.constantFrom('HOT', 'WARM', 'COLD') }),
        limits: fc.record({ drainSeconds: fc.nat(3600) }, { requiredKeys: [] }),
      },
      { requiredKeys: [] },
    );
    fc.assert(
      fc.property(partial, (spec) => {
        const once = specOf(spec);
        expect(once).toBeDefined();
        expect(specOf(once)).toEqual(once);
      }),
    );
  });
});

interface NumberField {
  readonly path: readonly string[];
  readonly schema: JsonSchema;
}

function numbersOf(schema: JsonSchema, path: readonly string[]): NumberField[] {
  if (schema.type === 'integer') return [{ path, schema }];
  return Object.entries(schema.properties ?? {}).flatMap(([key, child]) =>
    numbersOf(child, [...path, key]),
  );
}

function nest(path: readonly string[], value: number): unknown {
  return path.reduceRight<unknown>((inner, key) => ({ [key]: inner }), value);
}
