/** Starts a grpc-js server on `unix:/path` or `host:port` and stops it gracefully; what it serves is the caller's. */
import {
  logVerbosity,
  Server,
  ServerCredentials,
  setLogVerbosity,
  type ServerOptions,
} from '@grpc/grpc-js';
import type { Clock } from '../clock.ts';

export interface GrpcServer {
  /** Where it really listens: `unix:/path` or `host:port`, port 0 resolved. */
  readonly address: string;
  /** Undefined on a Unix socket. */
  readonly port: number | undefined;
  /** No new calls; running ones have `graceMs`, then they are cut off. */
  stop(graceMs: number): Promise<void>;
}

export interface GrpcServerStart {
  readonly listen: string;
  readonly options: ServerOptions;
  /** Adds the services. */
  register(server: Server): void;
  /** Default: none (a Unix socket, loopback). */
  readonly credentials?: ServerCredentials;
}

/** Rejects with one clear sentence when the address cannot be had. */
export async function startGrpcServer(start: GrpcServerStart, clock: Clock): Promise<GrpcServer> {
  // Its failures come to us as errors; on stderr they would be a second, unstructured report.
  setLogVerbosity(logVerbosity.NONE);
  const server = new Server(start.options);
  start.register(server);
  const port = await bound(server, start);
  const isUnix = start.listen.startsWith('unix:');
  return {
    address: isUnix
      ? start.listen
      : `${start.listen.slice(0, start.listen.lastIndexOf(':'))}:${port}`,
    port: isUnix ? undefined : port,
    stop: (graceMs) => stopped(server, graceMs, clock),
  };
}

function bound(server: Server, { listen, credentials }: GrpcServerStart): Promise<number> {
  return new Promise((resolve, reject) => {
    server.bindAsync(listen, credentials ?? ServerCredentials.createInsecure(), (error, port) => {
      if (error === null) {
        resolve(port);
        return;
      }
      server.forceShutdown();
      reject(
        new Error(`cannot listen for gRPC on ${listen}: ${bindProblem(error.message)}`, {
          cause: error,
        }),
      );
    });
  });
}

const BIND_PROBLEMS: readonly (readonly [RegExp, string])[] = [
  [/EADDRINUSE/, 'the address is taken by another process'],
  [/EACCES|EPERM/, 'this process may not use it'],
  [/EADDRNOTAVAIL/, 'this machine has no such address'],
  [/ENOTFOUND|EAI_AGAIN|resolution/i, 'the host name cannot be resolved'],
];

function bindProblem(message: string): string {
  return BIND_PROBLEMS.find(([pattern]) => pattern.test(message))?.[1] ?? message;
}

function stopped(server: Server, graceMs: number, clock: Clock): Promise<void> {
  return new Promise((resolve) => {
    const force = clock.after(graceMs, () => {
      server.forceShutdown();
      resolve();
    });
    server.tryShutdown(() => {
      force.cancel();
      resolve();
    });
  });
}
