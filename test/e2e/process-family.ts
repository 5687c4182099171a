/** Which processes a server has started, by Linux' /proc: they are told apart from later ones of the same pid by their start time. */
import { readFileSync, readdirSync } from 'node:fs';

export interface ProcessView {
  readonly pid: number;
  readonly parent: number;
  readonly session: number;
  /** `R` running, `S` sleeping, `T` stopped, `Z` ended but not waited for, … */
  readonly state: string;
  /** Clock ticks since boot: with the pid, an identity. */
  readonly startTicks: number;
  readonly residentBytes: number;
}

const PAGE_BYTES = 4_096;

export function readProcess(pid: number): ProcessView | undefined {
  try {
    const text = readFileSync(`/proc/${pid}/stat`, 'utf8');
    // The name is in parentheses and may hold anything.
    const fields = text.slice(text.lastIndexOf(')') + 2).split(' ');
    const number = (index: number): number => Number(fields[index]);
    return {
      pid,
      parent: number(1),
      session: number(3),
      state: fields[0] ?? '?',
      startTicks: number(19),
      residentBytes: number(21) * PAGE_BYTES,
    };
  } catch {
    return undefined;
  }
}

function readAll(): ProcessView[] {
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .flatMap((name) => readProcess(Number(name)) ?? []);
}

/** The descendants of one process. Each look remembers them, so that orphans are still known after their parents died. */
export class ProcessFamily {
  readonly #root: ProcessView | undefined;
  readonly #known = new Map<number, ProcessView>();

  constructor(rootPid: number) {
    this.#root = readProcess(rootPid);
  }

  /** The living ones but the root; a zombie counts as ended. */
  look(): readonly ProcessView[] {
    const all = readAll();
    const root = this.#root;
    const isKnown = (one: ProcessView): boolean =>
      this.#known.get(one.pid)?.startTicks === one.startTicks;
    let grew = root !== undefined;
    while (grew) {
      grew = false;
      for (const one of all) {
        if (one.pid === root?.pid || isKnown(one) || !this.#belongs(one)) continue;
        this.#known.set(one.pid, one);
        grew = true;
      }
    }
    return all.filter((one) => isKnown(one) && one.state !== 'Z');
  }

  #belongs(one: ProcessView): boolean {
    const root = this.#root;
    if (root === undefined || one.startTicks < root.startTicks) return false;
    const parent = this.#known.get(one.parent);
    const isChild =
      one.parent === root.pid || (parent !== undefined && parent.startTicks <= one.startTicks);
    // A root that leads a session of its own marks all that did not leave it.
    return isChild || (root.session === root.pid && one.session === root.session);
  }
}
