/**
 * Figures that others on the machine have not disturbed: measures what everybody but this benchmark's own processes uses, and with
 * `--quiet` waits for a quiet moment and repeats what was disturbed.
 */
import { readdirSync, readFileSync } from 'node:fs';
import { cpus } from 'node:os';

/** Of all cores together. */
const OTHERS_SHARE_MAX = 0.08;
const LOOK_MS = 300;
const WAIT_MS_MAX = 120_000;
const ATTEMPTS_MAX = 12;
const MS_PER_TICK = 10;

interface Times {
  readonly atMs: number;
  /** Of everybody. */
  readonly busyMs: number;
  readonly ownMs: number;
}

export class Quiet {
  /** Repeat what is disturbed. */
  isWanted = false;
  #shares: number[] = [];

  /** The result of an undisturbed run, or of the least disturbed one. */
  async run<Result>(measure: () => Promise<Result>): Promise<Result> {
    let best: { readonly share: number; readonly result: Result } | undefined;
    for (let attempt = 1; ; attempt += 1) {
      if (this.isWanted) await untilQuiet();
      const before = look();
      const result = await measure();
      const share = othersBetween(before, look());
      if (best === undefined || share < best.share) best = { share, result };
      if (!this.isWanted || share <= OTHERS_SHARE_MAX || attempt === ATTEMPTS_MAX) break;
    }
    this.#shares.push(best.share);
    return best.result;
  }

  /** What others used of the cores while that was measured which was kept since the last call: the average and the most. */
  takeShares(): { readonly average: number; readonly most: number } {
    const shares = this.#shares;
    this.#shares = [];
    const sum = shares.reduce((a, b) => a + b, 0);
    return { average: sum / Math.max(1, shares.length), most: Math.max(0, ...shares) };
  }
}

export const quiet = new Quiet();

async function untilQuiet(): Promise<void> {
  const endMs = performance.now() + WAIT_MS_MAX;
  while (performance.now() < endMs) {
    const before = look();
    await new Promise((resolve) => setTimeout(resolve, LOOK_MS));
    if (othersBetween(before, look()) <= OTHERS_SHARE_MAX) return;
  }
}

function othersBetween(before: Times, after: Times): number {
  const allMs = (after.atMs - before.atMs) * cpus().length;
  const othersMs = after.busyMs - before.busyMs - (after.ownMs - before.ownMs);
  return Math.max(0, othersMs / allMs);
}

function look(): Times {
  const busyMs = cpus().reduce(
    (sum, { times }) => sum + times.user + times.nice + times.sys + times.irq,
    0,
  );
  return { atMs: performance.now(), busyMs, ownMs: ownCpuMs() };
}

/** This process and its descendants, those that have ended included. */
function ownCpuMs(): number {
  const all = readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .flatMap((name) => readTimes(Number(name)) ?? []);
  const own = new Set([process.pid]);
  for (let size = 0; size !== own.size;) {
    size = own.size;
    for (const { pid, parent } of all) if (own.has(parent)) own.add(pid);
  }
  return all.reduce((sum, { pid, cpuMs }) => sum + (own.has(pid) ? cpuMs : 0), 0);
}

function readTimes(
  pid: number,
): { readonly pid: number; readonly parent: number; readonly cpuMs: number } | undefined {
  try {
    const text = readFileSync(`/proc/${pid}/stat`, 'utf8');
    const fields = text.slice(text.lastIndexOf(')') + 2).split(' ');
    const ticks = [11, 12, 13, 14].reduce((sum, index) => sum + Number(fields[index]), 0);
    return { pid, parent: Number(fields[1]), cpuMs: ticks * MS_PER_TICK };
  } catch {
    return undefined;
  }
}
