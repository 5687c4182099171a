/** P4: the first task of a project in tier COLD, which starts a worker of its own, beside a new process per request. */
import { runInNewProcess } from '../baseline/process-per-request.ts';
import { BenchClient } from '../client/bench-client.ts';
import { warmUp } from '../client/warm-up.ts';
import { cells, figuresOf } from '../measure/figures.ts';
import { quiet } from '../measure/quiet.ts';
import { atMost, type BenchProgram } from '../program.ts';
import { benchManifest, projectNames } from '../served/bench-agents.ts';
import { bundleBenchAgents } from '../served/bundled-agents.ts';
import { ServedPool } from '../served/served-pool.ts';

const MANIFEST = benchManifest({ defaultTier: 'COLD', cold: 'idleSeconds: 1' });

export const cold: BenchProgram = {
  name: 'cold',
  id: 'P4',
  about:
    'the first task of a COLD project (fresh worker, empty initialize), one at a time; in turns with a new Node process that imports the same agents, answers one task and ends',
  async run(size) {
    const [rounds, count] = size === 'full' ? [10, 15] : [1, 3];
    const agents = await bundleBenchAgents();
    const served = await ServedPool.start(MANIFEST);
    const client = new BenchClient();
    const cold: number[] = [];
    const processes: number[] = [];
    try {
      await warmUp(client, served.grpc, size);
      const job = { address: served.grpc, agent: 'counter', input: null, atOnce: 1 };
      await client.run('each', { ...job, projects: projectNames(count, 'first') });
      let attempts = 0;
      for (let round = 0; round < rounds; round += 1) {
        const times = await quiet.run(async () => {
          attempts += 1;
          return inTurns(projectNames(count, `p${attempts}-`), async (project) => [
            (await client.run('each', { ...job, projects: [project] })).elapsedMs,
            await timeNewProcess(agents.file),
          ]);
        });
        cold.push(...times.map(([first]) => first));
        processes.push(...times.map(([, second]) => second));
      }
    } finally {
      client.close();
      await served.stop();
      agents.remove();
    }
    const figures = { cold: figuresOf(cold), processes: figuresOf(processes) };
    return {
      manifests: [MANIFEST],
      rows: [
        { way: 'new process per request', ...cells(figures.processes) },
        { way: 'first task of a COLD project', ...cells(figures.cold) },
      ],
      goals: [atMost('first task: p95', figures.cold.p95Ms, 60, 'ms')],
      data: figures,
    };
  },
};

async function inTurns(
  projects: readonly string[],
  measure: (project: string) => Promise<[number, number]>,
): Promise<readonly [number, number][]> {
  const times: [number, number][] = [];
  for (const project of projects) times.push(await measure(project));
  return times;
}

async function timeNewProcess(modulePath: string): Promise<number> {
  const beforeMs = performance.now();
  await runInNewProcess(modulePath, 'counter', null);
  return performance.now() - beforeMs;
}
