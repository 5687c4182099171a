/** One row for each limit of the manifest that takes effect while a server runs: how it is edited, and how its effect is seen. */
import { call, execute } from './http-calls.ts';
import type { Server } from './server.ts';
import { until } from './until.ts';

export interface LiveEdit {
  /** The field, and what is expected. */
  readonly name: string;
  readonly spec: Readonly<Record<string, unknown>>;
  /** True as soon as the edit has taken effect. */
  readonly holds: (server: Server, n: number) => Promise<boolean>;
}

/** As Kubernetes applies a merge patch: what is no object replaces. */
export function patched(base: unknown, patch: unknown): unknown {
  if (!isMapping(base) || !isMapping(patch)) return patch;
  const keys = [...new Set([...Object.keys(base), ...Object.keys(patch)])];
  return Object.fromEntries(
    keys.map((key) => [key, key in patch ? patched(base[key], patch[key]) : base[key]]),
  );
}

function isMapping(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

type Problem = { readonly reason?: string; readonly detail?: string; readonly timings?: object };

const ask = (server: Server, task: object) =>
  call<Problem>(server, '/api/v1/execute', {
    body: { tenant: 'acme', project: 'probe', agent: 'echo', input: null, ...task },
  });
const reasons = async (asked: readonly Promise<{ readonly body: Problem }>[]): Promise<string[]> =>
  (await Promise.all(asked)).map(({ body }) => body.reason ?? 'answered');
const SLOW = { agent: 'slow', input: { chunks: 6, everyMs: 50 } };
/** A project whose rate was used up is of no use to other rows. */
const thrice = (server: Server, task: object) => Array.from({ length: 3 }, () => ask(server, task));
const slowly = (server: Server, count: number, task: object = {}) =>
  Array.from({ length: count }, () => ask(server, { ...SLOW, ...task }));
const live = async (server: Server): Promise<{ project: string; tier: string }[]> => {
  const path = '/api/v1/pool/instances?page_size=1000';
  return (await call<{ instances: { project: string; tier: string }[] }>(server, path)).body
    .instances;
};
/** Says what is live where there is more. */
const isLiveWithin = async (server: Server, max: number): Promise<true> => {
  const found = await live(server);
  if (found.length > max) throw new Error(`live: ${JSON.stringify(found)}`);
  return true;
};
const status = async (server: Server) => {
  const { body } = await call<{
    pools: { status: { readyReplicas: number; tiers: { name: string; idle: number }[] } }[];
  }>(server, '/api/v1/pools');
  const [pool] = body.pools;
  if (pool === undefined) throw new Error('there is no pool');
  return pool.status;
};
const idle = async (server: Server, tier: string): Promise<number | undefined> =>
  (await status(server)).tiers.find(({ name }) => name === tier)?.idle;
const warmQuota = (quota: object) => ({ tiers: { warm: { quota } } });
const replayed = async (server: Server, requestId: string, project = 'probe'): Promise<boolean> =>
  (await execute(server, { project, agent: 'echo', input: 1, request_id: requestId })).replayed;

const QUOTAS: readonly LiveEdit[] = [
  {
    name: 'tiers.warm.quota.requestsPerMinute refuses what is more',
    spec: warmQuota({ requestsPerMinute: 2 }),
    holds: async (server) =>
      (await reasons(thrice(server, { project: 'often' }))).includes('RATE_LIMITED'),
  },
  {
    name: 'tiers.warm.quota.maxConcurrentRequests lets what is more wait',
    spec: warmQuota({ maxConcurrentRequests: 1 }),
    holds: async (server) => {
      const answers = await Promise.all(slowly(server, 2));
      return answers.some(
        ({ body }) => ((body.timings ?? {}) as { queue_ms?: number }).queue_ms! > 150,
      );
    },
  },
  {
    name: 'projects[].quota goes before that of the tier',
    spec: { projects: { named: { quota: { requestsPerMinute: 2 } } } },
    holds: async (server) =>
      (await reasons(thrice(server, { project: 'named' }))).includes('RATE_LIMITED'),
  },
  {
    name: 'projects[].tier is the tier of its tasks',
    spec: { projects: { probe: { tier: 'COLD' } } },
    holds: async (server) =>
      (await execute(server, { project: 'probe', agent: 'echo', input: 1 })).tier === 'COLD',
  },
  {
    name: 'queue.waitMsMax ends a wait',
    spec: { ...warmQuota({ maxConcurrentRequests: 1 }), queue: { waitMsMax: 20 } },
    holds: async (server) => (await reasons(slowly(server, 2))).includes('QUEUE_TIMEOUT'),
  },
  {
    name: 'tenantLimits.queueDepthMax bounds what waits of one tenant',
    spec: { ...warmQuota({ maxConcurrentRequests: 1 }), tenantLimits: { queueDepthMax: 1 } },
    holds: async (server) =>
      (await reasons(slowly(server, 4, { tenant: 'other' }))).includes('QUEUE_FULL'),
  },
  {
    name: 'tenants[].limits.requestsPerMinute refuses what is more',
    spec: { tenants: [{ name: 'other', limits: { requestsPerMinute: 2 } }] },
    holds: async (server) =>
      (await reasons(thrice(server, { tenant: 'other' }))).includes('RATE_LIMITED'),
  },
  {
    name: 'queue.depthMax bounds what waits of the pool',
    spec: { ...warmQuota({ maxConcurrentRequests: 1 }), queue: { depthMax: 1 } },
    holds: async (server) => (await reasons(slowly(server, 4))).includes('QUEUE_FULL'),
  },
  {
    name: 'queue.parkedPerProjectMax bounds what waits for an activation',
    spec: { queue: { parkedPerProjectMax: 1 } },
    holds: async (server, n) =>
      (await reasons(thrice(server, { project: `lazy-parked-${n}` }))).includes('QUEUE_FULL'),
  },
  {
    name: 'tiers.cold.quota refuses what is more',
    spec: {
      projects: { 'cold-often': { tier: 'COLD' } },
      tiers: { cold: { quota: { requestsPerMinute: 2 } } },
    },
    holds: async (server) =>
      (await reasons(thrice(server, { project: 'cold-often' }))).includes('RATE_LIMITED'),
  },
  {
    name: 'maxTenants lets no new one in',
    spec: { maxTenants: 1 },
    holds: async (server, n) => (await ask(server, { tenant: `new-${n}` })).status === 403,
  },
];

const TWO_KIB = 'x'.repeat(2_048);
const LIMITS: readonly LiveEdit[] = [
  {
    name: 'limits.taskTimeoutSeconds ends a task',
    spec: { limits: { taskTimeoutSeconds: 1 } },
    holds: async (server) =>
      (await reasons([ask(server, { agent: 'slow', input: { chunks: 30, everyMs: 50 } })]))[0] ===
      'DEADLINE',
  },
  {
    name: 'limits.cancelGraceSeconds ends who does not listen',
    spec: { limits: { cancelGraceSeconds: 0 } },
    holds: async (server) => {
      const startedMs = performance.now();
      const task = { project: 'deaf', agent: 'deaf', options: { timeout_ms: 100 } };
      const [reason] = await reasons([ask(server, task)]);
      return reason === 'DEADLINE' && performance.now() - startedMs < 3_000;
    },
  },
  {
    name: 'limits.drainSeconds bounds the wait of a deletion',
    spec: { limits: { drainSeconds: 0 } },
    holds: async (server) => {
      const task = { project: 'drained', agent: 'slow', input: { chunks: 40, everyMs: 50 } };
      const running = reasons([ask(server, task)]);
      const path = '/api/v1/pool/instances/default~assistants~acme~drained';
      await until(
        'it runs',
        async () => (await call(server, path)).body['state'] === 'BUSY',
        10_000,
      );
      await call(server, path, { method: 'DELETE' });
      return (await running)[0] === 'CANCELLED';
    },
  },
  {
    name: 'health.initializeTimeoutSeconds ends an activation',
    spec: { health: { initializeTimeoutSeconds: 1 } },
    holds: async (server, n) =>
      (await ask(server, { project: `lazy-late-${n}` })).body.detail?.includes('within 1 s') ===
      true,
  },
  {
    name: 'recovery.maxFailuresPerHour opens the circuit',
    spec: { recovery: { maxFailuresPerHour: 1 } },
    holds: async (server, n) => {
      const project = `failing-${n}`;
      await ask(server, { project, agent: 'exits' });
      return (await ask(server, { project })).body.reason === 'CIRCUIT_OPEN';
    },
  },
  {
    name: 'limits.requestBytesMax refuses an input',
    spec: { limits: { requestBytesMax: 1_024 } },
    holds: async (server) => (await ask(server, { input: TWO_KIB })).status === 413,
  },
  {
    name: 'limits.answerBytesMax refuses an answer',
    spec: { limits: { answerBytesMax: 1_024 } },
    holds: async (server) =>
      (await ask(server, { input: TWO_KIB })).body.detail?.includes('answerBytesMax') === true,
  },
  {
    name: 'limits.stateBytesMax refuses state, and says which key',
    spec: { limits: { stateBytesMax: 1_024 } },
    holds: async (server) => {
      const { body } = await ask(server, { agent: 'store', input: TWO_KIB });
      const says = ['limits.stateBytesMax', '1024', '2050 bytes', 'big'];
      return (
        body.reason === 'PAYLOAD_TOO_LARGE' && says.every((text) => body.detail?.includes(text))
      );
    },
  },
  {
    name: 'limits.conversationWindowTurns is what an agent is given',
    spec: { limits: { conversationWindowTurns: 2 } },
    holds: async (server) => {
      const task = { project: 'probe', agent: 'turns', conversation_id: 'talk', input: 1 };
      await execute(server, task);
      await execute(server, task);
      return (await execute(server, task)).output === 2;
    },
  },
];

const KEPT: readonly LiveEdit[] = [
  {
    name: 'checkpoint.retention.resultsPerProjectMax forgets the oldest',
    spec: { checkpoint: { retention: { resultsPerProjectMax: 1 } } },
    holds: async (server, n) => {
      await replayed(server, `a-${n}`);
      await replayed(server, `b-${n}`);
      return !(await replayed(server, `a-${n}`));
    },
  },
  {
    name: 'checkpoint.retention.resultSeconds forgets what is old',
    spec: { checkpoint: { retention: { resultSeconds: 1 } } },
    holds: async (server) => !(await replayed(server, 'kept', 'aged')),
  },
  {
    name: 'checkpoint.retention.turnsMaxPerConversation drops the oldest turns',
    spec: {
      limits: { conversationWindowTurns: 2 },
      checkpoint: { retention: { turnsMaxPerConversation: 2 } },
    },
    holds: async (server) => {
      await execute(server, {
        project: 'probe',
        agent: 'turns',
        conversation_id: 'talk',
        input: 1,
      });
      const path = '/api/v1/projects/acme/probe/conversations/talk?turns=100';
      const { body } = await call<{ turns: unknown[] }>(server, path);
      return body.turns.length === 2;
    },
  },
];

const activated = async (server: Server, n: number): Promise<void> => {
  for (const letter of ['a', 'b', 'c'])
    await execute(server, { project: `many-${letter}-${n % 2}`, agent: 'echo', input: 1 });
};
/** Conditions, events and all else that the pool says of itself. */
const told = async (server: Server): Promise<string> =>
  JSON.stringify((await call(server, '/api/v1/pools')).body);
let wasHot = false;
const ROOM: readonly LiveEdit[] = [
  {
    name: 'tiers.warm.idleSeconds hibernates what is idle',
    spec: { tiers: { warm: { idleSeconds: 1 } } },
    holds: async (server) => (await live(server)).every(({ project }) => project === 'steady'),
  },
  {
    name: 'tiers.cold.idleSeconds ends what is idle',
    spec: { projects: { icy: { tier: 'COLD' } }, tiers: { cold: { idleSeconds: 1 } } },
    holds: async (server, n) => {
      if (n === 1) await execute(server, { project: 'icy', agent: 'echo', input: 1 });
      return (await live(server)).every(({ project }) => project !== 'icy');
    },
  },
  {
    name: 'tiers.cold.maxConcurrentActivations starts more of them at once',
    spec: { tiers: { default: 'COLD', cold: { maxConcurrentActivations: 3 } } },
    holds: async (server, n) => {
      const startedMs = performance.now();
      await Promise.all(
        ['a', 'b', 'c'].map((letter) =>
          execute(server, { project: `lazy-${letter}-${n}`, agent: 'echo', input: 1 }),
        ),
      );
      // Each takes two seconds to initialize.
      return performance.now() - startedMs < 5_500;
    },
  },
  {
    name: 'tiers.hot.maxInstances lets no more be HOT',
    spec: {
      projects: { 'hot-one': { tier: 'HOT' }, 'hot-two': { tier: 'HOT' } },
      tiers: { hot: { maxInstances: 1 } },
    },
    holds: async (server) => (await told(server)).includes('HotCapacityReached'),
  },
  {
    name: 'tiers.hot.idleSeconds demotes what is idle',
    spec: { tiers: { hot: { idleSeconds: 3 } } },
    holds: async (server, n) => {
      if (n === 1)
        await call(server, '/api/v1/projects/acme/restless/tier', {
          method: 'PUT',
          body: { tier: 'HOT' },
        });
      wasHot ||=
        (await execute(server, { project: 'restless', agent: 'echo', input: 1 })).tier === 'HOT';
      return wasHot && (await told(server)).includes('idle for tiers.hot.idleSeconds');
    },
  },
  {
    name: 'maxInstances bounds what is live',
    spec: { maxInstances: 3 },
    holds: async (server, n) => {
      await activated(server, n);
      return isLiveWithin(server, 3);
    },
  },
  {
    name: 'tiers.warm.maxInstancesPerReplica bounds what is live in one runtime',
    spec: { tiers: { warm: { maxInstancesPerReplica: 2 } } },
    holds: async (server, n) => {
      await activated(server, n);
      return isLiveWithin(server, 2);
    },
  },
  {
    name: 'tiers.warm.blankWorkers keeps more workers',
    spec: { tiers: { warm: { blankWorkers: 4 } } },
    holds: async (server) => (await idle(server, 'WARM')) === 4,
  },
  {
    name: 'tiers.hot.standby starts a runtime ahead',
    spec: { tiers: { hot: { standby: 1 } } },
    holds: async (server) => (await idle(server, 'HOT')) === 1,
  },
  {
    name: 'tiers.default is the tier of those that nobody named',
    spec: { tiers: { default: 'COLD' } },
    holds: async (server) =>
      (await execute(server, { project: 'probe', agent: 'echo', input: 1 })).tier === 'COLD',
  },
  {
    name: 'replicas starts another shared runtime',
    spec: { replicas: 2 },
    holds: async (server) => (await status(server)).readyReplicas === 2,
  },
  {
    name: 'runtime.config reaches the agents',
    spec: { runtime: { config: { greeting: 'hello' } } },
    holds: async (server) =>
      (await execute(server, { project: 'probe', agent: 'greets', input: 1 })).output === 'hello',
  },
];

export const LIVE_EDITS: readonly LiveEdit[] = [...QUOTAS, ...LIMITS, ...KEPT, ...ROOM];
