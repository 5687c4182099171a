/** Projects that ask without a pause over gRPC: every refusal is kept, and at the end each project's counter must equal its answers. */
import { GrpcClient } from './grpc-calls.ts';

const FAILURES_MAX = 20;

export interface LoadedProject {
  readonly project: string;
  /** In the order of the answers. */
  readonly tiers: string[];
  count: number;
}

interface CountAnswer {
  readonly tier: string;
  readonly json_utf8: Buffer;
}

export class SteadyLoad {
  readonly #client: GrpcClient;
  readonly #projects: readonly LoadedProject[];
  readonly #request: Readonly<Record<string, unknown>>;
  readonly #running: Promise<unknown>;
  readonly failures: string[] = [];
  #isEnough = false;

  /** Each project has `lanes` callers, who each have one task in flight: of the agent `counter`, unless the request says otherwise. */
  constructor(
    server: { readonly grpc: string },
    options: {
      readonly projects: readonly string[];
      readonly lanes: number;
      readonly request?: Readonly<Record<string, unknown>>;
    },
  ) {
    this.#client = new GrpcClient(server.grpc);
    this.#request = options.request ?? {};
    this.#projects = options.projects.map((project) => ({ project, tiers: [], count: 0 }));
    this.#running = Promise.all(
      this.#projects.flatMap((one) => Array.from({ length: options.lanes }, () => this.#work(one))),
    );
  }

  /** Answers of the project so far. */
  of(project: string): LoadedProject {
    const found = this.#projects.find((one) => one.project === project);
    if (found === undefined) throw new Error(`${project} has no load`);
    return found;
  }

  /** The tier of its latest answer. */
  tierOf(project: string): string | undefined {
    return this.of(project).tiers.at(-1);
  }

  /** Ends the load: what failed, and each project's answers beside what its state has counted. */
  async stop(): Promise<{
    readonly failures: readonly string[];
    readonly answered: Readonly<Record<string, number>>;
    readonly counted: Readonly<Record<string, number>>;
  }> {
    this.#isEnough = true;
    await this.#running;
    this.#client.close();
    const by = (value: (one: LoadedProject) => number): Record<string, number> =>
      Object.fromEntries(this.#projects.map((one) => [one.project, value(one)]));
    return {
      failures: this.failures,
      answered: by(({ tiers }) => tiers.length),
      counted: by(({ count }) => count),
    };
  }

  async #work(one: LoadedProject): Promise<void> {
    // A test that failed does not stop it; a server that is gone does.
    while (!this.#isEnough && this.failures.length < FAILURES_MAX) {
      try {
        const answer = (await this.#client.unary('Execute', {
          tenant: 'acme',
          project: one.project,
          agent: 'counter',
          json_utf8: Buffer.from('null'),
          ...this.#request,
          // grpc-js gives messages as plain objects
        })) as Partial<CountAnswer>;
        const { count } = JSON.parse(String(answer.json_utf8)) as { count: number };
        one.tiers.push(String(answer.tier).replace('TIER_', ''));
        one.count = Math.max(one.count, count);
      } catch (error) {
        const { code = '', reason = '' } = error as { code?: string; reason?: string };
        this.failures.push(`${one.project}: ${code} ${reason} ${(error as Error).message}`);
      }
    }
  }
}
