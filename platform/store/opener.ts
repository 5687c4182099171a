/** Which process has a folder open: told apart from a later process with the same id by when it started, so a killed one leaves no lock. */
import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';

export interface Opener {
  readonly pid: number;
  /** As the operating system counts it; empty where it does not say. */
  readonly startedAt: string;
}

export function currentOpener(): Opener {
  return { pid: process.pid, startedAt: startOf(process.pid) };
}

/** Whether that very process still exists, frozen or not; one that has ended and waits for its parent to notice does not. */
export function isRunning(opener: Opener): boolean {
  try {
    process.kill(opener.pid, 0);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EPERM') return false;
  }
  const startedAt = startOf(opener.pid);
  return startedAt === '' || opener.startedAt === '' || startedAt === opener.startedAt;
}

/** Empty: not known. */
function startOf(pid: number): string {
  if (process.platform === 'linux') return startOnLinux(pid);
  if (process.platform === 'win32') return '';
  try {
    return execFileSync('ps', ['-o', 'lstart=', '-p', String(pid)], { encoding: 'utf8' }).trim();
  } catch {
    return '';
  }
}

/** State and start time of /proc/<pid>/stat, counted after the command's closing bracket (proc(5)). */
function startOnLinux(pid: number): string {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
    const ended = fields[0] === 'Z' || fields[0] === 'X';
    return ended ? 'ended' : (fields[19] ?? '');
  } catch {
    return '';
  }
}
