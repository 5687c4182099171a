/** P1: what the gateway costs: HOT Execute of an agent that does nothing, beside the same client straight to a runtime. */
import { type DirectRuntime, startDirectRuntime } from '../baseline/start-direct-runtime.ts';
import { BenchClient } from '../client/bench-client.ts';
import type { LoadJob } from '../client/jobs.ts';
import { cells, type Figures, figuresOf } from '../measure/figures.ts';
import { inRounds } from '../measure/rounds.ts';
import {
  atLeast,
  atMost,
  type BenchProgram,
  type Goal,
  type Report,
  type Size,
} from '../program.ts';
import { benchManifest } from '../served/bench-agents.ts';
import { ServedPool } from '../served/served-pool.ts';
import { until } from '../../test/e2e/until.ts';

const PROJECT = 'hot';
const MANIFEST = benchManifest({
  hot: 'standby: 0',
  spec: `  projects:\n    - {tenant: acme, project: ${PROJECT}, tier: HOT}`,
});

export const gatewayOverhead: BenchProgram = {
  name: 'gateway-overhead',
  id: 'P1',
  about:
    'HOT Execute of a no-op agent through gateway and link (embedded store, every task committed), beside the same client on a process that mounts the same unary Execute on the runtime host: same worker bundle, same kind of store behind the same socket, no gateway, no link',
  async run(size) {
    const served = await ServedPool.start(MANIFEST);
    const direct = await startDirectRuntime(MANIFEST, `acme~${PROJECT}`);
    const client = new BenchClient();
    try {
      return await measure({ served, direct, client, size });
    } finally {
      client.close();
      await direct.stop();
      await served.stop();
    }
  },
};

interface World {
  readonly served: ServedPool;
  readonly direct: DirectRuntime;
  readonly client: BenchClient;
  readonly size: Size;
}

async function measure({ served, direct, client, size }: World): Promise<Report> {
  const [rounds, forMs] = size === 'full' ? [5, 1_500] : [1, 100];
  const load = async (address: string, inFlight: number): Promise<Figures> => {
    const job: LoadJob = { ...JOB, address, inFlight, forMs };
    const { latenciesMs, elapsedMs } = await client.run('load', job);
    return figuresOf(latenciesMs, elapsedMs);
  };
  await load(served.grpc, 1);
  await until('the project is HOT', async () =>
    (await served.instances()).some(({ tier }) => tier === 'HOT'),
  );
  for (const address of [served.grpc, direct.address]) await load(address, 50);
  const rows: Record<string, string>[] = [];
  const goals: Goal[] = [];
  const data: unknown[] = [];
  for (const inFlight of [1, 10, 50]) {
    const compared = await inRounds(rounds, {
      direct: () => load(direct.address, inFlight),
      gateway: () => load(served.grpc, inFlight),
    });
    const { figures, compare } = compared;
    rows.push({
      'in flight': String(inFlight),
      way: 'straight to the runtime',
      ...cells(figures.direct),
    });
    rows.push({
      'in flight': String(inFlight),
      way: 'through the gateway',
      ...cells(figures.gateway),
    });
    if (inFlight === 1) {
      const p50Ms = compare('gateway', 'direct', (s, b) => s.p50Ms - b.p50Ms);
      const p99Ms = compare('gateway', 'direct', (s, b) => s.p99Ms - b.p99Ms);
      goals.push(atMost('1 in flight: p50 above baseline', p50Ms, 0.3, 'ms'));
      goals.push(atMost('1 in flight: p99 above baseline', p99Ms, 2, 'ms'));
    } else {
      const share = compare('gateway', 'direct', (s, b) => s.perSecond / b.perSecond);
      goals.push(atLeast(`${inFlight} in flight: throughput`, share, 0.6, '× baseline'));
    }
    data.push({ inFlight, rounds: compared.rounds });
  }
  return { manifests: [MANIFEST], rows, goals, data };
}

const JOB = {
  way: 'unary',
  agent: 'noop',
  input: null,
  projects: [PROJECT],
  conversation: 'c',
} as const;
