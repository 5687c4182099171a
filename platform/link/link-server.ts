/** The runtime's end of all links: takes channels from an adapter, shares the credit out among them, pushes what concerns every gateway. */
import { splitCredit } from '../../core/credit.ts';
import type { Clock } from '../clock.ts';
import type { FrameChannel, FromRuntime, ToRuntime } from './frames.ts';
import { BODY_BYTES_MAX, SLOW_CONSUMER_MS } from './link-limits.ts';
import { ServerConnection, type ServerConnectionDeps } from './server-connection.ts';
import type { LinkHub, TaskHandler } from './task-link.ts';

export interface LinkServerOptions {
  readonly incarnation: string;
  readonly revision: string;
  /** Credit of all links together. */
  readonly maxConcurrentTasks: number;
  readonly slowConsumerMs?: number;
  /** Larger inputs fail with PAYLOAD_TOO_LARGE. */
  readonly inputBytesMax?: number;
}

export interface LinkServer {
  readonly hub: LinkHub;
  /** A gateway has connected. */
  readonly accept: (channel: FrameChannel<FromRuntime, ToRuntime>) => void;
  setMaxConcurrentTasks(tasks: number): void;
  /** Closes every link; tasks with CANCEL are aborted. */
  close(reason: string): void;
  /** Tasks, inputs and calls of all links that are not done. */
  readonly unfinished: number;
}

export function createLinkServer(
  options: LinkServerOptions,
  handler: TaskHandler,
  clock: Clock,
): LinkServer {
  return new Links(options, handler, clock);
}

class Links implements LinkServer {
  readonly #connections = new Set<ServerConnection>();
  readonly #deps: ServerConnectionDeps;
  #maxConcurrentTasks: number;
  #isDraining = false;

  constructor(options: LinkServerOptions, handler: TaskHandler, clock: Clock) {
    const {
      incarnation,
      revision,
      slowConsumerMs = SLOW_CONSUMER_MS,
      inputBytesMax = BODY_BYTES_MAX,
    } = options;
    this.#maxConcurrentTasks = options.maxConcurrentTasks;
    this.#deps = {
      clock,
      handler,
      incarnation,
      revision,
      slowConsumerMs,
      inputBytesMax,
      welcomed: (connection) => {
        if (this.#isDraining) connection.send({ type: 'draining' });
        this.#regrant();
      },
      demandChanged: () => this.#regrant(),
      closed: (connection) => {
        if (this.#connections.delete(connection)) this.#regrant();
      },
    };
  }

  readonly accept = (channel: FrameChannel<FromRuntime, ToRuntime>): void => {
    const connection = new ServerConnection(channel, this.#deps);
    this.#connections.add(connection);
    connection.open();
  };

  readonly hub: LinkHub = hubOf({
    links: () => this.#welcomed().length,
    push: (frame) => {
      if (frame.type === 'draining') this.#isDraining = true;
      for (const connection of this.#welcomed()) connection.send(frame);
    },
  });

  get unfinished(): number {
    return [...this.#connections].reduce((sum, connection) => sum + connection.unfinished, 0);
  }

  setMaxConcurrentTasks(tasks: number): void {
    this.#maxConcurrentTasks = tasks;
    this.#regrant();
  }

  close(reason: string): void {
    for (const connection of [...this.#connections]) connection.close(reason);
  }

  #welcomed(): ServerConnection[] {
    return [...this.#connections].filter((connection) => connection.isWelcome);
  }

  #regrant(): void {
    const links = this.#welcomed();
    const demands = links.map((link) => link.demand);
    const shares = splitCredit(this.#maxConcurrentTasks, demands);
    links.forEach((link, index) => link.grant(shares[index] ?? 0));
  }
}

interface AllLinks {
  links(): number;
  push(frame: FromRuntime): void;
}

function hubOf(all: AllLinks): LinkHub {
  return {
    moved: (project, epoch, to) =>
      all.push({ type: 'moved', project, epoch, ...(to === undefined ? {} : { to }) }),
    draining: () => all.push({ type: 'draining' }),
    get links() {
      return all.links();
    },
  };
}
