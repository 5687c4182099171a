/** Callers over HTTP who send each task again under its request_id until it succeeds; each refusal is kept, and each project's counter must equal its answers. */
import { until } from '../../e2e/until.ts';
import type { Installation } from './installation.ts';
import type { TestPool } from './test-pool.ts';

const ATTEMPT_MS = 8_000;
const PAUSE_MS = 100;
const SENDS_MAX = 600;

export interface Outcome {
  /** One line for each attempt that failed. */
  readonly failures: readonly string[];
  readonly answered: Readonly<Record<string, number>>;
  readonly counted: Readonly<Record<string, number>>;
}

export class TaskCalls {
  readonly failures: string[] = [];
  readonly #target: string;
  readonly #token: string;
  readonly #pool: string;
  readonly #answered: Record<string, number> = {};
  readonly #counted: Record<string, number> = {};
  readonly #running: Promise<unknown>;
  #isEnough = false;

  /** One caller for each project, who asks ten times a second at most. */
  constructor({ url, token }: Installation, pool: TestPool, projects = 4) {
    this.#target = `${url}/api/v1/execute`;
    this.#token = token;
    this.#pool = pool.path;
    const names = Array.from({ length: projects }, (_, index) => `${index}-${crypto.randomUUID()}`);
    this.#running = Promise.all(names.map((project) => this.#call(project)));
    this.#running.catch(() => undefined);
  }

  get total(): number {
    return Object.values(this.#answered).reduce((sum, count) => sum + count, 0);
  }

  /** So many more answers from now on, in each project. */
  async untilAnswers(more: number, withinMs = 60_000): Promise<void> {
    const before = { ...this.#answered };
    const hasMore = (project: string): boolean =>
      (this.#answered[project] ?? 0) >= (before[project] ?? 0) + more;
    const what = `${more} more answers in each project; failed: ${this.failures.slice(-3).join(' | ')}`;
    await until(what, () => Object.keys(this.#answered).every(hasMore), withinMs);
  }

  /** Rejects when a task was given up. */
  async stop(): Promise<Outcome> {
    this.#isEnough = true;
    await this.#running;
    return { failures: this.failures, answered: this.#answered, counted: this.#counted };
  }

  async #call(project: string): Promise<void> {
    this.#answered[project] = 0;
    while (!this.#isEnough) {
      const count = await this.#task(project, crypto.randomUUID());
      this.#answered[project] += 1;
      this.#counted[project] = Math.max(this.#counted[project] ?? 0, count);
      await pause();
    }
  }

  async #task(project: string, requestId: string): Promise<number> {
    for (let sends = 1; ; sends += 1) {
      try {
        return await this.#send(project, requestId);
      } catch (error) {
        const at = new Date().toISOString().slice(11, 23);
        this.failures.push(`${at} ${project.slice(0, 3)} ${(error as Error).message}`);
        if (sends === SENDS_MAX) throw error;
        await pause();
      }
    }
  }

  async #send(project: string, requestId: string): Promise<number> {
    const response = await fetch(this.#target, {
      method: 'POST',
      headers: { 'content-type': 'application/json', authorization: `Bearer ${this.#token}` },
      body: JSON.stringify({
        ...{ pool: this.#pool, tenant: 'acme', project },
        ...{ agent: 'counter', input: null, request_id: requestId },
      }),
      signal: AbortSignal.timeout(ATTEMPT_MS),
    });
    const text = await response.text();
    if (response.status !== 200) throw new Error(`${response.status} ${text}`);
    const { output } = JSON.parse(text) as { readonly output: { readonly count: number } };
    return output.count;
  }
}

/** Between two tasks of a caller; nothing waits for it. */
function pause(): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, PAUSE_MS));
}
