/** A gateway's service for tests of the HTTP edge: answers the same always, remembers what it was asked, fails when told to. */
import type { HttpService } from '../../gateway/edges/http/http-gateway.ts';
import type { Instance } from '../../gateway/service/instances.ts';
import type { Pool, PoolHealth } from '../../gateway/service/pools.ts';
import type { ProjectTier } from '../../gateway/service/project-tier.ts';
import { spec } from '../builders/pool-builders.ts';
import { FakeTasks } from './fake-tasks.ts';

const WALL_MS = 1_750_000_000_000;
export const WALL_TEXT = '2025-06-15T15:06:40.000Z';

export const INSTANCE: Instance = {
  id: 'default~pool~t~p',
  pool: 'pool',
  tenant: 't',
  project: 'p',
  tier: 'WARM',
  state: 'READY',
  runtime: 'runtime-1',
  createdMs: WALL_MS,
  lastUsedMs: WALL_MS,
  requests: 7,
  memoryBytes: 2 ** 40,
  cpuPercent: 0.5,
  message: '',
  epoch: 3,
};

const TIER: ProjectTier = {
  desired: 'HOT',
  current: 'WARM',
  source: 'Override',
  reason: 'set by API',
  sinceMs: WALL_MS,
  expiresAtMs: undefined,
};
const PROJECT = {
  pool: 'pool',
  tenant: 't',
  project: 'p',
  tier: TIER,
  instanceId: '',
  storedBytes: 12,
  lastUsedMs: 0,
  paused: true,
};
const SUMMARY = { id: 'c-1', agent: 'echo', turnCount: 2, updatedMs: WALL_MS };
const TURN = {
  index: 1,
  role: 'user',
  json: '{"a":[1]}',
  timeMs: WALL_MS,
  requestId: 'r-1',
} as const;
const LEASE = {
  leaseId: 'default~pool~t~p~x',
  instanceId: 'default~pool~t~p',
  tier: 'WARM',
  expiresAtMs: WALL_MS,
} as const;

const HEALTHY: readonly PoolHealth[] = [{ name: 'pool', isSuspended: false, readyRuntimes: 1 }];

export class FakeHttpService implements HttpService {
  /** `method(arguments)`, the principal left out. */
  readonly asked: [string, ...unknown[]][] = [];
  failure: Error | undefined;
  isCreated = true;
  isReady = true;
  isLeaving = false;
  poolHealth: readonly PoolHealth[] = HEALTHY;
  readonly tasks = new FakeTasks();

  readonly leases: HttpService['leases'] = {
    acquire: (_principal, ...rest) => this.#answer('acquire', rest, LEASE),
    renew: (_principal, ...rest) => this.#answer('renew', rest, LEASE),
    release: (_principal, ...rest) => this.#answer('release', rest, undefined),
  };
  readonly instances: HttpService['instances'] = {
    list: (_principal, ...rest) =>
      this.#answer('listInstances', rest, { items: [INSTANCE], nextPageToken: 'n' }),
    get: (_principal, ...rest) => this.#answer('getInstance', rest, INSTANCE),
    create: (_principal, ...rest) =>
      this.#answer('createInstance', rest, { instance: INSTANCE, created: this.isCreated }),
    delete: (_principal, ...rest) => this.#answer('deleteInstance', rest, undefined),
    pause: (_principal, ...rest) =>
      this.#answer('pauseInstance', rest, { ...INSTANCE, state: 'PAUSED', createdMs: 0 }),
    resume: (_principal, ...rest) => this.#answer('resumeInstance', rest, INSTANCE),
  };
  readonly projects: HttpService['projects'] = {
    list: (_principal, ...rest) =>
      this.#answer('listProjects', rest, { items: [PROJECT], nextPageToken: '' }),
    get: (_principal, ...rest) => this.#answer('getProject', rest, PROJECT),
    delete: (_principal, ...rest) => this.#answer('deleteProject', rest, undefined),
    getTier: (_principal, ...rest) => this.#answer('getTier', rest, TIER),
    setTier: (_principal, ...rest) => this.#answer('setTier', rest, TIER),
  };
  readonly conversations: HttpService['conversations'] = {
    list: (_principal, ...rest) =>
      this.#answer('listConversations', rest, { items: [SUMMARY], nextPageToken: '' }),
    get: (_principal, ...rest) =>
      this.#answer('getConversation', rest, { ...SUMMARY, turns: [TURN] }),
    delete: (_principal, ...rest) => this.#answer('deleteConversation', rest, undefined),
  };
  readonly pools: HttpService['pools'];

  constructor() {
    const pool: Pool = {
      name: 'pool',
      namespace: 'default',
      spec: spec(),
      status: {} as Pool['status'],
      quarantined: [{ tenant: 'acme', project: 'bad', state: 'open', retryAfterMs: 1_500 }],
    };
    const isReady = (): boolean => this.isReady;
    const isLeaving = (): boolean => this.isLeaving;
    const stats = {
      instances: 1,
      byTier: { WARM: 1 },
      byState: { READY: 1 },
      queueDepth: 0,
      succeeded: 2 ** 40,
      failed: 1,
      hitRate: 0.5,
      connections: [{ runtime: 'runtime-1', state: 'ready', requests: 9, sinceMs: WALL_MS }],
    } as const;
    this.pools = {
      list: () => this.#now('listPools', [], [pool]),
      agents: (_principal, ...rest) =>
        this.#now('listAgents', rest, [
          { name: 'echo', description: 'says it again', input: { type: 'string' } },
        ]),
      stats: (_principal, ...rest) => this.#answer('stats', rest, stats),
      health: () => this.poolHealth,
      get isReady() {
        return isReady();
      },
      get isLeaving() {
        return isLeaving();
      },
      metricsText: () => this.#answer('metrics', [], '# HELP x y\n'),
      scrapedText: () => this.#answer('metrics', [], '# HELP x y\n'),
    };
  }

  /** As new. */
  reset(): void {
    this.asked.length = 0;
    this.failure = undefined;
    this.isCreated = true;
    this.isReady = true;
    this.isLeaving = false;
    this.poolHealth = HEALTHY;
  }

  async #answer<Answer>(method: string, rest: readonly unknown[], answer: Answer): Promise<Answer> {
    return this.#now(method, rest, answer);
  }

  #now<Answer>(method: string, rest: readonly unknown[], answer: Answer): Answer {
    this.asked.push([method, ...rest]);
    if (this.failure !== undefined) throw this.failure;
    return answer;
  }
}
