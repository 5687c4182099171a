/** Steady traffic on many projects: each sends its next task when the last is acknowledged, resends under the same request_id until it is. */
import type { PoolClient } from './pool-client.ts';

export interface TrafficJob {
  readonly address: string;
  readonly tenant: string;
  readonly agent: string;
  readonly projects: readonly string[];
  /** Between an answer and the next task of the project. */
  readonly pauseMs: number;
}

export interface Acknowledged {
  readonly project: string;
  /** Wall-clock ms. */
  readonly atMs: number;
  /** What the agent answered: its count after the task, and the process that it ran in. */
  readonly count: number;
  readonly pid: number;
}

export interface TrafficResult {
  readonly acknowledged: readonly Acknowledged[];
  /** Sends that ended in an error, by its text. */
  readonly failures: Readonly<Record<string, number>>;
}

const RESEND_AFTER_MS = 20;
const SEND_FOR_MS = 60_000;

export class Traffic {
  readonly #client: PoolClient;
  readonly #job: TrafficJob;
  readonly #acknowledged: Acknowledged[] = [];
  readonly #failures: Record<string, number> = {};
  readonly #loops: Promise<unknown>;
  #isStopping = false;

  constructor(client: PoolClient, job: TrafficJob) {
    this.#client = client;
    this.#job = job;
    this.#loops = Promise.all(job.projects.map((project) => this.#loop(project)));
  }

  /** Every task that was sent is acknowledged first. */
  async stop(): Promise<TrafficResult> {
    this.#isStopping = true;
    await this.#loops;
    return { acknowledged: this.#acknowledged, failures: this.#failures };
  }

  async #loop(project: string): Promise<void> {
    await sleep(Math.random() * this.#job.pauseMs);
    for (let task = 1; !this.#isStopping; task += 1) {
      await this.#untilAcknowledged(project, `t-${task}`);
      await sleep(this.#job.pauseMs);
    }
  }

  async #untilAcknowledged(project: string, requestId: string): Promise<void> {
    const { agent, tenant } = this.#job;
    const endMs = performance.now() + SEND_FOR_MS;
    for (;;) {
      try {
        const answer = await this.#client.execute({
          tenant,
          project,
          agent,
          conversation_id: 'c',
          request_id: requestId,
          json_utf8: Buffer.from('null'),
        });
        const { count, pid } = JSON.parse(answer.json_utf8?.toString() ?? '{}') as {
          count: number;
          pid: number;
        };
        this.#acknowledged.push({ project, atMs: wallMs(), count, pid });
        return;
      } catch (error) {
        const text = error instanceof Error ? error.message : String(error);
        this.#failures[text] = (this.#failures[text] ?? 0) + 1;
        if (performance.now() > endMs) throw error;
        await sleep(RESEND_AFTER_MS);
      }
    }
  }
}

/** Comparable between processes of one machine. */
export function wallMs(): number {
  return performance.timeOrigin + performance.now();
}

function sleep(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
