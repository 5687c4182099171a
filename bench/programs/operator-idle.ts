/** P9, resting: what a thousand pools without runtimes cost the API server and the machine while nothing happens. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { AGENT_POOLS } from '../../platform/kube/resources.ts';
import { type Asked, askedBy, auditFlags } from '../../test/cluster/audit.ts';
import { ClusterOperators, OPERATOR_USER } from '../../test/controller/operator-world.ts';
import { until } from '../../test/e2e/until.ts';
import { adminKube, eachAtOnce } from '../cluster/kube-clients.ts';
import { nodeOptions, startOperator } from '../cluster/cluster-process.ts';
import { cpuSecondsOf, memoryOf, peakRssMbOf } from '../measure/process-cost.ts';
import { quiet } from '../measure/quiet.ts';
import { atMost, type BenchProgram } from '../program.ts';

const WRITES = new Set(['create', 'update', 'patch', 'delete', 'deletecollection']);
const IS_LEASE = /^leases\./;
const REPORTED_WITHIN_MS = 120_000;
/** Of the chart's limit, 256 MiB, with a margin. */
const LIMIT_MB = 200;

const pool = (index: number): object => ({
  apiVersion: 'agentpool.dev/v1alpha1',
  kind: 'AgentPool',
  metadata: { name: `idle-${index}`, namespace: 'default' },
  spec: { replicas: 0, runtime: { image: 'agents:1' } },
});

export const operatorIdle: BenchProgram = {
  name: 'operator-idle',
  id: 'P9',
  about:
    'the operator (as the image has it) with 1,000 pools of replicas 0 and nothing to do: requests by the API server’s audit log, CPU time, memory',
  async run(size) {
    const [count, settleMs, forMs] = size === 'full' ? [1_000, 10_000, 60_000] : [5, 1_000, 2_000];
    const folder = mkdtempSync(join(tmpdir(), 'agentpool-audit-'));
    const world = await ClusterOperators.start({ controllers: true, flags: auditFlags(folder) });
    try {
      const { child } = await startOperator(world);
      const pids = [child.pid ?? 0];
      const kube = await adminKube(world.api.kubeconfig);
      const startedMs = performance.now();
      await eachAtOnce(count, (index) => kube.create(AGENT_POOLS, pool(index)));
      await until('every pool has its status', () => allReported(world, count), REPORTED_WITHIN_MS);
      const reportedMs = performance.now() - startedMs;
      await sleep(settleMs);
      const idle = await quiet.run(() => watchIdle(pids, folder, forMs));
      const perMinute = (asked: readonly Asked[]): number => (asked.length * 60_000) / forMs;
      const writes = idle.asked.filter((one) => WRITES.has(one.verb));
      const others = writes.filter(({ resource }) => !IS_LEASE.test(resource));
      const memory = memoryOf(pids);
      const peakMb = peakRssMbOf(pids);
      return {
        manifests: [`${JSON.stringify(pool(0), undefined, 2)}\n`],
        rows: [
          {
            pools: String(count),
            'writes but the Lease / min': perMinute(others).toFixed(1),
            'writes of the Lease / min': perMinute(
              writes.filter(({ resource }) => IS_LEASE.test(resource)),
            ).toFixed(1),
            'all requests / min': perMinute(idle.asked).toFixed(1),
            '% of one core': idle.percent.toFixed(2),
            'RSS MB': memory.rssMb.toFixed(0),
            'PSS MB': memory.pssMb.toFixed(0),
            'RSS at most MB': peakMb.toFixed(0),
            'all reported s': (reportedMs / 1_000).toFixed(1),
          },
        ],
        goals: [
          atMost('writes but the Lease', perMinute(others), 0, 'a minute'),
          atMost('CPU', idle.percent, 1, '% of one core'),
          atMost('memory (RSS)', memory.rssMb, 120, 'MB'),
          atMost('memory, at its highest since the start', peakMb, LIMIT_MB, 'MB'),
        ],
        notes: [`Node runs with ${nodeOptions()}, as the chart starts it`],
        data: { ...idle, memory, peakMb, reportedMs },
      };
    } finally {
      await world.stop();
      rmSync(folder, { recursive: true });
    }
  },
};

async function allReported(world: ClusterOperators, count: number): Promise<boolean> {
  const pools = await world.api.kubectl.list('agentpools', 'default');
  const reported = pools.filter((one) => {
    const { conditions = [] } = (one['status'] ?? {}) as { readonly conditions?: unknown[] };
    return conditions.length > 0;
  });
  return reported.length === count;
}

interface Idle {
  readonly asked: readonly Asked[];
  readonly percent: number;
}

async function watchIdle(pids: readonly number[], folder: string, forMs: number): Promise<Idle> {
  const before = { asked: askedBy(OPERATOR_USER, folder).length, cpu: cpuSecondsOf(pids) };
  await sleep(forMs);
  return {
    asked: askedBy(OPERATOR_USER, folder).slice(before.asked),
    percent: ((cpuSecondsOf(pids) - before.cpu) * 100_000) / forMs,
  };
}

function sleep(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
