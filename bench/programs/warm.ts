/** P3: how long the first task of a hibernated project takes, while blanks are left, beside a task on a live instance. */
import { BenchClient } from '../client/bench-client.ts';
import { warmUp } from '../client/warm-up.ts';
import { cells, figuresOf } from '../measure/figures.ts';
import { quiet } from '../measure/quiet.ts';
import { atMost, type BenchProgram } from '../program.ts';
import { benchManifest, projectNames } from '../served/bench-agents.ts';
import { ServedPool } from '../served/served-pool.ts';

/** Five a second: a blank takes about 40 ms of one core, so this machine refills more than 20 a second. */
const EVERY_MS = 200;
const MANIFEST = benchManifest({ warm: 'blankWorkers: 2\nidleSeconds: 1' });

export const warm: BenchProgram = {
  name: 'warm',
  id: 'P3',
  about: `the first task of a hibernated WARM project (empty initialize, state in the store), ${1000 / EVERY_MS} arrivals a second, below the rate at which blank workers are refilled; 100 ms later a task on the same, now live instance`,
  async run(size) {
    const [rounds, count] = size === 'full' ? [6, 30] : [1, 3];
    const projects = projectNames(count);
    const served = await ServedPool.start(MANIFEST);
    const client = new BenchClient();
    const first: number[] = [];
    const again: number[] = [];
    const activateMs: number[] = [];
    try {
      await warmUp(client, served.grpc, size);
      const job = { address: served.grpc, agent: 'counter', input: null, projects };
      for (let done = 0; done < rounds / 2; done += 1) {
        await client.run('each', { ...job, atOnce: 1 });
        await served.untilLive('every project is hibernated', (live) => live === 0);
      }
      for (let round = 0; round < rounds; round += 1) {
        const times = await quiet.run(async () => {
          await served.untilLive('every project is hibernated', (live) => live === 0);
          return client.run('arrivals', { ...job, everyMs: EVERY_MS });
        });
        first.push(...times.first);
        again.push(...times.again);
        activateMs.push(...times.activateMs);
      }
    } finally {
      client.close();
      await served.stop();
    }
    const figures = {
      first: figuresOf(first),
      again: figuresOf(again),
      activate: figuresOf(activateMs),
    };
    return {
      manifests: [MANIFEST],
      rows: [
        { way: 'task on a live instance', ...cells(figures.again) },
        { way: 'first task, hibernated project', ...cells(figures.first) },
        { way: 'of it the activation, as the answer tells', ...cells(figures.activate) },
      ],
      goals: [atMost('first task: p95', figures.first.p95Ms, 10, 'ms')],
      data: { everyMs: EVERY_MS, ...figures },
    };
  },
};
