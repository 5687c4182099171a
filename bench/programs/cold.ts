/** P4: the first task of a project in tier COLD, which starts a worker of its own, beside a new process per request. */
import { runInNewProcess } from '../baseline/process-per-request.ts';
import { BenchClient } from '../client/bench-client.ts';
import { cells, figuresOf } from '../measure/figures.ts';
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
    const count = size === 'full' ? 150 : 3;
    const agents = await bundleBenchAgents();
    const served = await ServedPool.start(MANIFEST);
    const client = new BenchClient();
    const cold: number[] = [];
    const processes: number[] = [];
    try {
      const job = { address: served.grpc, agent: 'counter', input: null, atOnce: 1 };
      await client.run('each', { ...job, projects: projectNames(3, 'first') });
      for (const project of projectNames(count)) {
        const { latenciesMs } = await client.run('each', { ...job, projects: [project] });
        cold.push(...latenciesMs);
        const beforeMs = performance.now();
        await runInNewProcess(agents.file, 'counter', null);
        processes.push(performance.now() - beforeMs);
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
