/** A benchmark's result for people (tables) and for programs (JSON in bench/results/). */
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import Table from 'cli-table3';
import type { Machine } from './measure/machine.ts';
import type { BenchProgram, Report } from './program.ts';

export function printMachine(machine: Machine): void {
  const {
    cpu,
    cores,
    memoryGb,
    kernel,
    node,
    commit,
    hasUncommittedChanges,
    loadAverage,
    busyShare,
  } = machine;
  const state = hasUncommittedChanges ? ' with uncommitted changes' : '';
  console.log(
    `${cores} × ${cpu}, ${memoryGb} GB, Linux ${kernel}, Node ${node}, commit ${commit}${state}, load ${loadAverage}, others use ${percent(busyShare)} of the cores`,
  );
}

/** What others may use until figures are marked. */
const BUSY_SHARE = 0.1;

/** What others did meanwhile; a warning where that was much. */
export function printOthers({ average, most }: OthersShare): void {
  console.log(
    `Others used ${percent(average)} of the cores while this was measured, ${percent(most)} at most.`,
  );
  if (average > BUSY_SHARE)
    console.log('WARNING: the machine was busy. Ratios suffer, single times are of no use.');
}

export interface OthersShare {
  readonly average: number;
  readonly most: number;
}

const percent = (share: number): string => `${(share * 100).toFixed(0)} %`;

export function printReport({ name, id, about }: BenchProgram, report: Report): void {
  console.log(`\n== ${[id, name].join(' ').trim()}: ${about}`);
  for (const manifest of report.manifests) console.log(`\n${manifest.trimEnd()}`);
  printTable(report.rows);
  printTable(
    report.goals.map(({ what, goal, measured, met }) => ({
      what,
      goal,
      measured,
      met: met ? 'met' : 'NOT MET',
    })),
  );
  for (const note of report.notes ?? []) console.log(`- ${note}`);
}

function printTable(rows: readonly Readonly<Record<string, string>>[]): void {
  if (rows.length === 0) return;
  const head = [...new Set(rows.flatMap((row) => Object.keys(row)))];
  const table = new Table({ head, style: { head: [], border: [] } });
  for (const row of rows) table.push(head.map((column) => row[column] ?? ''));
  console.log(table.toString());
}

/** Returns the file. */
export function writeResult(
  folder: string,
  {
    program,
    machine,
    report,
    size,
    others,
  }: {
    readonly program: BenchProgram;
    readonly machine: Machine;
    readonly report: Report;
    readonly size: string;
    readonly others: OthersShare;
  },
): string {
  mkdirSync(folder, { recursive: true });
  const { name, id, about } = program;
  const path = join(folder, `${name}.json`);
  writeFileSync(
    path,
    `${JSON.stringify({ name, id, about, size, machine, others, ...report }, null, 2)}\n`,
  );
  return path;
}
