/** Workers of the simulation: the production worker host in process, its messages carried by the room instead of a thread's port. */
import { createWorkerHost, type WorkerHost } from '../../agent-runtime/worker/worker-host.ts';
import type {
  FromWorker,
  StartWorker,
  ToWorker,
  WorkerChannel,
  WorkerListener,
} from '../../agent-runtime/worker/protocol.ts';
import type { SimProcess, World } from './world.ts';

const MESSAGE_MS = 0.05;
const START_MS = 20;

/** @param module makes the agents for one worker; they may sleep on the process's clock. */
export function simWorkers(world: World, process: SimProcess, module: () => unknown): StartWorker {
  let ids = 0;
  return ({ start }) =>
    new SimWorker(world, process, { id: (ids += 1), module, limits: start.limits });
}

interface Options {
  readonly id: number;
  readonly module: () => unknown;
  readonly limits: Parameters<typeof createWorkerHost>[0]['limits'];
}

class SimWorker implements WorkerChannel {
  readonly id: number;
  readonly #world: World;
  readonly #process: SimProcess;
  #host: WorkerHost | undefined;
  #listener: WorkerListener | undefined;
  #waiting: ToWorker[] = [];
  #isAlive = true;

  constructor(world: World, process: SimProcess, options: Options) {
    this.id = options.id;
    this.#world = world;
    this.#process = process;
    world.schedule(START_MS, process, () => {
      if (!this.#isAlive) return;
      this.#host = createWorkerHost({
        post: (message) => {
          this.#deliver(message);
        },
        module: options.module(),
        limits: options.limits,
        clock: process.clock,
        random: world.random,
      });
      for (const message of this.#waiting.splice(0)) this.#host.receive(message);
    });
  }

  post(message: ToWorker): void {
    // A thread gets a copy.
    const copy = structuredClone(message);
    this.#world.schedule(MESSAGE_MS, this.#process, () => {
      if (!this.#isAlive) return;
      if (this.#host === undefined) this.#waiting.push(copy);
      else this.#host.receive(copy);
    });
  }

  listen(listener: WorkerListener): void {
    this.#listener = listener;
  }

  terminate(): void {
    if (!this.#isAlive) return;
    this.#isAlive = false;
    this.#world.schedule(MESSAGE_MS, this.#process, () => {
      this.#listener?.exited({ type: 'terminated', message: 'terminated' });
    });
  }

  #deliver(message: FromWorker): void {
    const copy = structuredClone(message);
    this.#world.schedule(MESSAGE_MS, this.#process, () => {
      if (this.#isAlive) this.#listener?.message(copy);
    });
  }
}
