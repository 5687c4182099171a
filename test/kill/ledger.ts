/** What the clients of a kill run know: which requests were acknowledged with which answer, and how many sends each took. */

export interface Acknowledged {
  readonly project: string;
  readonly requestId: string;
  readonly count: number;
  readonly sends: number;
  readonly startedMs: number;
  readonly endedMs: number;
  readonly errors: readonly string[];
}

/** A time in which failing is allowed: from a fault until the recovery that P10 states. */
export interface Window {
  readonly fromMs: number;
  readonly untilMs: number;
}

export class Ledger {
  readonly #byProject = new Map<string, Acknowledged[]>();
  total = 0;

  add(entry: Acknowledged): void {
    const entries = this.#byProject.get(entry.project) ?? [];
    entries.push(entry);
    this.#byProject.set(entry.project, entries);
    this.total += 1;
  }

  projects(): readonly string[] {
    return [...this.#byProject.keys()];
  }

  entries(project: string): readonly Acknowledged[] {
    return this.#byProject.get(project) ?? [];
  }

  /** Of the requests that did not touch a window: the share that needed one send only. */
  firstSendShare(windows: readonly Window[]): {
    readonly outside: number;
    readonly share: number;
    readonly errors: ReadonlyMap<string, number>;
  } {
    const outside = [...this.#byProject.values()]
      .flat()
      .filter(
        (entry) => !windows.some((w) => entry.startedMs <= w.untilMs && entry.endedMs >= w.fromMs),
      );
    const errors = new Map<string, number>();
    for (const error of outside.flatMap((entry) => entry.errors))
      errors.set(error, (errors.get(error) ?? 0) + 1);
    const once = outside.filter((entry) => entry.sends === 1).length;
    return {
      outside: outside.length,
      share: outside.length === 0 ? 1 : once / outside.length,
      errors,
    };
  }
}

/** What the server says of a project at the end. */
export interface Remembered {
  readonly count: number;
  readonly turnsByRequest: ReadonlyMap<string, number>;
}

/** Every way in which what the server remembers contradicts what it acknowledged; empty when it does not. */
export function contradictions(
  project: string,
  entries: readonly Acknowledged[],
  remembered: Remembered,
): readonly string[] {
  const wrong: string[] = [];
  if (remembered.count !== entries.length) {
    wrong.push(
      `${project}: the counter is ${String(remembered.count)} after ${String(entries.length)} acknowledged requests`,
    );
  }
  const counts = entries.map((entry) => entry.count).sort((a, b) => a - b);
  if (counts.some((count, index) => count !== index + 1))
    wrong.push(`${project}: answers were ${counts.join(',')}`);
  for (const { requestId } of entries) {
    const turns = remembered.turnsByRequest.get(requestId) ?? 0;
    if (turns !== 1) wrong.push(`${project}: ${requestId} has ${String(turns)} turns`);
  }
  if (remembered.turnsByRequest.size !== entries.length) {
    wrong.push(
      `${project}: ${String(remembered.turnsByRequest.size)} requests have turns, ${String(entries.length)} were acknowledged`,
    );
  }
  return wrong;
}
