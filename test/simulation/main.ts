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
let current = from;
// A rejection that nobody handles ends a real process: here it ends the seed.
process.on('unhandledRejection', (error) => {
  fail(current, error as Error);
});

function fail(seed: number, error: Error): never {
  console.log(`seed ${String(seed)} failed: ${error.message}`);
  if (count === 1) console.log(error.stack);
  console.log(`replay: node test/simulation/main.ts --seed ${String(seed)}`);
  process.exit(1);
}

for (let seed = from; seed < from + count; seed += 1) {
  current = seed;
  try {
    const report = await runSeed(seed);
    if (values.verbose || count === 1) console.log(report);
    for (const key of Object.keys(totals) as (keyof typeof totals)[]) totals[key] += report[key];
  } catch (error) {
    fail(seed, error as Error);
  }
}
console.log(`${String(count)} seeds from ${String(from)} kept every invariant`, totals);
// Timers of the last room have nobody to wait for.
process.exit(0);
