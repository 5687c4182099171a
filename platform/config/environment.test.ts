import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { schemaAt } from '../../api/json-schema.ts';
import { type Environment, readEnvironment } from './environment.ts';
import type { Variables } from './text-of.ts';
import { poolVariablesIn } from './environment.ts';
import { LATER_VARIABLES, VARIABLES } from './variables.ts';

function environmentOf(variables: Variables): Environment {
  const read = readEnvironment(variables);
  if (!read.ok) throw new Error(read.problems.join('\n'));
  return read.environment;
}

function problemsOf(variables: Variables): readonly string[] {
  const read = readEnvironment(variables);
  return read.ok ? [] : read.problems;
}

describe('a variable of the table', () => {
  it.each<[string, string, object]>([
    ['AGENT_POOL_MAX_INSTANCES', '7', { maxInstances: 7 }],
    ['AGENT_POOL_DEFAULT_TIER', 'COLD', { tiers: { default: 'COLD' } }],
    ['AGENT_POOL_DEFAULT_TIER', 'cold', { tiers: { default: 'COLD' } }],
    ['AGENT_POOL_MAX_IDLE_SECONDS', '60', { tiers: { warm: { idleSeconds: 60 } } }],
    ['AGENT_POOL_MAX_FAILURES_PER_HOUR', '0', { recovery: { maxFailuresPerHour: 0 } }],
    ['AGENT_POOL_CIRCUIT_RESET_TIMEOUT', '45', { circuitBreaker: { resetTimeoutSeconds: 45 } }],
    ['AGENT_POOL_CHECKPOINT_STORAGE', 'memory', { checkpoint: { storage: 'memory' } }],
    ['AGENT_POOL_CHECKPOINT_STORAGE', 'redis', { checkpoint: { storage: 'redis' } }],
    ['AGENT_POOL_ENABLE_HA', 'false', { checkpoint: { storage: 'memory' } }],
    ['AGENT_POOL_ENABLE_HA', '0', { checkpoint: { storage: 'memory' } }],
    ['AGENT_POOL_ENABLE_HA', 'true', {}],
    ['TEKTON_POOL_HEALTH_INTERVAL', '30', { link: { pingMs: 30_000 } }],
    ['TEKTON_POOL_RECONNECT_DELAY', '0.3', { link: { reconnectMaxMs: 300 } }],
    ['TEKTON_POOL_CONNECTION_TIMEOUT', '2', { link: { connectTimeoutMs: 2_000 } }],
    ['TEKTON_POOL_REQUEST_TIMEOUT', '30', { limits: { taskTimeoutSeconds: 30 } }],
    ['AGENT_POOL_LINK_HEALTH_INTERVAL', '1.5', { link: { pingMs: 1_500 } }],
    ['AGENT_POOL_LINK_REQUEST_TIMEOUT', '9', { limits: { taskTimeoutSeconds: 9 } }],
    ['AGENT_POOL_MAX_INSTANCES', ' 7 ', { maxInstances: 7 }],
    ['AGENT_POOL_MAX_INSTANCES', '', {}],
    [
      'MAX_CONCURRENT_TASKS',
      '3',
      {
        tiers: {
          hot: { quota: { maxConcurrentRequests: 3 } },
          warm: { quota: { maxConcurrentRequests: 3 } },
          cold: { quota: { maxConcurrentRequests: 3 } },
        },
      },
    ],
  ])('%s=%j sets %j', (name, text, spec) => {
    expect(environmentOf({ [name]: text }).specDefaults).toEqual(spec);
  });

  it.each([
    [
      'AGENT_POOL_MAX_INSTANCES',
      'many',
      'must be a whole number from 1 to 1000000, but is "many" (it sets spec.maxInstances)',
    ],
    [
      'AGENT_POOL_MAX_INSTANCES',
      '1e3',
      'must be a whole number from 1 to 1000000, but is "1e3" (it sets spec.maxInstances)',
    ],
    [
      'AGENT_POOL_MAX_INSTANCES',
      '1.5',
      'must be a whole number from 1 to 1000000, but is "1.5" (it sets spec.maxInstances)',
    ],
    [
      'AGENT_POOL_MAX_INSTANCES',
      '0',
      'must be a whole number from 1 to 1000000, but is "0" (it sets spec.maxInstances)',
    ],
    [
      'AGENT_POOL_DEFAULT_TIER',
      'WRAM',
      'must be one of HOT, WARM, COLD, but is "WRAM"; did you mean "WARM"? (it sets spec.tiers.default)',
    ],
    [
      'AGENT_POOL_CHECKPOINT_STORAGE',
      'embeded',
      'must be one of embedded, memory, redis, but is "embeded"; did you mean "embedded"? (it sets spec.checkpoint.storage)',
    ],
    [
      'AGENT_POOL_ENABLE_HA',
      'maybe',
      'must be true or false, but is "maybe" (it sets spec.checkpoint.storage)',
    ],
    [
      'TEKTON_POOL_CONNECTION_TIMEOUT',
      '61',
      'must be a number of seconds from 0.1 to 60, but is "61" (it sets spec.link.connectTimeoutMs)',
    ],
    [
      'TEKTON_POOL_CONNECTION_TIMEOUT',
      '2s',
      'must be a number of seconds from 0.1 to 60, but is "2s" (it sets spec.link.connectTimeoutMs)',
    ],
    ['LOG_LEVEL', 'loud', 'must be one of debug, info, warn, error, silent, but is "loud"'],
  ])('%s=%s is refused', (name, text, problem) => {
    expect(problemsOf({ [name]: text })).toEqual([`${name}: ${problem}`]);
  });

  it('is refused together with every other wrong one', () => {
    expect(
      problemsOf({ AGENT_POOL_MAX_INSTANCES: 'x', LOG_LEVEL: 'y', MAX_CONCURRENT_TASKS: 'z' }),
    ).toHaveLength(3);
  });

  it.each(VARIABLES.map(({ name, fields }) => [name, fields] as const))(
    '%s sets fields that exist',
    (_name, fields) => {
      for (const field of fields)
        expect(schemaAt(['spec', ...field])?.type).toMatch(/^(integer|string)$/);
    },
  );

  it('never throws, whatever its text', () => {
    const names = fc.constantFrom(...VARIABLES.map(({ name }) => name), 'LOG_LEVEL');
    fc.assert(
      fc.property(names, fc.string(), (name, text) => {
        const read = readEnvironment({ [name]: text });
        expect(read.ok || read.problems[0]?.startsWith(`${name}: must be`)).toBe(true);
      }),
    );
  });
});

