/** P5: Acquire and Release of a live instance, beside two unary echoes of a bare server and a pool inside the caller's own process. */
import { fork } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { createPool } from 'generic-pool';
import { BenchClient } from '../client/bench-client.ts';
import { warmUp } from '../client/warm-up.ts';
import { cells, figuresOf, median } from '../measure/figures.ts';
import { quiet } from '../measure/quiet.ts';
import { atMost, type BenchProgram } from '../program.ts';
import { benchManifest } from '../served/bench-agents.ts';
import { ServedPool } from '../served/served-pool.ts';

const MANIFEST = benchManifest();

export const lease: BenchProgram = {
  name: 'lease',
  id: 'P5',
  about:
    'Acquire and Release of a live WARM instance through the gateway (two commits in the embedded store), in turns with two unary calls to a bare grpc-js echo server; generic-pool in the same process for scale',
  async run(size) {
    const [rounds, count] = size === 'full' ? [20, 100] : [1, 5];
    const served = await ServedPool.start(MANIFEST);
    const echo = fork(fileURLToPath(new URL('../baseline/echo-server.ts', import.meta.url)));
    const echoAddress = await new Promise<string>((resolve) => echo.once('message', resolve));
    const client = new BenchClient();
    const leases: number[] = [];
    const echoes: number[] = [];
    const ratios: number[] = [];
    try {
      await warmUp(client, served.grpc, size);
      const job = { address: served.grpc, echoAddress, project: 'one' };
      await client.run('leases', { ...job, count: 10 * count });
      for (let round = 0; round < rounds; round += 1) {
        const times = await quiet.run(() => client.run('leases', { ...job, count }));
        leases.push(...times.leases);
        echoes.push(...times.echoes);
        ratios.push(median([...times.leases]) / median([...times.echoes]));
      }
    } finally {
      client.close();
      echo.kill();
      await served.stop();
    }
    const figures = {
      leases: figuresOf(leases),
      echoes: figuresOf(echoes),
      inProcess: figuresOf(await timePoolInProcess(count)),
    };
    return {
      manifests: [MANIFEST],
      rows: [
        { way: 'generic-pool in process: acquire + release', ...cells(figures.inProcess) },
        { way: 'two unary echoes of a bare server', ...cells(figures.echoes) },
        { way: 'Acquire + Release', ...cells(figures.leases) },
      ],
      goals: [
        atMost('Acquire + Release: median', figures.leases.p50Ms, 2, 'ms'),
        atMost('Acquire + Release: median', median(ratios), 2.5, '× two echoes'),
      ],
      data: figures,
    };
  },
};

async function timePoolInProcess(count: number): Promise<readonly number[]> {
  const pool = createPool(
    { create: async () => ({}), destroy: async () => undefined },
    { max: 10, min: 1 },
  );
  const times: number[] = [];
  for (let done = 0; done < count; done += 1) {
    const beforeMs = performance.now();
    await pool.release(await pool.acquire());
    times.push(performance.now() - beforeMs);
  }
  await pool.drain();
  await pool.clear();
  return times;
}
