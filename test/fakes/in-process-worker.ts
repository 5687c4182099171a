/** A worker without a thread: the production worker host in this process, on real time. What only a thread can do (exit, a heap limit) it cannot. */
import type {
  FromWorker,
  StartWorker,
  ToWorker,
  WorkerChannel,
  WorkerListener,
  WorkerStart,
} from '../../agent-runtime/worker/protocol.ts';
import { createWorkerHost, type WorkerHost } from '../../agent-runtime/worker/worker-host.ts';
import { systemClock } from '../../platform/clock.ts';
import { systemRandom } from '../../platform/random.ts';

/** @param module what `import` of the agent module gave. */
export function inProcessWorkers(module: unknown): StartWorker {
  let ids = 0;
  return ({ start }) => new InProcessWorker((ids += 1), module, start);
}

class InProcessWorker implements WorkerChannel {
  readonly id: number;
  readonly #host: WorkerHost;
  #listener: WorkerListener | undefined;
  #early: FromWorker[] = [];
  #isAlive = true;

  constructor(id: number, module: unknown, start: WorkerStart) {
    this.id = id;
    this.#host = createWorkerHost({
      post: (message) => {
        const copy = structuredClone(message);
        setImmediate(() => {
          this.#deliver(copy);
        });
      },
      module,
      limits: start.limits,
      clock: systemClock,
      random: systemRandom,
    });
  }

  post(message: ToWorker): void {
    const copy = structuredClone(message);
    setImmediate(() => {
      if (this.#isAlive) this.#host.receive(copy);
    });
  }

  listen(listener: WorkerListener): void {
    this.#listener = listener;
    for (const message of this.#early.splice(0)) listener.message(message);
  }

  terminate(): void {
    if (!this.#isAlive) return;
    this.#isAlive = false;
    setImmediate(() => this.#listener?.exited({ type: 'terminated', message: 'terminated' }));
  }

  #deliver(message: FromWorker): void {
    if (!this.#isAlive) return;
    if (this.#listener === undefined) this.#early.push(message);
    else this.#listener.message(message);
  }
}
