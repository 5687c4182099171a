/** P8: how soon an idle project is served by a pod of its own once its tier is set to HOT, and what callers notice of it. */
import { InstalledPool, sleep } from '../cluster/installed-pool.ts';
import { cells, figuresOf, percentile } from '../measure/figures.ts';
import { atMost, type BenchProgram, type Goal, type Size } from '../program.ts';

const ASK_EVERY_MS = 3;
/** Of a crowd: each asking is a task, and many that ask all the time take the cores that they wait for. */
const CROWD_ASKS_EVERY_MS = 25;
const GIVE_UP_MS = 60_000;
const LOAD_EVERY_MS = 50;
/** What is left of the phase before (pods that end, probes, events) has settled. */
const SETTLE_MS = 5_000;
const SIZES: Readonly<
  Record<Size, { readonly single: number; readonly bursts: readonly number[] }>
> = {
  full: { single: 10, bursts: [20, 40] },
  smoke: { single: 1, bursts: [2] },
};

export const promotion: BenchProgram = {
  name: 'promotion',
  id: 'P8',
  about:
    'on a two-node cluster with ready standbys (KUBECONFIG of `npm run cluster:up -- --name bench`): from the call that sets the tier of an idle project to its first answer from its own pod; callers of other projects go on meanwhile',
  async run(size) {
    const { single, bursts } = SIZES[size];
    const standby = Math.max(...bursts);
    const spec = specOf(standby);
    const pool = await InstalledPool.create(spec);
    const load = new Load(pool);
    try {
      await pool.untilReady('shared', 1);
      await load.untilAnswered();
      const phases: Phase[] = [];
      for (const count of [1, ...bursts])
        phases.push(await measure(pool, { standby, count, times: count === 1 ? single : 1, load }));
      await load.stop();
      return {
        manifests: [`${JSON.stringify(spec, undefined, 2)}\n`],
        rows: phases.flatMap(({ what, times, others }) => [
          { what, ...cells(figuresOf(times)) },
          { what: 'tasks of others meanwhile', ...cells(figuresOf(others)) },
        ]),
        goals: [
          ...phases.map(goalOf),
          atMost('failed tasks', load.failures.length, 0, `of ${load.latenciesMs.length}`),
        ],
        notes: [
          `the store tells when a runtime that is bound is ready; from then on the project is asked for every ${ASK_EVERY_MS} ms, in a burst every ${CROWD_ASKS_EVERY_MS}: the time of the task that its own pod answers first is in the figure`,
        ],
        data: { phases, failures: load.failures, latenciesMs: load.latenciesMs },
      };
    } finally {
      await load.stop();
      await pool.remove();
    }
  },
};

interface Phase {
  readonly what: string;
  readonly count: number;
  readonly times: readonly number[];
  /** Latencies of the callers of other projects. */
  readonly others: readonly number[];
}

interface Plan {
  readonly standby: number;
  /** At once. */
  readonly count: number;
  /** One after the other. */
  readonly times: number;
  readonly load: Load;
}

/** All standbys are ready before, and what was promoted has its place among the others after. */
async function measure(pool: InstalledPool, { standby, count, times, load }: Plan): Promise<Phase> {
  const all: number[] = [];
  const others: number[] = [];
  for (let time = 0; time < times; time += 1) {
    await pool.untilReady('dedicated', standby);
    await sleep(SETTLE_MS);
    const projects = Array.from({ length: count }, (_, index) => `p-${count}-${time}-${index}`);
    for (const project of projects) await pool.execute(project);
    const before = load.latenciesMs.length;
    const askEveryMs = count === 1 ? ASK_EVERY_MS : CROWD_ASKS_EVERY_MS;
    all.push(...(await Promise.all(projects.map((one) => promote(pool, one, askEveryMs)))));
    others.push(...load.latenciesMs.slice(before));
    for (const project of projects) await pool.setTier(project, 'WARM');
  }
  return { what: count === 1 ? 'one at a time' : `burst of ${count}`, count, times: all, others };
}

function goalOf({ what, count, times }: Phase): Goal {
  const sorted = Float64Array.from(times).sort();
  return count === 1
    ? atMost(`${what}: median`, percentile(sorted, 0.5), 25, 'ms')
    : atMost(`${what}: p90`, percentile(sorted, 0.9), 250, 'ms');
}

function specOf(standby: number): object {
  const resources = { requests: { cpu: '10m', memory: '64Mi' }, limits: { memory: '1Gi' } };
  const quota = { memoryMb: 128, maxConcurrentRequests: 50, requestsPerMinute: 100_000 };
  return {
    replicas: 1,
    runtime: { moduleFrom: InstalledPool.MODULE, resources },
    tiers: {
      default: 'WARM',
      hot: { standby, maxInstances: 2 * standby, quota },
      warm: { quota },
    },
    deletionPolicy: 'Delete',
  };
}

/** Of a project that has been served once, and that nobody asks for until its pod can serve. */
async function promote(pool: InstalledPool, project: string, askEveryMs: number): Promise<number> {
  const startedMs = performance.now();
  await pool.setTier(project, 'HOT');
  await pool.untilBound(project);
  for (;;) {
    const { tier } = await pool.execute(project);
    const tookMs = performance.now() - startedMs;
    if (tier === 'HOT') return tookMs;
    if (tookMs > GIVE_UP_MS) throw new Error(`${project} has not become HOT`);
    await sleep(askEveryMs);
  }
}

/** A few callers of other projects, all the time. */
class Load {
  readonly latenciesMs: number[] = [];
  readonly failures: string[] = [];
  readonly #running: Promise<unknown>;
  readonly #pool: InstalledPool;
  #isEnough = false;

  constructor(pool: InstalledPool) {
    this.#pool = pool;
    this.#running = Promise.all(['a', 'b'].map((name) => this.#ask(`load-${name}`)));
  }

  /** What fails before is the start. */
  async untilAnswered(): Promise<void> {
    while (this.latenciesMs.length === 0) await sleep(LOAD_EVERY_MS);
    this.failures.length = 0;
    this.latenciesMs.length = 0;
  }

  async stop(): Promise<void> {
    this.#isEnough = true;
    await this.#running;
  }

  async #ask(project: string): Promise<void> {
    while (!this.#isEnough) {
      try {
        this.latenciesMs.push((await this.#pool.execute(project)).elapsedMs);
      } catch (error) {
        this.failures.push(String(error));
      }
      await sleep(LOAD_EVERY_MS);
    }
  }
}
