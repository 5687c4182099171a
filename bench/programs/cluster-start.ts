/** Operator and gateway as images have them: from exec to their own /readyz, and the memory of a gateway with many links. */
import { readFileSync } from 'node:fs';
import { ClusterOperators } from '../../test/controller/operator-world.ts';
import { freePort } from '../../test/e2e/redis-server.ts';
import { REPOSITORY } from '../../test/e2e/server.ts';
import { until } from '../../test/e2e/until.ts';
import { startGateway, startOperator } from '../cluster/cluster-process.ts';
import { manyRuntimes } from '../cluster/many-runtimes.ts';
import { type Started, timeReady } from '../cluster/time-ready.ts';
import { cells, type Figures } from '../measure/figures.ts';
import { figuresOf } from '../measure/figures.ts';
import { memoryOf } from '../measure/process-cost.ts';
import { inRounds } from '../measure/rounds.ts';
import { atMost, type BenchProgram } from '../program.ts';

const SETTLE_MS = 3_000;

export const clusterStart: BenchProgram = {
  name: 'cluster-start',
  id: '',
  about:
    'operator and gateway of dist/app (`npm run build`) from exec to their own /readyz, beside a Node process that only answers HTTP; memory of a gateway with 100 links (mutual TLS)',
  async run(size) {
    const [rounds, links] = size === 'full' ? [5, 100] : [1, 3];
    const world = await ClusterOperators.start();
    try {
      const { figures } = await inRounds(rounds, {
        node: () => timed(startBare()),
        operator: () => timed(startOperator(world)),
        gateway: () => timed(startGateway(world)),
      });
      const memory = await memoryWithLinks(world, links);
      return {
        manifests: [],
        rows: (['node', 'operator', 'gateway'] as const).map((way) => ({
          process: way,
          ...cells(figures[way]),
        })),
        goals: [
          atMost('operator: median', figures.operator.p50Ms, 1_000, 'ms'),
          atMost('gateway: median', figures.gateway.p50Ms, 1_000, 'ms'),
          atMost(`gateway with ${links} links: RSS`, memory.rssMb, 120, 'MB'),
        ],
        notes: [
          `gateway: RSS ${memory.rssMb.toFixed(0)} MB, PSS ${memory.pssMb.toFixed(0)} MB, heaps and buffers ${memory.anonymousMb.toFixed(0)} MB`,
        ],
        data: { figures, memory },
      };
    } finally {
      await world.stop();
    }
  },
};

async function timed(starting: Promise<Started>): Promise<Figures> {
  const started = await starting;
  await started.stop();
  return figuresOf([started.readyMs]);
}

async function startBare(): Promise<Started> {
  const port = await freePort();
  const program = `${REPOSITORY}bench/baseline/bare-http.ts`;
  return timeReady([process.execPath, program, String(port)], port);
}

async function memoryWithLinks(
  world: ClusterOperators,
  links: number,
): Promise<ReturnType<typeof memoryOf>> {
  const read = (path: string): string => readFileSync(world.workspace.path(path), 'utf8');
  const authority = { certificate: read('ca/tls.crt'), key: read('ca/tls.key') };
  const runtimes = await manyRuntimes(links, world.store, { authority, key: read('link/key') });
  const gateway = await startGateway(world);
  try {
    await until(`${links} links`, () => runtimes.linked === links, 30_000);
    await new Promise((resolve) => setTimeout(resolve, SETTLE_MS));
    return memoryOf([gateway.child.pid ?? 0]);
  } finally {
    await gateway.stop();
    await runtimes.stop();
  }
}
