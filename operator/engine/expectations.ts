/**
 * Own creates and deletes, for as long as lists may not show them yet: without them a stale list makes the same thing again
 * and again. Seen once is not enough to forget one, as the next list may be older; only time ends a wait.
 */
export class Expectations {
  readonly #timeoutMs: number;
  /** Name → when the wait for it ends (monotonic ms). Bounded by what is made within the time-out. */
  readonly #created = new Map<string, number>();
  readonly #deleted = new Map<string, number>();
  #listed: ReadonlySet<string> = new Set();

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

  /** It was refused for certain, or has come and goes again: there is nothing to wait for. */
  dropCreated(name: string): void {
    this.#created.delete(name);
  }

  /** What a list showed; ends the waits whose time is over. */
  observe(names: ReadonlySet<string>, nowMs: number): void {
    this.#listed = names;
    for (const waits of [this.#created, this.#deleted])
      for (const [name, untilMs] of waits) if (nowMs >= untilMs) waits.delete(name);
  }

  /** Created by us lately, and not in the last list. */
  get missing(): readonly string[] {
    return [...this.#created.keys()].filter((name) => !this.#listed.has(name));
  }

  /** Deleted by us lately: not there, whatever a list shows. */
  isDeleted(name: string): boolean {
    return this.#deleted.has(name);
  }

  /** All that the last list showed, and all that is waited for. */
  get names(): ReadonlySet<string> {
    return new Set([...this.#listed, ...this.#created.keys(), ...this.#deleted.keys()]);
  }

  /** When the next wait for something that the last list does not show, or still shows, ends. */
  get nextTimeoutMs(): number | undefined {
    const open = [
      ...this.missing.map((name) => this.#created.get(name) ?? Infinity),
      ...[...this.#deleted].flatMap(([name, ms]) => (this.#listed.has(name) ? ms : [])),
    ];
    return open.length === 0 ? undefined : Math.min(...open);
  }
}
