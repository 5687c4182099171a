/** Projects that keep working beside a hostile one: they send counting tasks one after the other and remember every error and every answer. */
import { call, execute, type Reply, type TaskAnswer } from './http-calls.ts';

export interface BystanderError {
  readonly project: string;
  readonly requestId: string;
  readonly status: number;
  readonly reason: string;
  readonly detail: string;
}

export interface Account {
  readonly counted: number;
  readonly answered: number;
  readonly failed: number;
}

interface Problem {
  readonly reason?: string;
  readonly detail?: string;
}

export class Bystanders {
  readonly #server: { readonly http: string };
  readonly #projects: readonly { readonly tenant: string; readonly project: string }[];
  readonly #counts = new Map<string, number>();
  readonly #errors: BystanderError[] = [];
  #isEnough = false;
  #running: Promise<unknown> = Promise.resolve();

  /** One project of each tenant named; `acme` twice makes two projects. */
  constructor(server: { readonly http: string }, tenants: readonly string[]) {
    this.#server = server;
    this.#projects = tenants.map((tenant, index) => ({ tenant, project: `bystander-${index}` }));
  }

  /** Returns when each has had its first answer. */
  async start(): Promise<void> {
    await Promise.all(this.#projects.map((project) => this.#send(project, 1)));
    this.#running = Promise.all(this.#projects.map((project) => this.#work(project)));
  }

  /** Answers so far of the project that has the fewest. */
  get fewest(): number {
    return Math.min(...this.#counts.values());
  }

  get errors(): readonly BystanderError[] {
    return this.#errors;
  }

  /** Nothing acknowledged is lost, nothing is done twice: for each project what its state has counted, and between what it must be. */
  async stop(): Promise<readonly Account[]> {
    this.#isEnough = true;
    await this.#running;
    return Promise.all(
      this.#projects.map(async (where) => {
        const { output } = await execute(this.#server, { ...where, agent: 'counter', input: null });
        const answered = this.#counts.get(where.project) ?? 0;
        // A task that ended in an error may have been committed: its caller was not told.
        const failed = this.#errors.filter(({ project }) => project === where.project).length;
        return { counted: (output as { count: number }).count - 1, answered, failed };
      }),
    );
  }

  async #work(project: { readonly tenant: string; readonly project: string }): Promise<void> {
    for (let n = 2; !this.#isEnough; n += 1) await this.#send(project, n);
  }

  async #send(
    where: { readonly tenant: string; readonly project: string },
    n: number,
  ): Promise<void> {
    const requestId = `${where.project}.${n}`;
    const { status, body } = await this.#answer(where, requestId);
    if (status !== 200) {
      const { reason = '', detail = '' } = body as Problem;
      this.#errors.push({ project: where.project, requestId, status, reason, detail });
      return;
    }
    this.#counts.set(where.project, (this.#counts.get(where.project) ?? 0) + 1);
  }

  async #answer(where: object, requestId: string): Promise<Reply<TaskAnswer | Problem>> {
    try {
      return await call<TaskAnswer>(this.#server, '/api/v1/execute', {
        body: { ...where, agent: 'counter', input: null, request_id: requestId },
      });
    } catch (error) {
      return { status: 0, body: { reason: 'no answer', detail: String(error) } };
    }
  }
}
