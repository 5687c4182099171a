/**
 * The kill run: real processes, many projects, faults from a seed; at the end every acknowledged request must be exactly one turn
 * and every counter must equal its turns, also after a cold start from the data folder. Used by the test and by hand:
 * `node test/kill/kill-run.ts --seed 7 --projects 1000 --faults 200 --acks 20000`.
 */
import { readProcess } from '../e2e/process-family.ts';
import { type Server, startStandalone } from '../e2e/server.ts';
import { createWorkspace, type Workspace } from '../e2e/workspace.ts';
import { Client } from './client.ts';
import { type Fault, planFaults } from './plan.ts';
import type { Window } from './ledger.ts';
import { COUNTER, TaskLoad } from './task-load.ts';

export interface KillRunOptions {
  readonly seed: number;
  readonly projects: number;
  readonly tenants: number;
  readonly inFlight: number;
  readonly faults: number;
  readonly acks: number;
  readonly gapMsMin: number;
  readonly gapMsMax: number;
  log(line: string): void;
}

export interface KillRunReport {
  readonly acknowledged: number;
  readonly faults: number;
  readonly contradictions: readonly string[];
  readonly contradictionsAfterColdStart: readonly string[];
  readonly outsideWindows: number;
  readonly firstSendShare: number;
  readonly errorsOutside: ReadonlyMap<string, number>;
  readonly residentMb: readonly number[];
  readonly seconds: number;
}

/** Recovery as P10 states it with two ready runtimes, and with one (which the loss of the parent counts as). */
const RECOVERY_MS = { runtimeKilled: 1_000, runtimeFrozen: 4_000, parent: 10_000 };
const POOLS = ['threads', 'shared'] as const;

const manifest = (name: string, isolation: string): string => `apiVersion: agentpool.dev/v1alpha1
kind: AgentPool
metadata: {name: ${name}}
spec:
  runtime: {agentModule: ./agents.ts, isolation: ${isolation}}
  replicas: 2
  maxInstances: 1000
  tiers:
    hot: {quota: {memoryMb: 128, maxConcurrentRequests: 50, requestsPerMinute: 100000}}
    warm: {maxInstancesPerReplica: ${isolation === 'Shared' ? '500' : '30'}, quota: {memoryMb: 128, maxConcurrentRequests: 50, requestsPerMinute: 100000}}
    cold: {quota: {memoryMb: 128, maxConcurrentRequests: 50, requestsPerMinute: 100000}}
`;

export async function killRun(options: KillRunOptions): Promise<KillRunReport> {
  const run = new KillRun(options, createWorkspace());
  try {
    return await run.run();
  } finally {
    await run.end();
  }
}

class KillRun {
  readonly #options: KillRunOptions;
  readonly #workspace: Workspace;
  readonly #load: TaskLoad;
  readonly #windows: Window[] = [];
  readonly #residentMb: number[] = [];
  #server: Server | undefined;
  #client: Client | undefined;
  #ports: readonly string[] = [];
  #faultsDone = 0;
  #timers = new Set<Promise<void>>();
  readonly #startedMs = performance.now();

