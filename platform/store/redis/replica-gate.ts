/** Waits until replicas have what was written: those who ask meanwhile share the next wait, so that it does not queue up. */
import { StoreError } from '../store-error.ts';
import type { RedisConnection } from './redis-connection.ts';

export class ReplicaGate {
  readonly #connection: RedisConnection;
  readonly #replicas: number;
  readonly #waitMs: number;
  #waiting: Promise<number> | undefined;
  #next: Promise<number> | undefined;

  /** @param connection the one that writes: Redis waits for what came through it. */
  constructor(connection: RedisConnection, replicas: number, waitMs: number) {
    this.#connection = connection;
    this.#replicas = replicas;
    this.#waitMs = waitMs;
  }

  /** Resolves when enough replicas have all that this connection wrote before. @throws StoreError with outcome `unknown` */
  async wait(name: string): Promise<void> {
    if (this.#replicas === 0) return;
    let acknowledged: number;
    try {
      acknowledged = await this.#share();
    } catch (error) {
      throw new StoreError(`${name}: ${(error as Error).message}`, 'unknown', error);
    }
    if (acknowledged >= this.#replicas) return;
    throw new StoreError(
      `${name}: ${acknowledged} of ${this.#replicas} replicas have it after ${this.#waitMs} ms`,
      'unknown',
    );
  }

  /** A wait that is under way may have been sent before our write; the one after it was not. */
  #share(): Promise<number> {
    if (this.#waiting === undefined) return this.#start();
    this.#next ??= this.#waiting.then(
      () => this.#start(),
      () => this.#start(),
    );
    return this.#next;
  }

  #start(): Promise<number> {
    this.#next = undefined;
    const waiting = this.#ask().finally(() => {
      if (this.#waiting === waiting) this.#waiting = undefined;
    });
    this.#waiting = waiting;
    return waiting;
  }

  async #ask(): Promise<number> {
    const args = [this.#replicas, this.#waitMs];
    const answer = await this.#connection.call({
      name: 'WAIT',
      writes: false,
      command: 'WAIT',
      args,
    });
    return Number(answer);
  }
}
