/** What processes cost, by Linux' /proc: memory that is theirs alone, and CPU time. */
import { readFileSync } from 'node:fs';

export interface Memory {
  /** Shared pages counted in proportion. */
  readonly pssMb: number;
  /** Without mapped files: heaps, stacks, buffers. */
  readonly anonymousMb: number;
  readonly rssMb: number;
}

export function memoryOf(pids: readonly number[]): Memory {
  const sums = { pssMb: 0, anonymousMb: 0, rssMb: 0 };
  for (const pid of pids) {
    const text = readFileSync(`/proc/${pid}/smaps_rollup`, 'utf8');
    const mb = (name: string): number =>
      Number(new RegExp(`^${name}:\\s+(\\d+) kB`, 'm').exec(text)?.[1] ?? 0) / 1024;
    sums.pssMb += mb('Pss');
    sums.anonymousMb += mb('Pss_Anon');
    sums.rssMb += mb('Rss');
  }
  return sums;
}

/** The most that they have held at once since they started, each by itself. */
export function peakRssMbOf(pids: readonly number[]): number {
  return pids.reduce((sum, pid) => {
    const text = readFileSync(`/proc/${pid}/status`, 'utf8');
    return sum + Number(/^VmHWM:\s+(\d+) kB/m.exec(text)?.[1] ?? 0) / 1024;
  }, 0);
}

const TICKS_PER_SECOND = 100;

/** User and system time since the processes started. */
export function cpuSecondsOf(pids: readonly number[]): number {
  return pids.reduce((sum, pid) => {
    const text = readFileSync(`/proc/${pid}/stat`, 'utf8');
    const fields = text.slice(text.lastIndexOf(')') + 2).split(' ');
    return sum + (Number(fields[11]) + Number(fields[12])) / TICKS_PER_SECOND;
  }, 0);
}
