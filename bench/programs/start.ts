/** How long the server takes to its first word "ready": with what earlier starts have cached, and without. */
import { cells, figuresOf } from '../measure/figures.ts';
import { quiet } from '../measure/quiet.ts';
import { atMost, type BenchProgram } from '../program.ts';
import { benchManifest } from '../served/bench-agents.ts';
import { FreshCheckout } from '../served/fresh-checkout.ts';
import { ServedPool } from '../served/served-pool.ts';

const MANIFEST = benchManifest({ hot: 'standby: 1' });

export const start: BenchProgram = {
  name: 'start',
  id: '',
  about:
    'from the start of the process to the line that says ready (one shared runtime, one standby), a new data folder each; first: without bundles and compiled code of earlier starts',
  async run(size) {
    const count = size === 'full' ? 7 : 1;
    const first: number[] = [];
    const later: number[] = [];
    const checkout = new FreshCheckout();
    try {
      for (let done = 0; done < count; done += 1) {
        if (size === 'full' && done < 3) {
          const time = await quiet.run(() => {
            checkout.forgetStarts();
            return timeStart(checkout);
          });
          first.push(time);
        }
        later.push(await quiet.run(() => timeStart(checkout)));
      }
    } finally {
      checkout.remove();
    }
    const figures = { first: figuresOf(first), later: figuresOf(later) };
    return {
      manifests: [MANIFEST],
      rows: [
        ...(first.length === 0
          ? []
          : [{ way: 'first start of a checkout', ...cells(figures.first) }]),
        { way: 'later start', ...cells(figures.later) },
      ],
      goals: [
        ...(first.length === 0
          ? []
          : [atMost('first start: median', figures.first.p50Ms, 3000, 'ms')]),
        atMost('later start: median', figures.later.p50Ms, 3000, 'ms'),
      ],
      data: figures,
    };
  },
};

async function timeStart({ bin }: FreshCheckout): Promise<number> {
  const served = await ServedPool.start(MANIFEST, { bin });
  const { readyMs } = served.server;
  await served.stop();
  return readyMs;
}
