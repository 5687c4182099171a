/** `npm run bench [-- name …]`: runs benchmarks one after the other, prints each beside its baseline and goals, keeps the figures as JSON. */
import { join, resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { REPOSITORY } from '../test/e2e/server.ts';
import { cleanUpAtTheEnd } from './measure/clean-up.ts';
import { describeMachine } from './measure/machine.ts';
import { quiet } from './measure/quiet.ts';
import type { BenchProgram } from './program.ts';
import { cold } from './programs/cold.ts';
import { clusterStart } from './programs/cluster-start.ts';
import { commit } from './programs/commit.ts';
import { connect } from './programs/connect.ts';
import { density } from './programs/density.ts';
import { failover, failoverShared } from './programs/failover.ts';
import { gatewayOverhead } from './programs/gateway-overhead.ts';
import { idle } from './programs/idle.ts';
import { lease } from './programs/lease.ts';
import { link } from './programs/link.ts';
import { operator } from './programs/operator.ts';
import { operatorIdle } from './programs/operator-idle.ts';
import { promotion } from './programs/promotion.ts';
import { redis } from './programs/redis.ts';
import { start } from './programs/start.ts';
import { store } from './programs/store.ts';
import { warm } from './programs/warm.ts';
import { PROFILE_FOLDER } from './served/served-pool.ts';
import { printMachine, printOthers, printReport, writeResult } from './report.ts';

const PROGRAMS: readonly BenchProgram[] = [
  gatewayOverhead,
  connect,
  warm,
  cold,
  lease,
  density,
  idle,
  failover,
  failoverShared,
  commit,
  start,
  link,
  store,
  redis,
  operator,
  operatorIdle,
  promotion,
  clusterStart,
];

const { positionals, values } = parseArgs({
  allowPositionals: true,
  options: {
    smoke: { type: 'boolean', default: false },
    results: { type: 'string', default: join(REPOSITORY, 'bench', 'results') },
    list: { type: 'boolean', default: false },
    profile: { type: 'string' },
    quiet: { type: 'boolean', default: false },
  },
});

cleanUpAtTheEnd();
if (values.profile !== undefined) process.env[PROFILE_FOLDER] = resolve(values.profile);
quiet.isWanted = values.quiet;
if (values.list) {
  for (const { id, name, about } of PROGRAMS)
    console.log(`${id.padEnd(4)} ${name.padEnd(18)} ${about}`);
} else await runAll(chosen(positionals));

function chosen(names: readonly string[]): readonly BenchProgram[] {
  if (names.length === 0) return PROGRAMS;
  return names.flatMap((wanted) => {
    const found = PROGRAMS.filter(({ id, name }) => name === wanted || id === wanted.toUpperCase());
    if (found.length === 0)
      throw new Error(
        `no benchmark ${wanted}; there are ${PROGRAMS.map(({ name }) => name).join(', ')}`,
      );
    return found;
  });
}

async function runAll(programs: readonly BenchProgram[]): Promise<void> {
  const size = values.smoke ? 'smoke' : 'full';
  for (const program of programs) {
    const machine = await describeMachine();
    printMachine(machine);
    const report = await program.run(size);
    const others = quiet.takeShares();
    printReport(program, report);
    printOthers(others);
    console.log(`→ ${writeResult(values.results, { program, machine, report, size, others })}\n`);
  }
}
