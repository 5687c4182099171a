/** The runtime's end of all links: takes channels from an adapter, shares the credit out among them, pushes what concerns every gateway. */
import { splitCredit } from '../../core/credit.ts';
import type { ProjectKey } from '../../core/identifiers.ts';
import type { Clock } from '../clock.ts';
import type { FrameChannel, FromRuntime, ToRuntime } from './frames.ts';
import { BODY_BYTES_MAX, SLOW_CONSUMER_MS } from './link-limits.ts';
import { ServerConnection } from './server-connection.ts';
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
  accept(channel: FrameChannel<FromRuntime, ToRuntime>): void;
  setMaxConcurrentTasks(tasks: number): void;
  /** Closes every link; tasks with CANCEL are aborted. */
  close(reason: string): void;
  /** Tasks, inputs and calls of all links that are not done. */
  readonly unfinished: number;
}

export function createLinkServer(options: LinkServerOptions, handler: TaskHandler, clock: Clock): LinkServer {
  const { slowConsumerMs = SLOW_CONSUMER_MS, inputBytesMax = BODY_BYTES_MAX, incarnation, revision } = options;
  const connections = new Set<ServerConnection>();
  let maxConcurrentTasks = options.maxConcurrentTasks;
  let isDraining = false;

  const welcomed = (): ServerConnection[] => [...connections].filter((connection) => connection.isWelcome);
  const broadcast = (frame: FromRuntime): void => welcomed().forEach((connection) => connection.send(frame));
  const regrant = (): void => {
    const links = welcomed();
    const shares = splitCredit(maxConcurrentTasks, links.map((link) => link.demand));
    links.forEach((link, index) => link.grant(shares[index] ?? 0));
  };
  const deps = {
    clock,
    handler,
    incarnation,
    revision,
    slowConsumerMs,
    inputBytesMax,
    welcomed(connection: ServerConnection) {
      if (isDraining) connection.send({ type: 'draining' });
      regrant();
    },
    demandChanged: regrant,
    closed(connection: ServerConnection) {
      if (connections.delete(connection)) regrant();
    },
  };

  return {
    hub: {
      moved(project: ProjectKey, epoch: number, to) {
        broadcast({ type: 'moved', project, epoch, ...(to === undefined ? {} : { to }) });
      },
      draining() {
        isDraining = true;
        broadcast({ type: 'draining' });
      },
      get links() {
        return welcomed().length;
      },
    },
    accept(channel) {
      connections.add(new ServerConnection(channel, deps));
    },
    setMaxConcurrentTasks(tasks) {
      maxConcurrentTasks = tasks;
      regrant();
    },
    close(reason) {
      for (const connection of [...connections]) connection.close(reason);
    },
    get unfinished() {
      return [...connections].reduce((sum, connection) => sum + connection.unfinished, 0);
    },
  };
}