describe('where two variables set one field', () => {
  it.each<[Variables, object, string, string]>([
    [
      { AGENT_POOL_LINK_HEALTH_INTERVAL: '2', TEKTON_POOL_HEALTH_INTERVAL: '30' },
      { link: { pingMs: 2_000 } },
      'link.pingMs',
      'AGENT_POOL_LINK_HEALTH_INTERVAL',
    ],
    [
      { AGENT_POOL_ENABLE_HA: 'false', AGENT_POOL_CHECKPOINT_STORAGE: 'embedded' },
      { checkpoint: { storage: 'embedded' } },
      'checkpoint.storage',
      'AGENT_POOL_CHECKPOINT_STORAGE',
    ],
  ])('%j: the nearer one wins', (variables, spec, field, source) => {
    const { specDefaults, sources } = environmentOf(variables);
    expect(specDefaults).toEqual(spec);
    expect(sources.get(field)).toBe(source);
  });
});

describe('a variable that is not in yet', () => {
  it.each(LATER_VARIABLES)('%s is warned of once', (name) => {
    const { warnings, specDefaults } = environmentOf({ [name]: '1' });
    expect(warnings).toEqual([`${name} is set, but has no effect in this version: unset it`]);
    expect(specDefaults).toEqual({});
  });

  it('is not warned of when it is not set', () => {
    expect(environmentOf({ PATH: '/bin', AGENT_POOL_SERVICE_HOST: '10.0.0.1' }).warnings).toEqual(
      [],
    );
  });
});

describe('what is not for pools', () => {
  it.each<[Variables, Partial<Environment>]>([
    [{ LOG_LEVEL: 'DEBUG' }, { logLevel: 'debug' }],
    [{}, { logLevel: undefined }],
  ])('%j', (variables, expected) => {
    expect(environmentOf(variables)).toMatchObject(expected);
  });
});

it('names what is set and would be read on one machine only, without a value', () => {
  const set = {
    AGENT_POOL_ENABLED: 'x',
    AGENT_POOL_DEFAULT_TIER: 'HOT',
    MAX_CONCURRENT_TASKS: ' ',
  };
  const names = poolVariablesIn({ ...set, PATH: '/bin', AGENT_POOL_SERVICE_HOST: '10.0.0.1' });
  expect(names).toEqual(['AGENT_POOL_DEFAULT_TIER', 'AGENT_POOL_ENABLED']);
});
