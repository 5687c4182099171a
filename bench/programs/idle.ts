/** P7: what a hundred projects cost while nobody calls. */
import { BenchClient } from '../client/bench-client.ts';
import { cpuSecondsOf } from '../measure/process-cost.ts';
import { quiet } from '../measure/quiet.ts';
import { atMost, type BenchProgram } from '../program.ts';
import { benchManifest, projectNames } from '../served/bench-agents.ts';
import { ServedPool } from '../served/served-pool.ts';

const MANIFEST = benchManifest({ warm: 'maxInstancesPerReplica: 200\nidleSeconds: 3600' });

export const idle: BenchProgram = {
  name: 'idle',
  id: 'P7',
  about:
    'CPU time of all processes of the server with 100 live WARM projects (a worker thread each) and no calls',
  async run(size) {
    const [count, settleMs, forMs] = size === 'full' ? [100, 10_000, 30_000] : [3, 100, 500];
    const served = await ServedPool.start(MANIFEST);
    const client = new BenchClient();
    try {
      const job = { address: served.grpc, agent: 'counter', input: null, atOnce: 4 };
      await client.run('each', { ...job, projects: projectNames(count) });
      await sleep(settleMs);
      const live = await served.liveCount();
      const used = await quiet.run(() => cpuPercent(served, forMs));
      const percent = used.reduce((sum, one) => sum + one.percent, 0);
      return {
        manifests: [MANIFEST],
        rows: used.map(({ process, percent: share }) => ({
          process,
          'live instances': String(live),
          '% of one core': share.toFixed(2),
          seconds: String(forMs / 1000),
        })),
        goals: [atMost('all together', percent, 1, '% of one core')],
        data: { live, used, forMs },
      };
    } finally {
      client.close();
      await served.stop();
    }
  },
};

function sleep(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}

interface Used {
  readonly process: string;
  readonly percent: number;
}

async function cpuPercent(served: ServedPool, forMs: number): Promise<readonly Used[]> {
  const groups = [
    { process: 'gateway, operator, store', pids: [served.server.pid] },
    { process: 'runtimes', pids: served.runtimePids() },
  ].map((group) => ({ ...group, beforeSeconds: cpuSecondsOf(group.pids) }));
  await sleep(forMs);
  return groups.map(({ process, pids, beforeSeconds }) => ({
    process,
    percent: ((cpuSecondsOf(pids) - beforeSeconds) * 100_000) / forMs,
  }));
}
