/** The clients of a kill run: tasks for random projects, each sent again under its request_id until it succeeds; at the end what the server remembers is held against it. */
import { until } from '../e2e/until.ts';
import { SeededRandom } from '../simulation/seeded-random.ts';
import type { Client } from './client.ts';
import { contradictions, Ledger, type Remembered } from './ledger.ts';

export interface TaskLoadOptions {
  readonly seed: number;
  readonly projects: number;
  readonly tenants: number;
  readonly inFlight: number;
  /** So many of the first projects get a fifth of all requests. Default: none. */
  readonly favourites?: number;
  /** Names of pools with the agent of `COUNTER`; a project is always of the same one. */
  readonly pools: readonly string[];
}

/** Takes up to 20 ms, and counts. */
export const COUNTER = `export default {
  name: 'counter',
  async process(task, context) {
    await new Promise((resolve) => setTimeout(resolve, context.random() * 20));
    return { count: await context.state.update('count', (n = 0) => n + 1) };
  },
};
`;

const RESEND_MS = 100;
const SENDS_MAX = 2_000;
const TURNS_PER_PAGE = 500;
const REMEMBERED_WITHIN_MS = 60_000;

export class TaskLoad {
  readonly ledger = new Ledger();
  readonly #options: TaskLoadOptions;
  readonly #client: () => Client;
  readonly #probes = new Map<number, number>();
  #sequence = 0;

  constructor(options: TaskLoadOptions, client: () => Client) {
    this.#options = options;
    this.#client = client;
  }

  /** Resolves when it is over and every request that was begun has succeeded. */
  async run(isOver: () => boolean): Promise<void> {
    const { inFlight } = this.#options;
    await Promise.all(Array.from({ length: inFlight }, (_, index) => this.#load(index, isOver)));
  }

  /** Every way in which what the server remembers contradicts what it acknowledged. */
  async verify(): Promise<readonly string[]> {
    const wrong: string[] = [];
    for (const project of this.ledger.projects()) {
      const entries = this.ledger.entries(project);
      const remembered = await this.#remembered(Number(project), entries.length);
      wrong.push(...contradictions(project, entries, remembered));
    }
    return wrong;
  }

  async #load(index: number, isOver: () => boolean): Promise<void> {
    const random = new SeededRandom(this.#options.seed * 1_000 + index);
    while (!isOver()) {
      const project = random.between(0, this.#choice(random));
      await this.#request(project, `r-${String(this.#sequence++)}`);
    }
  }

  #choice(random: SeededRandom): number {
    const { favourites, projects } = this.#options;
    return favourites !== undefined && random.chance(1 / 5) ? favourites : projects;
  }

  #target(project: number): {
    readonly pool: string;
    readonly tenant: string;
    readonly project: string;
    readonly conversation_id: string;
  } {
    const { pools, tenants } = this.#options;
    return {
      pool: pools[project % pools.length] ?? '',
      tenant: `tenant-${String(project % tenants)}`,
      project: `project-${String(project)}`,
      conversation_id: 'main',
    };
  }

  async #request(project: number, requestId: string): Promise<void> {
    const target = this.#target(project);
    const startedMs = performance.now();
    const errors: string[] = [];
    for (let sends = 1; ; sends += 1) {
      try {
        const answer = await this.#client().execute({
          ...target,
          request_id: requestId,
          json_utf8: Buffer.from('{}'),
        });
        const { count } = JSON.parse(String(answer.json_utf8)) as { count: number };
        this.ledger.add({
          project: String(project),
          requestId,
          count,
          sends,
          startedMs,
          endedMs: performance.now(),
          errors,
        });
        return;
      } catch (error) {
        errors.push((error as Error).message);
        if (sends >= SENDS_MAX) throw new Error(`${requestId} never succeeded`, { cause: error });
        await new Promise((resolve) => setTimeout(resolve, RESEND_MS));
      }
    }
  }

  async #remembered(project: number, expected: number): Promise<Remembered> {
    const target = this.#target(project);
    const turnsByRequest = new Map<string, number>();
    let before = 0;
    do {
      const asked = { ...target, turns: TURNS_PER_PAGE, before };
      const { turns } = await until(
        'the conversation is told',
        () => this.#client().conversation(asked),
        REMEMBERED_WITHIN_MS,
      );
      for (const turn of turns.filter(({ role }) => role === 'assistant')) {
        turnsByRequest.set(turn.request_id, (turnsByRequest.get(turn.request_id) ?? 0) + 1);
      }
      before = turns.length < TURNS_PER_PAGE ? 0 : Number(turns[0]?.index ?? 0);
    } while (before > 0);
    // One more task shows the counter; its own increment is taken off.
    const probe = {
      ...target,
      conversation_id: 'verify',
      request_id: `verify-${String(expected)}-${String(this.#sequence++)}`,
      json_utf8: Buffer.from('{}'),
    };
    const answer = await until(
      'the probe is answered',
      () => this.#client().execute(probe),
      REMEMBERED_WITHIN_MS,
    );
    const { count } = JSON.parse(String(answer.json_utf8)) as { count: number };
    const probes = (this.#probes.get(project) ?? 0) + 1;
    this.#probes.set(project, probes);
    return { count: count - probes, turnsByRequest };
  }
}
