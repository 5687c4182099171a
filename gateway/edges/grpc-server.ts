/** The gateway's gRPC edge: the two public services, health and reflection on one port, limits per message and connection, an orderly end. */
import type { Server, ServerOptions } from '@grpc/grpc-js';
import { HealthImplementation } from 'grpc-health-check';
import { serverOptions } from '../../platform/grpc/grpc-options.ts';
import { startGrpcServer } from '../../platform/grpc/grpc-server.ts';
import { serverTls } from '../../platform/grpc/grpc-tls.ts';
import type { TlsSource } from '../../platform/tls/tls-material.ts';
import {
  AGENT_POOL_SERVICE,
  agentPoolService,
  POOL_ADMIN_SERVICE,
  poolAdminService,
} from '../../proto/load.ts';
import { adminHandlers } from './grpc-admin-service.ts';
import { connectStreams } from './grpc-connect.ts';
import { executeHandler, executeStreamHandler } from './grpc-execute.ts';
import type { GrpcEdge } from './grpc-edge.ts';
import { projectHandlers } from './grpc-project-service.ts';
import { addReflection } from './grpc-reflection.ts';

const MINUTE_MS = 60_000;
/** What a request carries beside its input. */
const REQUEST_SLACK_BYTES = 64 * 1024;
/** Until the pools are known. */
const REQUEST_BYTES_MAX = 4 * 1024 * 1024;

export interface GrpcGateway {
  /** `host:port`, with the port that was taken. */
  readonly address: string;
  setServing(isServing: boolean): void;
  /** The largest input of any pool: a request may be twice as large before grpc-js refuses it unread. */
  setRequestBytesMax(bytesMax: number): void;
  /** Takes no new calls; those in flight are cut off after `cutOffMs`. @param drainMs what clients are told, where that is less. */
  stop(cutOffMs: number, drainMs?: number): Promise<void>;
  /** While it stops: what is left has only this long. */
  cutOff(graceMs: number): Promise<void>;
}

export interface GrpcListen {
  /** `host:port`; port 0: any free one. */
  readonly address: string;
  /** Absent: plain. */
  readonly tls?: TlsSource;
}

/** Rejects with one clear sentence when the address cannot be had. */
export async function startGrpcGateway(
  edge: GrpcEdge,
  { address: listen, tls }: GrpcListen,
): Promise<GrpcGateway> {
  const health = new HealthImplementation();
  const setServing = (isServing: boolean): void => {
    for (const name of ['', AGENT_POOL_SERVICE, POOL_ADMIN_SERVICE])
      health.setStatus(name, isServing ? 'SERVING' : 'NOT_SERVING');
  };
  setServing(false);
  // grpc-js looks the limits up in this very object at each call.
  const options: ServerOptions = {
    ...serverOptions({
      messageBytesMax: -1,
      connectionAgeMsMax: 30 * MINUTE_MS,
      connectionAgeGraceMs: 10 * MINUTE_MS,
      streamsPerConnectionMax: 10_000,
    }),
  };
  const setRequestBytesMax = (bytesMax: number): void => {
    options['grpc.max_receive_message_length'] = 2 * bytesMax + REQUEST_SLACK_BYTES;
  };
  setRequestBytesMax(REQUEST_BYTES_MAX);
  const connect = connectStreams(edge);
  let ownAddress = listen;
  const register = (server: Server): void => {
    health.addToServer(server);
    addReflection(server);
    // What a later version brings is left out, and so answered with UNIMPLEMENTED.
    server.addService(agentPoolService, {
      Execute: executeHandler(edge),
      ExecuteStream: executeStreamHandler(edge),
      Connect: connect.handler,
      ...projectHandlers(edge, () => ownAddress),
    });
    server.addService(poolAdminService, adminHandlers(edge));
  };
  const credentials = tls === undefined ? {} : { credentials: serverTls(tls) };
  const server = await startGrpcServer({ listen, options, register, ...credentials }, edge.clock);
  ownAddress = server.address;
  return {
    address: ownAddress,
    setServing,
    setRequestBytesMax,
    stop: (cutOffMs, drainMs = cutOffMs) => {
      setServing(false);
      connect.goAway(edge.clock.wallMs() + drainMs);
      return server.stop(cutOffMs);
    },
    cutOff: (graceMs) => server.stop(graceMs),
  };
}
