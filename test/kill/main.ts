/** The long kill run by hand: `node test/kill/main.ts [--seed N] [--projects N] [--faults N] [--acks N]`; exit code 1 when anything was lost or doubled. */
import { parseArgs } from 'node:util';
import { killRun } from './kill-run.ts';

const { values } = parseArgs({
  options: {
    seed: { type: 'string', default: '1' },
    projects: { type: 'string', default: '1000' },
    tenants: { type: 'string', default: '20' },
    inflight: { type: 'string', default: '50' },
    faults: { type: 'string', default: '200' },
    acks: { type: 'string', default: '20000' },
  },
});

console.log(`seed ${values.seed}`);
const report = await killRun({
  seed: Number(values.seed),
  projects: Number(values.projects),
  tenants: Number(values.tenants),
  inFlight: Number(values.inflight),
  faults: Number(values.faults),
  acks: Number(values.acks),
  gapMsMin: 1_500,
  gapMsMax: 5_000,
  log: console.log,
});
console.log({
  ...report,
  residentMb: [report.residentMb[0], Math.max(...report.residentMb), report.residentMb.at(-1)],
});
const wrong = [...report.contradictions, ...report.contradictionsAfterColdStart];
process.exitCode = wrong.length > 0 || report.firstSendShare < 0.95 ? 1 : 0;
