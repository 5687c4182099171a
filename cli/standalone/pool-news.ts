/** Tells the person at the terminal what happens to the pools while they are served: roll-outs, lost runtimes, broken modules. */
import type { PoolEvent } from '../../api/pool-report.ts';
import type { Terminal } from '../terminal.ts';

export interface TellablePool {
  readonly ref: { readonly namespace: string; readonly name: string };
  readonly events: readonly PoolEvent[];
  readonly status: { readonly conditions: readonly TellableCondition[] };
  /** Where the agent module failed, if it did. */
  readonly failureStack?: string;
}

interface TellableCondition {
  readonly type: string;
  readonly status: string;
  readonly reason: string;
  readonly message: string;
}

const TOLD_MAX = 1_000;
const FINE = 'fine';

export class PoolNews {
  readonly #terminal: Terminal;
  readonly #withStacks: boolean;
  readonly #timeText: () => string;
  /** Events that were told, oldest first. */
  readonly #told = new Set<string>();
  /** By pool: what was last told of its trouble. */
  readonly #troubles = new Map<string, string>();

  /** @param options.withStacks for the author of the agents; others get the message alone. */
  constructor(
    terminal: Terminal,
    options: { readonly withStacks: boolean; readonly timeText: () => string },
  ) {
    this.#terminal = terminal;
    this.#withStacks = options.withStacks;
    this.#timeText = options.timeText;
  }

  /** What is there now is not news. */
  skip(pools: readonly TellablePool[]): void {
    for (const pool of pools) {
      this.#troubles.set(nameOf(pool), troubleOf(pool) ?? FINE);
      for (const event of pool.events) this.#remember(keyOf(pool, event));
    }
  }

  tell(pools: readonly TellablePool[]): void {
    for (const pool of pools) {
      this.#tellTrouble(pool);
      // What the condition says is not said twice, nor what the reader of the manifests has said.
      for (const event of pool.events)
        if (this.#remember(keyOf(pool, event)) && !this.#isTold(pool, event))
          this.#print(pool, `${event.reason}: ${event.message}`);
    }
  }

  #tellTrouble(pool: TellablePool): void {
    const name = nameOf(pool);
    const before = this.#troubles.get(name) ?? FINE;
    const now = troubleOf(pool) ?? FINE;
    if (now === before) return;
    this.#troubles.set(name, now);
    this.#print(pool, now === FINE ? 'nothing fails any more' : now);
    if (now !== FINE && this.#withStacks && pool.failureStack !== undefined)
      this.#terminal.error(pool.failureStack);
  }

  #isTold(pool: TellablePool, { reason }: PoolEvent): boolean {
    return reason === 'ManifestInvalid' || troubleOf(pool)?.startsWith(`${reason}:`) === true;
  }

  #print(pool: TellablePool, text: string): void {
    this.#terminal.error(`${this.#timeText()} ${nameOf(pool)} ${text}`);
  }

  /** True when it is new. */
  #remember(key: string): boolean {
    if (this.#told.has(key)) return false;
    this.#told.add(key);
    const [oldest] = this.#told;
    if (this.#told.size > TOLD_MAX && oldest !== undefined) this.#told.delete(oldest);
    return true;
  }
}

function troubleOf({ status }: TellablePool): string | undefined {
  const degraded = status.conditions.find(({ type }) => type === 'Degraded');
  return degraded?.status === 'True' ? `${degraded.reason}: ${degraded.message}` : undefined;
}

function nameOf({ ref }: TellablePool): string {
  return `${ref.namespace}/${ref.name}`;
}

function keyOf(pool: TellablePool, { reason, message, count }: PoolEvent): string {
  return JSON.stringify([nameOf(pool), reason, message, count]);
}
