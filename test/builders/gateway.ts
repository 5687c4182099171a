/** A gateway without edges on a store in memory, a clock that stands still, and links whose runtimes are the test. */
import { agentPoolSpecSchema, type AgentPoolSpecInput } from '../../api/agent-pool.ts';
import { NONE_IN_ANY_TIER } from '../../core/tier.ts';
import { createPrincipal, type Principal } from '../../gateway/access/principal.ts';
import { createGatewayCore, type GatewayCore } from '../../gateway/gateway-core.ts';
import {
  createGatewayService,
  type GatewayService,
  type GatewayServiceOptions,
} from '../../gateway/service/gateway-service.ts';
import type { CallOptions, TaskAnswer, TaskRequest } from '../../gateway/task/call.ts';
import { silentLog } from '../../platform/log.ts';
import { createMetrics, type Metrics } from '../../platform/metrics/registry.ts';
import type { Random } from '../../platform/random.ts';
import { MemoryStore } from '../../platform/store/memory-store.ts';
import type { RuntimeRecord } from '../../platform/store/store.ts';
import { FakeClock, settle } from '../fakes/fake-clock.ts';
import { FakeLink } from '../fakes/fake-link.ts';
import { FlakyStore, type FlakyOptions } from '../fakes/flaky-store.ts';

export const ADMIN: Principal = createPrincipal({ subject: 'root', tenants: ['*'], role: 'admin' });
const LONG_TTL_MS = 3_600_000;

export class TestGateway {
  readonly clock = new FakeClock();
  readonly memory = new MemoryStore(this.clock);
  /** What happens to calls of the store; undefined: they work. */
  storePlan: FlakyOptions['plan'] = () => undefined;
  readonly flaky = new FlakyStore(this.memory, {
    clock: this.clock,
    plan: (method, args) => this.storePlan(method, args),
  });
  readonly metrics: Metrics = createMetrics(false);
  readonly links = new Map<string, FakeLink>();
  readonly core: GatewayCore;
  readonly service: GatewayService;
  #ids = 0;

  constructor(options: GatewayServiceOptions = {}) {
    const random: Random = { float: () => 0.5, id: () => `made-${(this.#ids += 1)}` };
    this.core = createGatewayCore({
      clock: this.clock,
      random,
      log: silentLog,
      metrics: this.metrics,
      store: this.flaky.store,
      defaultNamespace: 'default',
      connect: (record, _pool, events) => {
        const link = new FakeLink(record, events);
        this.links.set(record.incarnation, link);
        return link;
      },
    });
    this.service = createGatewayService(this.core.context, this.metrics, options);
  }

  async putPool(spec: AgentPoolSpecInput = {}, name = 'main'): Promise<void> {
    await this.memory.putPool({
      key: `default~${name}`,
      generation: 1,
      spec: agentPoolSpecSchema.parse(spec),
      status: {},
      revision: 'r1',
    });
    await settle();
  }

  async putRuntime(incarnation: string, more: Partial<RuntimeRecord> = {}): Promise<FakeLink> {
    await this.memory.heartbeat(runtimeRecord(incarnation, more), LONG_TTL_MS);
    await settle();
    return this.link(incarnation);
  }

  link(incarnation: string): FakeLink {
    const link = this.links.get(incarnation);
    if (link === undefined) throw new Error(`no link to ${incarnation}`);
    return link;
  }

  start(request: Partial<TaskRequest> = {}, options: Partial<CallOptions> = {}): TestTask {
    const handle = this.service.tasks.start({
      principal: ADMIN,
      remainingMs: Infinity,
      ...options,
      request: taskRequest(request),
    });
    const end: { answer?: TaskAnswer; error?: unknown } = {};
    handle.answer.then(
      (answer) => {
        end.answer = answer;
      },
      (error: unknown) => {
        end.error = error;
      },
    );
    return { handle, end };
  }
}

export interface TestTask {
  readonly handle: ReturnType<GatewayService['tasks']['start']>;
  /** Filled when the task has ended. */
  readonly end: { readonly answer?: TaskAnswer; readonly error?: unknown };
}

/** With one pool named main and, unless told otherwise, one shared runtime named a. */
export async function testGateway(
  spec: AgentPoolSpecInput = {},
  runtimes: readonly string[] = ['a'],
  options: GatewayServiceOptions = {},
): Promise<TestGateway> {
  const gateway = new TestGateway(options);
  await gateway.putPool(spec);
  for (const incarnation of runtimes)
    await gateway.memory.heartbeat(runtimeRecord(incarnation), LONG_TTL_MS);
  await gateway.core.start();
  await settle();
  return gateway;
}

export function runtimeRecord(
  incarnation: string,
  more: Partial<RuntimeRecord> = {},
): RuntimeRecord {
  return {
    incarnation,
    name: incarnation,
    pool: 'default~main',
    address: `unix:/run/${incarnation}`,
    role: 'shared',
    revision: 'r1',
    protocolMin: 1,
    protocolMax: 1,
    maxConcurrentTasks: 100,
    agents: [
      { name: 'echo', description: 'Says it again' },
      { name: 'counter', description: '' },
    ],
    ready: true,
    draining: false,
    instances: NONE_IN_ANY_TIER,
    blanks: 0,
    ...more,
  };
}

export function taskRequest(more: Partial<TaskRequest> = {}): TaskRequest {
  return {
    pool: 'main',
    tenant: 'acme',
    project: 'site',
    agent: 'echo',
    conversationId: 'talk',
    requestId: 'r-1',
    priority: 'NORMAL',
    maxWaitMs: 0,
    timeoutMs: 0,
    retry: 'SAFE',
    onDisconnect: 'CANCEL',
    metadata: {},
    input: { arm: 'text', body: Buffer.from('hello') },
    leaseId: '',
    ...more,
  };
}
