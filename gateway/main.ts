/** Wires a gateway process (or the gateway's part of the standalone one): store, links, stages, edges; and takes it down in order. */
import type { PoolKey } from '../core/identifiers.ts';
import type { Clock } from '../platform/clock.ts';
import { createGrpcDial } from '../platform/link/grpc-link-dial.ts';
import type { RuntimeAccess } from '../platform/link/grpc-runtime-client.ts';
import { createRuntimeLink } from '../platform/link/link-client.ts';
import type { Log } from '../platform/log.ts';
import type { Metrics } from '../platform/metrics/registry.ts';
import type { Random } from '../platform/random.ts';
import type { Store } from '../platform/store/store.ts';
import type { TlsSource } from '../platform/tls/tls-material.ts';
import type { Access } from './access/access.ts';
import { startGrpcGateway } from './edges/grpc-server.ts';
import { createGatewayCore } from './gateway-core.ts';
import type { ConnectRuntime } from './routing/runtime-set.ts';
import {
  createGatewayService,
  type GatewayService,
  type GatewayServiceOptions,
} from './service/gateway-service.ts';
import { CANCEL_ANSWER_MS } from './stages/attempt.ts';

export interface GatewayOptions extends GatewayServiceOptions {
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
  readonly metrics: Metrics;
  /** Closed by whoever opened it. */
  readonly store: Store;
  readonly access: Access;
  /** This gateway's name in the logs of runtimes. */
  readonly name: string;
  /** `host:port` of the gRPC edge; port 0: any free one. */
  readonly grpcListen: string;
  /** Of a pool name that has none. */
  readonly defaultNamespace: string;
  /** How the runtimes of a pool are reached. */
  readonly runtimeAccess: (pool: PoolKey) => RuntimeAccess;
  /** What clients of the gRPC edge see; absent: plain. */
  readonly tls?: TlsSource;
  /** So long tasks may take to end at `stop`; END_MS later all is over. */
  readonly drainMsMax: number;
}

export interface Gateway {
  readonly grpcAddress: string;
  readonly service: GatewayService;
  /** Not ready any more, for probes and health checks, but serves as before: callers are to go elsewhere first. */
  leave(): void;
  /** Not serving → no new tasks → those in flight end, or are ended when their time is up → links closed. */
  stop(): Promise<void>;
}

/** For answers to leave, before connections are cut. */
const LAST_ANSWERS_MS = 1_000;
/** After the drain: until every caller whose task was ended has been told so, and connections are cut. */
export const END_MS = CANCEL_ANSWER_MS + LAST_ANSWERS_MS;

/** Rejects when the address cannot be had; then nothing is left running. */
export async function startGateway(options: GatewayOptions): Promise<Gateway> {
  const { access, clock, log, drainMsMax, tls } = options;
  const core = createGatewayCore({ ...options, connect: linksOf(options) });
  await core.start();
  const service = createGatewayService(core.context, options.metrics, options);
  const grpc = await startGrpcGateway(
    { access, clock, log, service },
    { address: options.grpcListen, ...(tls === undefined ? {} : { tls }) },
  ).catch((error: unknown) => {
    core.stop();
    throw error;
  });
  const follow = (): void => {
    grpc.setRequestBytesMax(
      Math.max(0, ...core.context.membership.pools.map(({ spec }) => spec.limits.requestBytesMax)),
    );
    // Once ready it stays so: a runtime that restarts is waited for, clients need not look elsewhere.
    isServing ||= service.pools.isReady;
    grpc.setServing(isServing && !service.pools.isLeaving);
  };
  let isServing = false;
  const leave = (): void => {
    service.pools.leave();
    follow();
  };
  core.onChange(follow);
  follow();
  return {
    grpcAddress: grpc.address,
    service,
    leave,
    async stop() {
      leave();
      const force = clock.after(drainMsMax, () => {
        log.warn('tasks did not end in time', { detail: { tasks: service.tasks.active } });
        service.abortAll();
      });
      const stopped = grpc.stop(drainMsMax + END_MS, drainMsMax);
      await service.drain();
      force.cancel();
      // Streams that have no end of their own (health watches, idle clients) are not waited for.
      await Promise.all([stopped, grpc.cutOff(LAST_ANSWERS_MS)]);
      core.stop();
    },
  };
}

/** A dial for each link, as each pool has a key of its own: nothing is left of a pool that is gone. */
function linksOf({ clock, random, name, runtimeAccess }: GatewayOptions): ConnectRuntime {
  return ({ incarnation, address }, pool, events) =>
    createRuntimeLink(
      { gateway: name, incarnation, address, times: pool.spec.link },
      { dial: createGrpcDial(runtimeAccess(pool.key), random), clock, random, events },
    );
}
