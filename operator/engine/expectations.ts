/**
 * Own creates and deletes that lists do not show yet: without them a stale list makes the same thing again and again.
 * A time-out ends each, so that a create that got lost is made anew.
 */
export class Expectations {
  readonly #timeoutMs: number;
  /** Name → when the wait for it ends (monotonic ms). */
  readonly #created = new Map<string, number>();
  readonly #deleted = new Map<string, number>();

  constructor(timeoutMs: number) {
    this.#timeoutMs = timeoutMs;
  }

  /** Said before the create is sent: a list may show it before the create returns. */
  expectCreated(name: string, nowMs: number): void {
    this.#created.set(name, nowMs + this.#timeoutMs);
  }

  expectDeleted(name: string, nowMs: number): void {
    this.#created.delete(name);
    this.#deleted.set(name, nowMs + this.#timeoutMs);
  }

  /** The create was refused for certain: there is nothing to wait for. */
  dropCreated(name: string): void {
    this.#created.delete(name);
  }

  /** What a list showed: ends the waits that it answers, and those whose time is over. */
  observe(names: ReadonlySet<string>, nowMs: number): void {
    for (const [name, untilMs] of this.#created)
      if (names.has(name) || nowMs >= untilMs) this.#created.delete(name);
    for (const [name, untilMs] of this.#deleted)
      if (!names.has(name) || nowMs >= untilMs) this.#deleted.delete(name);
  }

  /** Created by us and not in the list yet. */
  get missing(): readonly string[] {
    return [...this.#created.keys()];
  }

  /** Deleted by us, though the list still shows it. */
  isDeleted(name: string): boolean {
    return this.#deleted.has(name);
  }

  /** When the next wait ends, if any. */
  get nextTimeoutMs(): number | undefined {
    const all = [...this.#created.values(), ...this.#deleted.values()];
    return all.length === 0 ? undefined : Math.min(...all);
  }
}
