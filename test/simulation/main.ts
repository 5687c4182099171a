/** Runs seeds: `node test/simulation/main.ts --from 1 --count 1000`, or one again: `--seed 42`. Exit code 1 at the first seed that breaks an invariant. */
import { parseArgs } from 'node:util';
import { runSeed } from './simulation.ts';

const { values } = parseArgs({
  options: {
    seed: { type: 'string' },
    from: { type: 'string', default: '1' },
    count: { type: 'string', default: '100' },
    verbose: { type: 'boolean', default: false },
  },
});

const from = Number(values.seed ?? values.from);
const count = values.seed === undefined ? Number(values.count) : 1;
const totals = { commits: 0, refused: 0, takeovers: 0, acknowledged: 0, resent: 0, steps: 0 };
for (let seed = from; seed < from + count; seed += 1) {
  try {
    const report = await runSeed(seed);
    if (values.verbose || count === 1) console.log(report);
    for (const key of Object.keys(totals) as (keyof typeof totals)[]) totals[key] += report[key];
  } catch (error) {
    console.log(`seed ${String(seed)} failed: ${(error as Error).message}`);
    if (count === 1) console.log((error as Error).stack);
    console.log(`replay: node test/simulation/main.ts --seed ${String(seed)}`);
    process.exit(1);
  }
}
console.log(`${String(count)} seeds from ${String(from)} kept every invariant`, totals);
// Timers of the last room have nobody to wait for.
process.exit(0);
