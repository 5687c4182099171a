/** The table of environment variables that set defaults of pools: which field each sets, and how its text is read. */

/** Path of a field below `spec`. */
export type SpecPath = readonly [string, ...string[]];

/**
 * `Number`: whole, in the unit of the field. `Seconds`: of a field in milliseconds, fractions allowed. `Word`: one of
 * the field's words, in any case. `MemoryUnlessTrue`: a switch; false chooses the memory store.
 */
export type Reading = 'Number' | 'Seconds' | 'Word' | 'MemoryUnlessTrue';

export interface Variable {
  readonly name: string;
  readonly reading: Reading;
  readonly fields: readonly [SpecPath, ...SpecPath[]];
}

const variable = (
  name: string,
  reading: Reading,
  ...fields: readonly [SpecPath, ...SpecPath[]]
): Variable => ({ name, reading, fields });

/** The link's settings go by the names of the source and by ours; ours win. */
const linkVariables = (prefix: string): Variable[] => [
  variable(`${prefix}_HEALTH_INTERVAL`, 'Seconds', ['link', 'pingMs']),
  variable(`${prefix}_RECONNECT_DELAY`, 'Seconds', ['link', 'reconnectMaxMs']),
  variable(`${prefix}_CONNECTION_TIMEOUT`, 'Seconds', ['link', 'connectTimeoutMs']),
  variable(`${prefix}_REQUEST_TIMEOUT`, 'Number', ['limits', 'taskTimeoutSeconds']),
];

/** Where two set the same field, the later one wins. */
export const VARIABLES: readonly Variable[] = [
  variable('AGENT_POOL_MAX_INSTANCES', 'Number', ['maxInstances']),
  variable('AGENT_POOL_DEFAULT_TIER', 'Word', ['tiers', 'default']),
  variable('AGENT_POOL_MAX_IDLE_SECONDS', 'Number', ['tiers', 'warm', 'idleSeconds']),
  variable('AGENT_POOL_ENABLE_HA', 'MemoryUnlessTrue', ['checkpoint', 'storage']),
  variable('AGENT_POOL_CHECKPOINT_STORAGE', 'Word', ['checkpoint', 'storage']),
  variable('AGENT_POOL_MAX_FAILURES_PER_HOUR', 'Number', ['recovery', 'maxFailuresPerHour']),
  variable('AGENT_POOL_CIRCUIT_RESET_TIMEOUT', 'Number', ['circuitBreaker', 'resetTimeoutSeconds']),
  variable(
    'MAX_CONCURRENT_TASKS',
    'Number',
    ['tiers', 'hot', 'quota', 'maxConcurrentRequests'],
    ['tiers', 'warm', 'quota', 'maxConcurrentRequests'],
    ['tiers', 'cold', 'quota', 'maxConcurrentRequests'],
  ),
  ...linkVariables('TEKTON_POOL'),
  ...linkVariables('AGENT_POOL_LINK'),
];

/** Variables of the same table whose fields do not exist yet: set, they have no effect and are warned of once. */
export const LATER_VARIABLES: readonly string[] = [
  'AGENT_POOL_ENABLED',
  'AGENT_POOL_WARMUP_COUNT',
  'AGENT_POOL_HEALTH_CHECK_INTERVAL',
  'AGENT_POOL_HEALTH_CHECK_TIMEOUT',
  'AGENT_POOL_CHECKPOINT_INTERVAL',
  'AGENT_POOL_PATTERN_DETECTION_WINDOW',
  'AGENT_POOL_ENABLE_AUTO_SCALING',
  'AGENT_POOL_SCALE_UP_THRESHOLD',
  'AGENT_POOL_SCALE_DOWN_THRESHOLD',
  'AGENT_POOL_SCALING_COOLDOWN',
  'AGENT_POOL_CIRCUIT_FAILURE_THRESHOLD',
  'AGENT_SUBAGENT_MAX_DELEGATION_DEPTH',
  'AGENT_SUBAGENT_MAX_ACTIVE_RUNS',
  'AGENT_SUBAGENT_MAX_CHILDREN_PER_REQUESTER',
  'AGENT_SUBAGENT_LANE_CONCURRENCY',
  'AGENT_SUBAGENT_TERMINAL_RETENTION_SECONDS',
  'AGENT_SUBAGENT_ANNOUNCE_MAX_EVENTS',
  'AGENT_SUBAGENT_ANNOUNCE_MAX_RETRIES',
  'AGENT_SUBAGENT_ANNOUNCE_RETRY_DELAY_MS',
  'AGENT_SUBAGENT_FOCUS_TTL_SECONDS',
  'OLLAMA_URL',
  'OLLAMA_DEFAULT_MODEL',
  'MAX_OLLAMA_CONNECTIONS',
];
