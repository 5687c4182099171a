/** A gateway with both of its edges, gRPC and HTTP: in the standalone process, and as a process of its own. */
import type { PoolKey } from '../../core/identifiers.ts';
import { LOCAL_ADMIN } from '../../gateway/access/principal.ts';
import type { Access } from '../../gateway/access/access.ts';
import { startHttpGateway } from '../../gateway/edges/http/http-gateway.ts';
import { END_MS, type Gateway, type GatewayOptions, startGateway } from '../../gateway/main.ts';
import { systemClock } from '../../platform/clock.ts';
import type { Log } from '../../platform/log.ts';
import { createMetrics, type Metrics } from '../../platform/metrics/registry.ts';
import { systemRandom } from '../../platform/random.ts';
import type { RuntimeAccess } from '../../platform/link/grpc-runtime-client.ts';
import type { Store } from '../../platform/store/store.ts';
import type { TlsSource } from '../../platform/tls/tls-material.ts';
import { packageVersion } from '../version.ts';
import { hostAndPort } from '../../platform/host-and-port.ts';
import type { ListenOptions } from './listen-addresses.ts';
import { DRAIN_MS_MAX } from './stop-signals.ts';

export interface EdgesOptions extends Pick<GatewayOptions, 'readiness' | 'scraped'> {
  readonly store: Store;
  readonly access: Access;
  readonly runtimeAccess: (pool: PoolKey) => RuntimeAccess;
  readonly listen: ListenOptions;
  readonly log: Log;
  /** What clients see; absent: plain. */
  readonly tls?: TlsSource;
  /** In the logs of runtimes. */
  readonly name: string;
  /** Default: DRAIN_MS_MAX. */
  readonly drainMsMax?: number;
}

export interface Edges {
  /** `http://127.0.0.1:8080`, with TLS `https://…`. */
  readonly http: string;
  /** `127.0.0.1:9090`. */
  readonly grpc: string;
  readonly pools: Gateway['service']['pools'];
  /** What is scraped here. */
  readonly metrics: Metrics;
  /** Says that it stops, and serves as before. */
  leave(): void;
  /** Tasks in flight have `drainMsMax` to end; then their callers are told. */
  stop(): Promise<void>;
}

const NAMESPACE = 'default';
const REQUEST_BYTES_MAX = 4 * 1024 * 1024;

/** Rejects when an address cannot be had; then nothing is left listening. */
export async function startEdges(options: EdgesOptions): Promise<Edges> {
  const { store, access, runtimeAccess, listen, log, name, tls, readiness, scraped } = options;
  const { drainMsMax = DRAIN_MS_MAX } = options;
  const encryption = tls === undefined ? {} : { tls };
  const metrics = createMetrics(true);
  const gateway = await startGateway({
    clock: systemClock,
    random: systemRandom,
    log,
    metrics,
    store,
    access,
    name,
    grpcListen: hostAndPort(listen.host, listen.grpc),
    defaultNamespace: NAMESPACE,
    runtimeAccess,
    ...encryption,
    ...(readiness === undefined ? {} : { readiness }),
    ...(scraped === undefined ? {} : { scraped }),
    drainMsMax,
  });
  const http = await startHttpGateway({
    service: gateway.service,
    access,
    clock: systemClock,
    random: systemRandom,
    log,
    host: listen.host,
    port: listen.http,
    requestBytesMax: () => requestBytesMax(gateway),
    version: packageVersion(),
    metricsContentType: metrics.contentType,
    ...encryption,
  }).catch(async (error: unknown) => {
    await gateway.stop();
    throw error;
  });
  return {
    http: `${tls === undefined ? 'http' : 'https'}://${hostAndPort(listen.host, http.port)}`,
    grpc: gateway.grpcAddress,
    pools: gateway.service.pools,
    metrics,
    leave() {
      gateway.leave();
      http.leave();
    },
    async stop() {
      await Promise.all([http.stop(drainMsMax + END_MS), gateway.stop()]);
    },
  };
}

function requestBytesMax({ service }: Gateway): number {
  const sizes = service.pools.list(LOCAL_ADMIN).map(({ spec }) => spec.limits.requestBytesMax);
  return sizes.length === 0 ? REQUEST_BYTES_MAX : Math.max(...sizes);
}
