/** P8: how soon an idle project is served by a pod of its own once its tier is set to HOT, and what callers notice of it. */
import { InstalledPool, sleep } from '../cluster/installed-pool.ts';
import { cells, figuresOf, percentile } from '../measure/figures.ts';
import { quiet } from '../measure/quiet.ts';
import { atMost, type BenchProgram, type Size } from '../program.ts';

const ASK_EVERY_MS = 3;
const GIVE_UP_MS = 30_000;
const LOAD_EVERY_MS = 50;
const SIZES: Readonly<Record<Size, { readonly single: number; readonly burst: number }>> = {
  full: { single: 10, burst: 20 },
  smoke: { single: 1, burst: 2 },
};

export const promotion: BenchProgram = {
  name: 'promotion',
  id: 'P8',
  about:
    'on a two-node cluster with ready standbys (KUBECONFIG of `npm run cluster:up -- --name bench`): from the call that sets the tier of an idle project to its first answer from its own pod; callers go on meanwhile',
  async run(size) {
    const { single, burst } = SIZES[size];
    const standby = Math.max(burst, 2);
    const spec = specOf(standby, single + burst);
    const pool = await InstalledPool.create(spec);
    const load = new Load(pool);
    try {
      await pool.untilReady('shared', 1);
      await load.untilAnswered();
      const ones = await quiet.run(async () => {
        const times: number[] = [];
        for (let index = 0; index < single; index += 1) {
          await pool.untilReady('dedicated', 1);
          times.push(await promote(pool, `one-${index}`, load));
        }
        return times;
      });
      await pool.untilReady('dedicated', burst);
      const together = await quiet.run(() =>
        Promise.all(
          Array.from({ length: burst }, (_, index) => promote(pool, `burst-${index}`, load)),
        ),
      );
      await load.stop();
      const p90 = percentile(Float64Array.from(together).sort(), 0.9);
      const row = (what: string, times: readonly number[]) => ({
        what,
        ...cells(figuresOf(times)),
      });
      return {
        manifests: [`${JSON.stringify(spec, undefined, 2)}\n`],
        rows: [
          row('one at a time', ones),
          row(`burst of ${burst}`, together),
          row('tasks meanwhile', load.latenciesMs),
        ],
        goals: [
          atMost('one: median', figuresOf(ones).p50Ms, 25, 'ms'),
          atMost(`burst of ${burst}: p90`, p90, 250, 'ms'),
          atMost('failed tasks', load.failures.length, 0, `of ${load.latenciesMs.length}`),
        ],
        notes: [
          `${String(ASK_EVERY_MS)} ms between two looks; a look is a task, so its own time is in the figure`,
        ],
        data: { ones, together, failures: load.failures, latenciesMs: load.latenciesMs },
      };
    } finally {
      await load.stop();
      await pool.remove();
    }
  },
};

function specOf(standby: number, hot: number): object {
  const resources = { requests: { cpu: '10m', memory: '64Mi' }, limits: { memory: '1Gi' } };
  const quota = { memoryMb: 128, maxConcurrentRequests: 50, requestsPerMinute: 100_000 };
  return {
    replicas: 1,
    runtime: { moduleFrom: InstalledPool.MODULE, resources },
    tiers: {
      default: 'WARM',
      hot: { standby, maxInstances: hot + standby, quota },
      warm: { quota },
    },
    deletionPolicy: 'Delete',
  };
}

/** Idle: it has been served once, and nothing runs. Asks again and again until its own pod answers. */
async function promote(pool: InstalledPool, project: string, load: Load): Promise<number> {
  await pool.execute(project);
  const startedMs = performance.now();
  await pool.setTier(project, 'HOT');
  for (;;) {
    const { tier, elapsedMs } = await pool.execute(project);
    load.latenciesMs.push(elapsedMs);
    const nowMs = performance.now();
    if (tier === 'HOT') return nowMs - startedMs;
    if (nowMs - startedMs > GIVE_UP_MS) throw new Error(`${project} has not become HOT`);
    await sleep(ASK_EVERY_MS);
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
