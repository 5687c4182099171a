/** Kills what an earlier parent left behind: children end by themselves when it dies, unless they are frozen. */
import { rmSync } from 'node:fs';
import type { Clock } from '../../../platform/clock.ts';
import type { Log } from '../../../platform/log.ts';
import type { PidFiles } from './pid-files.ts';
import { identityOf } from './process-identity.ts';

const POLL_MS = 20;
const GONE_WITHIN_MS = 5_000;

/** Only processes whose start time is the noted one are touched. Resolves when they are gone; throws when one will not go. */
export async function reap(files: PidFiles, clock: Clock, log: Log): Promise<number> {
  let count = 0;
  for (const { name, file } of files.readAll()) {
    const { pid, identity, socket } = file;
    if (identityOf(pid) === identity) {
      log.warn('runtime of an earlier run is killed', { runtime: name, detail: { pid } });
      await killForSure(pid, identity, clock);
      count++;
    }
    rmSync(socket, { force: true });
    files.remove(name);
  }
  return count;
}

async function killForSure(pid: number, identity: string, clock: Clock): Promise<void> {
  const deadlineMs = clock.nowMs() + GONE_WITHIN_MS;
  signalIfThere(pid);
  while (identityOf(pid) === identity) {
    if (clock.nowMs() >= deadlineMs)
      throw new Error(
        `process ${pid}, a runtime of an earlier run, does not end after SIGKILL; end it, then start again`,
      );
    await clock.sleep(POLL_MS);
  }
}

function signalIfThere(pid: number): void {
  try {
    process.kill(pid, 'SIGKILL');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error;
  }
}
