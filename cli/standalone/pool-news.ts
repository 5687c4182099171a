/** Tells the person at the terminal what happens to the pools while they are served: roll-outs, lost runtimes, broken modules. */
import type { PoolEvent } from '../../api/pool-report.ts';
import type { Terminal } from '../terminal.ts';

export interface TellablePool {
  readonly ref: { readonly namespace: string; readonly name: string };
  readonly events: readonly PoolEvent[];
  /** Where the agent module failed, if it did. */
  readonly failureStack?: string;
}

const EVENTS_REMEMBERED_MAX = 1_000;

export class PoolNews {
  readonly #terminal: Terminal;
  readonly #withStacks: boolean;
  /** Events that were told, as `pool reason message count`. */
  readonly #told = new Set<string>();

  /** @param withStacks for the author of the agents; others get the message alone. */
  constructor(terminal: Terminal, withStacks: boolean) {
    this.#terminal = terminal;
    this.#withStacks = withStacks;
  }

  /** What is there now is not news. */
  skip(pools: readonly TellablePool[]): void {
    for (const pool of pools) for (const event of pool.events) this.#remember(keyOf(pool, event));
  }

  tell(pools: readonly TellablePool[]): void {
    for (const pool of pools)
      for (const event of pool.events)
        if (this.#remember(keyOf(pool, event))) this.#print(pool, event);
  }

  #print({ ref, failureStack }: TellablePool, event: PoolEvent): void {
    const { lastTime, reason, message } = event;
    this.#terminal.error(
      `${lastTime.slice(11, 19)} ${ref.namespace}/${ref.name} ${reason}: ${message}`,
    );
    if (reason === 'AgentModuleInvalid' && this.#withStacks && failureStack !== undefined)
      this.#terminal.error(failureStack);
  }

  /** True when it is new. */
  #remember(key: string): boolean {
    if (this.#told.has(key)) return false;
    this.#told.add(key);
    const [oldest] = this.#told;
    if (this.#told.size > EVENTS_REMEMBERED_MAX && oldest !== undefined) this.#told.delete(oldest);
    return true;
  }
}

function keyOf({ ref }: TellablePool, { reason, message, count }: PoolEvent): string {
  return JSON.stringify([ref, reason, message, count]);
}
