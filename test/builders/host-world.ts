/** A runtime host in a world of fakes: a clock that stands still, the memory store, workers that the test plays. */
import {
  agentPoolSpecSchema,
  type AgentPoolSpec,
  type AgentPoolSpecInput,
} from '../../api/agent-pool.ts';
import type { TenantSecrets } from '../../agent-runtime/host/tenant-secrets.ts';
import { RuntimeHost } from '../../agent-runtime/host/runtime-host.ts';
import { silentLog } from '../../platform/log.ts';
import { createMetrics } from '../../platform/metrics/registry.ts';
import { MemoryStore } from '../../platform/store/memory-store.ts';
import { FakeClock, settle } from '../fakes/fake-clock.ts';
import { FlakyStore, type FlakyOptions } from '../fakes/flaky-store.ts';
import { FakeTask } from '../fakes/fake-task.ts';
import { FakeWorkers } from '../fakes/fake-worker.ts';
import type { TaskHeader } from '../../platform/link/frames.ts';

export const POOL = 'default~assistants';
export const PROJECT = `${POOL}~acme~one`;

export interface Moved {
  readonly project: string;
  readonly epoch: number;
  readonly to: { readonly incarnation: string; readonly address: string } | undefined;
}

export class HostWorld {
  readonly clock: FakeClock;
  /** What the store really has; the host may see it through something lossy. */
  readonly truth: MemoryStore;
  /** The host's way to the store. */
  readonly flaky: FlakyStore;
  /** What happens to the host's calls of the store; undefined: they work. */
  plan: FlakyOptions['plan'] = () => undefined;
  readonly workers = new FakeWorkers();
  readonly moved: Moved[] = [];
  readonly host: RuntimeHost;
  readonly peers = {
    answer: 'silent' as 'alive' | 'refused' | 'silent',
    released: false,
    asked: [] as string[],
  };
  draining = false;
  rssBytes = 0;
  secretsOf: TenantSecrets = () => ({});

  constructor(
    options: {
      readonly incarnation?: string;
      readonly role?: 'shared' | 'dedicated';
      readonly on?: { readonly clock: FakeClock; readonly truth: MemoryStore };
      readonly limitBytes?: number;
      readonly graceMs?: number;
    } = {},
  ) {
    const { incarnation = 'r1', role = 'shared', on } = options;
    this.clock = on?.clock ?? new FakeClock();
    this.truth = on?.truth ?? new MemoryStore(this.clock);
    this.flaky = new FlakyStore(this.truth, {
      clock: this.clock,
      plan: (method, args) => this.plan(method, args),
    });
    let ids = 0;
    this.host = new RuntimeHost(
      {
        clock: this.clock,
        random: { float: () => 0.5, id: () => `${incarnation}-${++ids}` },
        store: this.flaky.store,
        log: silentLog,
        metrics: createMetrics(false),
        startWorker: this.workers.start,
        hub: {
          moved: (project, epoch, to) => {
            this.moved.push({ project, epoch, to });
          },
          draining: () => {
            this.draining = true;
          },
          links: 1,
        },
        peers: {
          ping: async (address) => {
            this.peers.asked.push(`ping ${address}`);
            return this.peers.answer;
          },
          yieldProject: async (address, project) => {
            this.peers.asked.push(`yield ${address}`);
            if (this.peers.released) await this.#releaseAnyhow(project);
            return this.peers.released;
          },
        },
        tenantSecrets: (tenant) => this.secretsOf(tenant),
        processMemory: () => ({ rssBytes: this.rssBytes, limitBytes: options.limitBytes }),
      },
      {
        incarnation,
        name: incarnation,
        pool: POOL,
        address: `unix:/${incarnation}`,
        role,
        revision: 'rev1',
        modulePath: '/agents.mjs',
        graceMs: options.graceMs,
      },
    );
  }

  async open(spec: AgentPoolSpecInput = {}): Promise<this> {
    await this.publish(spec);
    await this.host.start();
    this.host.open();
    await settle();
    return this;
  }

  async publish(spec: AgentPoolSpecInput = {}, revision = 'rev1'): Promise<void> {
    const effective: AgentPoolSpec = agentPoolSpecSchema.parse(spec);
    await this.truth.putPool({
      key: POOL,
      generation: 1,
      spec: effective,
      status: undefined,
      revision,
    });
    await settle();
  }

  /** Sends a task and lets everything that needs no time happen. */
  async send(
    requestId: string,
    header: Partial<TaskHeader> = {},
    input = 'hello',
  ): Promise<FakeTask> {
    const task = new FakeTask(this.clock, { project: PROJECT, requestId, ...header }, input);
    this.host.task(task);
    await settle();
    return task;
  }

  async finish(
    requestId: string,
    ...rest: [] | [Parameters<FakeWorkers['finish']>[1]]
  ): Promise<void> {
    this.workers.finish(requestId, ...rest);
    await settle();
  }

  async #releaseAnyhow(key: string): Promise<void> {
    const record = await this.truth.readProject(key);
    if (record?.owner === undefined) return;
    const { incarnation, claimId } = record.owner;
    await this.truth.release({ key, incarnation, claimId, epoch: record.epoch, seq: record.seq });
  }
}
