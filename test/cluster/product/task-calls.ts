/** Callers over HTTP who send each task again under its request_id until it succeeds; each refusal is kept, and each project's counter must equal its answers. */
import { until } from '../../e2e/until.ts';
import type { Installation } from './installation.ts';
import type { SecurePoster } from './secure-post.ts';
import type { TestPool } from './test-pool.ts';

/** One attempt may take so long. */
export const ATTEMPT_MS = 8_000;
const PAUSE_MS = 100;
const SENDS_MAX = 600;

type Post = SecurePoster['post'];

export interface CallOptions {
  /** Default: four new ones. */
  readonly projects?: readonly string[];
  /** Default: plain HTTP to the installation's address. */
  readonly post?: Post;
}

export interface Outcome {
  /** One line for each attempt that failed. */
  readonly failures: readonly string[];
  readonly answered: Readonly<Record<string, number>>;
  readonly counted: Readonly<Record<string, number>>;
}

export class TaskCalls {
  readonly failures: string[] = [];
  readonly #post: Post;
  readonly #token: string;
  readonly #pool: string;
  readonly #answered: Record<string, number> = {};
  readonly #counted: Record<string, number> = {};
  readonly #running: Promise<unknown>;
  #isEnough = false;
  #givenUp: Error | undefined;

  /** One caller for each project, who asks ten times a second at most. */
  constructor(
    { url, token }: Pick<Installation, 'url' | 'token'>,
    pool: Pick<TestPool, 'path'>,
    { projects = newProjects(4), post = plainPost(url) }: CallOptions = {},
  ) {
    this.#post = post;
    this.#token = token;
    this.#pool = pool.path;
    this.#running = Promise.all(projects.map((project) => this.#call(project)));
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
    const haveAll = (): true => {
      if (Object.keys(this.#answered).every(hasMore)) return true;
      throw new Error(`failed: ${this.failures.slice(-3).join(' | ')}`);
    };
    try {
      await until(`${more} more answers in each project`, haveAll, withinMs);
    } catch (error) {
      this.#givenUp = error as Error;
      throw error;
    }
  }

  /** Rejects when a task was given up, or answers were waited for in vain. */
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
        if (this.#givenUp !== undefined) throw this.#givenUp;
        if (sends === SENDS_MAX) throw error;
        await pause();
      }
    }
  }

  async #send(project: string, requestId: string): Promise<number> {
    const { status, text } = await this.#post(
      '/api/v1/execute',
      { 'content-type': 'application/json', authorization: `Bearer ${this.#token}` },
      JSON.stringify({
        ...{ pool: this.#pool, tenant: 'acme', project },
        ...{ agent: 'counter', input: null, request_id: requestId },
      }),
    );
    if (status !== 200) throw new Error(`${status} ${text}`);
    const { output } = JSON.parse(text) as { readonly output: { readonly count: number } };
    return output.count;
  }
}

const newProjects = (length: number): readonly string[] =>
  Array.from({ length }, (_, index) => `${index}-${crypto.randomUUID()}`);

function plainPost(url: string): Post {
  return async (path, headers, body) => {
    const signal = AbortSignal.timeout(ATTEMPT_MS);
    const response = await fetch(`${url}${path}`, { method: 'POST', headers, body, signal });
    return { status: response.status, text: await response.text() };
  };
}

/** Between two tasks of a caller; nothing waits for it. */
function pause(): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, PAUSE_MS));
}
