/** A process that can be stopped and continued, as by SIGSTOP: its timers and answers wait, while the clock of the machine goes on. */
import { type Clock, sleepOn, type Timer } from '../../platform/clock.ts';
import { aroundCalls } from '../../platform/kube/around-calls.ts';
import type { Kube } from '../../platform/kube/kube.ts';

export class Freezable {
  #frozen: { readonly thawed: Promise<void>; readonly thaw: () => void } | undefined;

  get isFrozen(): boolean {
    return this.#frozen !== undefined;
  }

  freeze(): void {
    if (this.#frozen !== undefined) return;
    const { promise, resolve } = Promise.withResolvers<undefined>();
    this.#frozen = { thawed: promise.then(() => undefined), thaw: () => resolve(undefined) };
  }

  thaw(): void {
    this.#frozen?.thaw();
    this.#frozen = undefined;
  }

  clock(clock: Clock): Clock {
    const frozen: Clock = {
      nowMs: () => clock.nowMs(),
      wallMs: () => clock.wallMs(),
      after: (delayMs, fn): Timer => {
        let isCancelled = false;
        const timer = clock.after(delayMs, () => {
          if (this.#frozen === undefined) fn();
          else void this.#frozen.thawed.then(() => (isCancelled ? undefined : fn()));
        });
        return {
          cancel: () => {
            isCancelled = true;
            timer.cancel();
          },
        };
      },
      sleep: (delayMs, signal) => sleepOn(frozen, delayMs, signal),
    };
    return frozen;
  }

  /** Frozen between a decision and its call, the call is sent late; frozen after it, the answer is read late. */
  kube(kube: Kube): Kube {
    const gated = aroundCalls(kube, async (_call, send) => {
      await this.#frozen?.thawed;
      try {
        return await send();
      } finally {
        await this.#frozen?.thawed;
      }
    });
    return {
      ...gated,
      watch: (resource, selection, options) =>
        this.#gated(kube.watch(resource, selection, options)),
    };
  }

  async *#gated<T>(events: AsyncIterable<T>): AsyncGenerator<T> {
    for await (const event of events) {
      await this.#frozen?.thawed;
      yield event;
    }
  }
}
