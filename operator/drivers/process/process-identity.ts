/** Tells a process from a later one with the same id: by when it was started. */
import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';

const START_TIME_FIELD = 22;
/** The command's name is in parentheses and may hold anything, so fields are counted after the last one. */
const FIELDS_UP_TO_COMMAND = 2;

/**
 * A text that no other process has had since the machine started; undefined: there is no such process, or it is dead and
 * only not buried yet. Synchronous: between the start of a child and its note there must be no other work.
 */
export function identityOf(pid: number): string | undefined {
  return hasProc() ? identityByProc(pid) : identityByPs(pid);
}

function hasProc(): boolean {
  return process.platform === 'linux';
}

function identityByProc(pid: number): string | undefined {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
    const boot = readFileSync('/proc/sys/kernel/random/boot_id', 'utf8');
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
    const [state] = fields;
    if (state === 'Z' || state === 'X') return undefined;
    return `${boot.trim()}/${fields[START_TIME_FIELD - FIELDS_UP_TO_COMMAND - 1] ?? ''}`;
  } catch {
    return undefined;
  }
}

/** macOS. To the second, which is far less time than a process id needs to come again. */
function identityByPs(pid: number): string | undefined {
  try {
    const line = execFileSync('ps', ['-o', 'stat=,lstart=', '-p', String(pid)], {
      encoding: 'utf8',
      stdio: ['ignore', 'pipe', 'ignore'],
    }).trim();
    const [state = ''] = line.split(' ', 1);
    return line === '' || state.startsWith('Z') ? undefined : line.slice(state.length).trim();
  } catch {
    return undefined;
  }
}
