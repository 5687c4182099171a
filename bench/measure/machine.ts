/** On what a benchmark ran: hardware, versions, commit, and how busy the machine was. */
import { execFileSync } from 'node:child_process';
import { cpus, loadavg, release, totalmem } from 'node:os';
import { REPOSITORY } from '../../test/e2e/server.ts';

export interface Machine {
  readonly cpu: string;
  readonly cores: number;
  readonly memoryGb: number;
  readonly kernel: string;
  readonly node: string;
  readonly v8: string;
  readonly commit: string;
  readonly hasUncommittedChanges: boolean;
  /** Of the last minute, before this benchmark; one that ran just before it is in it. */
  readonly loadAverage: number;
  /** Share of the cores that others used in the second before. */
  readonly busyShare: number;
  readonly startedAt: string;
}

const LOOK_MS = 1_000;

export async function describeMachine(): Promise<Machine> {
  const all = cpus();
  const [load = 0] = loadavg();
  const busyShare = await lookHowBusy();
  return {
    cpu: all[0]?.model ?? 'unknown',
    cores: all.length,
    memoryGb: Math.round(totalmem() / 2 ** 30),
    kernel: release(),
    node: process.version,
    v8: process.versions.v8,
    commit: git('rev-parse', '--short', 'HEAD'),
    hasUncommittedChanges: git('status', '--porcelain', '--untracked-files=no') !== '',
    loadAverage: Number(load.toFixed(2)),
    busyShare: Number(busyShare.toFixed(2)),
    startedAt: new Date().toISOString(),
  };
}

async function lookHowBusy(): Promise<number> {
  const before = cpuTimes();
  await new Promise((resolve) => setTimeout(resolve, LOOK_MS));
  const after = cpuTimes();
  return 1 - (after.idle - before.idle) / (after.all - before.all);
}

function cpuTimes(): { readonly idle: number; readonly all: number } {
  const times = cpus().map((cpu) => cpu.times);
  return {
    idle: times.reduce((sum, { idle }) => sum + idle, 0),
    all: times.reduce((sum, time) => sum + Object.values(time).reduce((a, b) => a + b, 0), 0),
  };
}

function git(...args: readonly string[]): string {
  try {
    return execFileSync('git', args, { cwd: REPOSITORY, encoding: 'utf8' }).trim();
  } catch {
    return 'unknown';
  }
}
