/** What a process holds, by Linux' /proc: for comparisons of before and after. */
import { readdirSync, readFileSync } from 'node:fs';

export interface ProcessUsage {
  readonly descriptors: number;
  readonly threads: number;
  readonly rssMb: number;
}

export function usageOf(pid: number): ProcessUsage {
  const status = readFileSync(`/proc/${pid}/status`, 'utf8');
  const field = (name: string): number =>
    Number(new RegExp(`^${name}:\\s+(\\d+)`, 'm').exec(status)?.[1]);
  return {
    descriptors: readdirSync(`/proc/${pid}/fd`).length,
    threads: field('Threads'),
    rssMb: field('VmRSS') / 1024,
  };
}
