/** Serves a store on a Unix socket to the other processes of this machine: runtimes (their pool's keys only) and further gateways. */
import { chmodSync, rmSync } from 'node:fs';
import { createServer, type Server } from 'node:net';
import { prepareSocketFolder } from './socket-path.ts';
import { StoreConnection, type ConnectionContext } from './store-connection.ts';
import { TOPICS } from './store-methods.ts';

const CONNECTIONS_MAX = 2_000;

export class StoreServer {
  readonly #server: Server;
  readonly #connections: Set<StoreConnection>;
  readonly #stops: readonly (() => void)[];

  private constructor(
    server: Server,
    connections: Set<StoreConnection>,
    stops: readonly (() => void)[],
  ) {
    this.#server = server;
    this.#connections = connections;
    this.#stops = stops;
  }

  /**
   * Takes the place of a socket file that is there: whoever serves a data folder has it open alone.
   * @param path see socketPathFor
   */
  static async listen(path: string, context: ConnectionContext): Promise<StoreServer> {
    prepareSocketFolder(path);
    rmSync(path, { force: true });
    const connections = new Set<StoreConnection>();
    const server = createServer((socket) => {
      socket.setNoDelay(true);
      const connection = new StoreConnection(socket, context, () => connections.delete(connection));
      connections.add(connection);
    });
    server.maxConnections = CONNECTIONS_MAX;
    await new Promise<void>((resolve, reject) => {
      server.once('error', reject);
      server.listen(path, resolve);
    });
    chmodSync(path, 0o600);
    const stops = TOPICS.map((topic) =>
      context.store.subscribe(topic, (pool) => {
        for (const connection of connections) connection.notify(topic, pool);
      }),
    );
    return new StoreServer(server, connections, stops);
  }

  /** Ends every connection; the store itself stays open. */
  async close(): Promise<void> {
    for (const stop of this.#stops) stop();
    const closed = new Promise<void>((resolve) => {
      this.#server.close(() => {
        resolve();
      });
    });
    for (const connection of this.#connections) connection.end();
    await closed;
  }
}
