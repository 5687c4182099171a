/** A proxy between a client and a server on Unix sockets that cuts the connection around one request: before it arrives, or after it was done and before the answer. */
import { createServer, connect, type Server, type Socket } from 'node:net';
import { once } from 'node:events';

export type Cut = 'before the request' | 'before the answer';

export class CuttingProxy {
  readonly path: string;
  readonly #server: Server;
  readonly #sockets = new Set<Socket>();
  #plan: { readonly needle: Buffer; readonly cut: Cut } | undefined;
  #cuts = 0;

  private constructor(path: string, server: Server) {
    this.path = path;
    this.#server = server;
  }

  static async start(path: string, target: string): Promise<CuttingProxy> {
    const server = createServer();
    const proxy = new CuttingProxy(path, server);
    server.on('connection', (client) => proxy.#relay(client, connect(target)));
    server.listen(path);
    await once(server, 'listening');
    return proxy;
  }

  get cuts(): number {
    return this.#cuts;
  }

  /** The next request that holds this text meets its fate; once. */
  cutAt(text: string, cut: Cut): void {
    this.#plan = { needle: Buffer.from(text), cut };
  }

  async stop(): Promise<void> {
    this.#server.close();
    for (const socket of this.#sockets) socket.destroy();
    await once(this.#server, 'close');
  }

  #relay(client: Socket, server: Socket): void {
    const both = [client, server];
    const end = (): void => {
      for (const socket of both) {
        socket.destroy();
        this.#sockets.delete(socket);
      }
    };
    for (const socket of both) {
      this.#sockets.add(socket);
      socket.on('error', end);
      socket.on('close', end);
    }
    let isDeaf = false;
    server.on('data', (chunk) => {
      // The request has been done: its answer is here.
      if (isDeaf) end();
      else client.write(chunk);
    });
    client.on('data', (chunk) => {
      const cut = this.#meet(chunk);
      if (cut === 'before the request') end();
      else {
        isDeaf ||= cut === 'before the answer';
        server.write(chunk);
      }
    });
  }

  #meet(chunk: Buffer): Cut | undefined {
    const plan = this.#plan;
    if (plan === undefined || !chunk.includes(plan.needle)) return undefined;
    this.#plan = undefined;
    this.#cuts += 1;
    return plan.cut;
  }
}
