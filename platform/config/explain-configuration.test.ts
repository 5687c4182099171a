import { describe, expect, it } from '@jest/globals';
import { parsePool } from '../../api/parse-pool.ts';
import { readEnvironment } from './environment.ts';
import type { Variables } from './text-of.ts';
import { type ConfigurationRow, explainConfiguration } from './explain-configuration.ts';

function rowsOf(spec: unknown, variables: Variables): ConfigurationRow[] {
  const read = readEnvironment(variables);
  if (!read.ok) throw new Error(read.problems.join('\n'));
  const parsed = parsePool(
    { apiVersion: 'agentpool.dev/v1alpha1', kind: 'AgentPool', metadata: { name: 'a' }, spec },
    read.environment.specDefaults,
  );
  if (!parsed.ok) throw new Error(JSON.stringify(parsed.problems));
  return explainConfiguration(parsed, read.environment);
}

const ENVIRONMENT = { AGENT_POOL_MAX_IDLE_SECONDS: '60', MAX_CONCURRENT_TASKS: '3' };
const MANIFEST = {
  tiers: { warm: { idleSeconds: 9 } },
  projects: [{ tenant: 'a', project: 'x' }],
  queue: { depthMax: null },
};

describe('the configuration explained', () => {
  it.each<[string, unknown, string]>([
    ['spec.tiers.warm.idleSeconds', 9, 'manifest'],
    ['spec.tiers.warm.quota.maxConcurrentRequests', 3, 'environment MAX_CONCURRENT_TASKS'],
    ['spec.tiers.cold.quota.maxConcurrentRequests', 3, 'environment MAX_CONCURRENT_TASKS'],
    ['spec.tiers.warm.blankWorkers', 2, 'default'],
    ['spec.projects', [{ tenant: 'a', project: 'x' }], 'manifest'],
    ['spec.runtime.config', {}, 'default'],
    ['spec.maxTenants', undefined, 'default'],
    ['spec.queue.depthMax', 1000, 'default'],
  ])('%s is %j by %s', (field, value, source) => {
    expect(rowsOf(MANIFEST, ENVIRONMENT)).toContainEqual({ field, value, source });
  });

  it('has one row for each field and no more', () => {
    const fields = rowsOf({}, {}).map(({ field }) => field);
    expect(new Set(fields).size).toBe(fields.length);
    expect(fields[0]).toBe('spec.runtime.image');
    expect(fields.at(-1)).toBe('spec.networkPolicy');
  });

  it('is all defaults where nobody says anything', () => {
    expect(new Set(rowsOf({}, {}).map(({ source }) => source))).toEqual(new Set(['default']));
  });
});