  constructor(options: KillRunOptions, workspace: Workspace) {
    this.#options = options;
    this.#workspace = workspace;
    workspace.write('threads.yaml', manifest('threads', 'WorkerThread'));
    workspace.write('shared.yaml', manifest('shared', 'Shared'));
    workspace.write('agents.ts', COUNTER);
    const client = (): Client => {
      if (this.#client === undefined) throw new Error('the server has not been started');
      return this.#client;
    };
    this.#load = new TaskLoad({ ...options, pools: POOLS }, client);
  }

  async run(): Promise<KillRunReport> {
    await this.#start();
    const faults = this.#injectFaults();
    await Promise.all([faults, this.#load.run(() => this.#isOver())]);
    await Promise.all(this.#timers);
    const warm = await this.#load.verify();
    await this.#server?.stop();
    await this.#start();
    const cold = await this.#load.verify();
    const { outside, share, errors } = this.#load.ledger.firstSendShare(this.#windows);
    return {
      acknowledged: this.#load.ledger.total,
      faults: this.#faultsDone,
      contradictions: warm,
      contradictionsAfterColdStart: cold,
      outsideWindows: outside,
      firstSendShare: share,
      errorsOutside: errors,
      residentMb: this.#residentMb,
      seconds: Math.round((performance.now() - this.#startedMs) / 1000),
    };
  }

  async end(): Promise<void> {
    this.#client?.close();
    await this.#server?.destroy();
    this.#workspace.remove();
  }

  async #start(): Promise<void> {
    const manifests = POOLS.map((name) => this.#workspace.path(`${name}.yaml`));
    this.#server = await startStandalone(
      { manifests, data: this.#workspace.data },
      { args: this.#ports, cwd: this.#workspace.folder },
    );
    const port = (address: string): string => address.slice(address.lastIndexOf(':') + 1);
    this.#ports = ['--http', port(this.#server.http), '--grpc', port(this.#server.grpc)];
    this.#client ??= new Client(this.#server.grpc);
  }

  #isOver(): boolean {
    return (
      this.#faultsDone >= this.#options.faults && this.#load.ledger.total >= this.#options.acks
    );
  }

  async #injectFaults(): Promise<void> {
    const beganMs = performance.now();
    for (const fault of planFaults(this.#options)) {
      const waitMs = beganMs + fault.atMs - performance.now();
      if (waitMs > 0) await new Promise((resolve) => setTimeout(resolve, waitMs));
      await this.#strike(fault);
      this.#faultsDone += 1;
      this.#residentMb.push(
        Math.round((readProcess(this.#server?.pid ?? 0)?.residentBytes ?? 0) / 2 ** 20),
      );
      if (this.#faultsDone % 10 === 0)
        this.#options.log(
          `${String(this.#faultsDone)} faults, ${String(this.#load.ledger.total)} acknowledged, parent ${String(this.#residentMb.at(-1))} MB`,
        );
    }
  }

  async #strike(fault: Fault): Promise<void> {
    const atMs = performance.now();
    if (fault.target === 'parent') {
      await this.#strikeParent(fault);
      this.#windows.push({ fromMs: atMs, untilMs: performance.now() + RECOVERY_MS.parent });
      return;
    }
    const runtimes = this.#server?.children() ?? [];
    const pid = runtimes[Math.floor(fault.share * runtimes.length)]?.pid;
    if (pid === undefined) return;
    if (fault.how.type === 'kill') {
      send(pid, 'SIGKILL');
      this.#windows.push({ fromMs: atMs, untilMs: atMs + RECOVERY_MS.runtimeKilled });
      return;
    }
    send(pid, 'SIGSTOP');
    this.#windows.push({ fromMs: atMs, untilMs: atMs + RECOVERY_MS.runtimeFrozen });
    this.#after(fault.how.forMs, () => {
      send(pid, 'SIGCONT');
    });
  }

  async #strikeParent(fault: Fault): Promise<void> {
    const server = this.#server;
    if (fault.how.type === 'freeze') {
      server?.signal('SIGSTOP');
      await new Promise((resolve) =>
        setTimeout(resolve, fault.how.type === 'freeze' ? fault.how.forMs : 0),
      );
      server?.signal('SIGCONT');
      return;
    }
    await server?.kill();
    await this.#start();
  }

  #after(delayMs: number, fn: () => void): void {
    const timer = new Promise<void>((resolve) => {
      setTimeout(() => {
        fn();
        resolve();
      }, delayMs);
    });
    this.#timers.add(timer);
    void timer.then(() => this.#timers.delete(timer));
  }
}

/** A process that ended meanwhile is no fault of the run. */
function send(pid: number, name: NodeJS.Signals): void {
  try {
    process.kill(pid, name);
  } catch {
    // Gone: replaced by the operator since it was listed.
  }
}
