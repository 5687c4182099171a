/**
 * Looks at every busy worker once a second, at idle ones less often: who uses more memory than its quota is ended, who answers nothing and has no task whose
 * deadline would end it is ended too. Says whether the process runs short of memory.
 */
import { heapClassMb } from '../../core/heap-class.ts';
import type { Clock, Timer } from '../../platform/clock.ts';
import type { Log } from '../../platform/log.ts';
import type { Project } from './project.ts';
import type { WorkerHandle } from './worker-handle.ts';

const INTERVAL_MS = 1_000;
/** A worker without a task is asked less often: many of them idle must cost next to nothing. */
const IDLE_INTERVAL_MS = 5_000;
/** A worker that owes an answer for so long, without any task, is of no use to the next one. */
const SILENT_MS_MAX = 10_000;
/** Share of the process's limit from which on the idlest instances go. */
const MEMORY_SHORT_SHARE = 0.9;
const BYTES_PER_MIB = 1_048_576;

export interface ProcessMemory {
  readonly rssBytes: number;
  /** Undefined: the process has no limit of its own. */
  readonly limitBytes: number | undefined;
}

export interface WatchdogPorts {
  readonly clock: Clock;
  readonly log: Log;
  processMemory(): ProcessMemory;
  workers(): Iterable<WorkerHandle>;
  projects(): readonly Project[];
  /** Isolation Shared has no heap quota. */
  hasHeapQuota(): boolean;
  /** Called each time, after the workers were seen to. */
  looked(memory: { readonly short: boolean }): void;
}

export class Watchdog {
  readonly #ports: WatchdogPorts;
  #timer: Timer | undefined;

  constructor(ports: WatchdogPorts) {
    this.#ports = ports;
  }

  start(): void {
    this.#timer = this.#ports.clock.after(INTERVAL_MS, () => {
      this.start();
      this.look();
    });
  }

  stop(): void {
    this.#timer?.cancel();
  }

  look(): void {
    for (const worker of this.#ports.workers()) this.#see(worker);
    if (this.#ports.hasHeapQuota())
      for (const project of this.#ports.projects()) this.#weigh(project);
    const { rssBytes, limitBytes } = this.#ports.processMemory();
    this.#ports.looked({
      short: limitBytes !== undefined && rssBytes > limitBytes * MEMORY_SHORT_SHARE,
    });
  }

  #see(worker: WorkerHandle): void {
    if (!worker.isReady) return;
    if (worker.silentMs > SILENT_MS_MAX && !worker.busy) {
      this.#ports.log.warn('worker ended: it answers nothing');
      worker.terminate({ type: 'exited', message: 'it did not answer although it had no task' });
      return;
    }
    const { use } = worker;
    const isRecent = use !== undefined && this.#ports.clock.nowMs() - use.atMs < IDLE_INTERVAL_MS;
    if (worker.busy || !isRecent) worker.probe();
  }

  #weigh({ instance }: Project): void {
    const worker = instance?.session?.worker;
    if (instance === undefined || worker?.use === undefined) return;
    // Rounded up like the heap of its worker: garbage that is not collected yet counts as used.
    const memoryMb = heapClassMb(instance.quota.memoryMb);
    if (worker.use.memoryBytes <= memoryMb * BYTES_PER_MIB) return;
    const usedMb = Math.round(worker.use.memoryBytes / BYTES_PER_MIB);
    this.#ports.log.warn('worker ended: over its memory quota', {
      instance_id: instance.key,
      detail: { usedMb, memoryMb },
    });
    worker.terminate({ type: 'memory', message: `${usedMb} MiB used of ${memoryMb} MiB` });
  }
}
