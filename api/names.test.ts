import { describe, expect, it } from '@jest/globals';
import type { AgentPoolSpec } from './agent-pool.ts';
import { revisionInput, sharedSelector } from './names.ts';
import { parsePool } from './parse-pool.ts';

function specOf(spec: object): AgentPoolSpec {
  const parsed = parsePool({
    apiVersion: 'agentpool.dev/v1alpha1',
    kind: 'AgentPool',
    metadata: { name: 'a' },
    spec,
  });
  if (!parsed.ok) throw new Error(JSON.stringify(parsed.problems));
  return parsed.pool.spec;
}

const BEFORE = {
  replicas: 1,
  runtime: {
    agentModule: './a.ts',
    config: { a: 1, b: { c: 1, d: 2 } },
    env: [{ name: 'A', value: '1' }],
  },
};

describe('the revision', () => {
  it.each<[string, object]>([
    ['more replicas', { ...BEFORE, replicas: 5 }],
    ['other limits', { ...BEFORE, limits: { drainSeconds: 1 } }],
    ['other quotas', { ...BEFORE, tiers: { warm: { quota: { memoryMb: 64 } } } }],
    ['a suspended pool', { ...BEFORE, operatingMode: 'Suspended' }],
    [
      'another pull policy',
      { ...BEFORE, runtime: { ...BEFORE.runtime, imagePullPolicy: 'Never' } },
    ],
    ['another network policy', { ...BEFORE, networkPolicy: 'Unmanaged' }],
    ['other credit', { ...BEFORE, runtime: { ...BEFORE.runtime, maxConcurrentTasks: 5 } }],
    [
      'configuration in another order',
      { ...BEFORE, runtime: { ...BEFORE.runtime, config: { b: { d: 2, c: 1 }, a: 1 } } },
    ],
  ])('stays with %s', (_name, after) => {
    expect(revisionInput(specOf(after), 'x')).toBe(revisionInput(specOf(BEFORE), 'x'));
  });

  it.each<[string, object]>([
    ['nothing', { name: 'A' }],
    ['its source', { name: 'A', valueFrom: { fieldRef: { fieldPath: 'metadata.name' } } }],
  ])('is the same for a variable with an empty value and with %s', (_name, variable) => {
    const [left, written] = [variable, { ...variable, value: '' }].map((one) =>
      revisionInput(specOf({ runtime: { env: [one] } }), 'x'),
    );
    expect(left).toBe(written);
    // As it has been since the first version: pools that are there stay as they are.
    expect(JSON.parse(left ?? '')).toMatchObject({ env: [{ ...variable, value: '' }] });
  });

  it.each<[string, object]>([
    ['another module', { agentModule: './b.ts' }],
    ['another isolation', { isolation: 'Shared' }],
    ['another value in the configuration', { config: { a: 1, b: { c: 1, d: 3 } } }],
    ['another variable', { env: [{ name: 'A', value: '2' }] }],
    ['another image', { image: 'agents:2' }],
    ['variables of a ConfigMap', { envFrom: [{ configMapRef: { name: 'c' } }] }],
    ['other resources', { resources: { limits: { memory: '2Gi' } } }],
    ['another pod', { podTemplate: { spec: { priorityClassName: 'high' } } }],
    ['variables in another order', { env: [{ name: 'B' }, { name: 'A', value: '1' }] }],
  ])('changes with %s', (_name, runtime) => {
    const after = specOf({ ...BEFORE, runtime: { ...BEFORE.runtime, ...runtime } });
    expect(revisionInput(after, 'x')).not.toBe(revisionInput(specOf(BEFORE), 'x'));
  });

  it.each(['hot', 'warm'])('changes with another pod of the tier %s', (tier) => {
    const after = specOf({
      ...BEFORE,
      tiers: { [tier]: { podTemplate: { spec: { nodeName: 'n' } } } },
    });
    expect(revisionInput(after, 'x')).not.toBe(revisionInput(specOf(BEFORE), 'x'));
  });

  it('is not made of what is empty: a new field changes no revision', () => {
    const text = revisionInput(specOf({ runtime: { resources: {} } }), 'x');
    expect(JSON.parse(text)).toEqual({
      agentModule: './agents.ts',
      isolation: 'WorkerThread',
      moduleDigest: 'x',
    });
  });

  it('changes with the content of the module', () => {
    expect(revisionInput(specOf(BEFORE), 'x')).not.toBe(revisionInput(specOf(BEFORE), 'y'));
  });
});

describe('the selector of the shared runtimes', () => {
  it('is the one of the reference manifest', () => {
    expect(sharedSelector('assistants')).toBe(
      'agentpool.dev/pool=assistants,agentpool.dev/role=shared',
    );
  });
});
