/** Wires a runtime: host, link server, store and workers, from a launch configuration to one that serves. Knows neither pods nor parents. */
import { fileURLToPath } from 'node:url';
import { poolKeyOf } from '../core/identifiers.ts';
import { type Clock, systemClock } from '../platform/clock.ts';
import { serverOptions } from '../platform/grpc/grpc-options.ts';
import { startGrpcServer, type GrpcServer } from '../platform/grpc/grpc-server.ts';
import { channelTls, serverTls } from '../platform/grpc/grpc-tls.ts';
import { keepCode } from '../platform/kept-code.ts';
import { LINK_MESSAGE_BYTES_MAX } from '../platform/link/grpc-link-dial.ts';
import { addRuntimeService } from '../platform/link/grpc-link-listen.ts';
import { createGrpcPeer } from '../platform/link/grpc-peer.ts';
import type { RuntimeAccess } from '../platform/link/grpc-runtime-client.ts';
import { createLinkServer, type LinkServer } from '../platform/link/link-server.ts';
import type { Log } from '../platform/log.ts';
import type { Metrics } from '../platform/metrics/registry.ts';
import { systemRandom } from '../platform/random.ts';
import type { Store } from '../platform/store/store.ts';
import type { HostIdentity } from './host/host-ports.ts';
import type { TenantSecrets } from './host/tenant-secrets.ts';
import { RuntimeHost } from './host/runtime-host.ts';
import type { WorkerReady } from './host/worker-handle.ts';
import type { LaunchConfig, Listen } from './launch.ts';
import { rehearse } from './rehearsal.ts';
import { createStartWorker } from './worker/thread-channel.ts';

/** The agent module cannot be used: what drivers read as the exit code. */
export const EXIT_MODULE = 3;
export const EXIT_FAILED = 1;
const STOP_GRACE_MS = 1_000;

export interface Surroundings {
  /** Closed by `leave`. */
  readonly store: Store;
  readonly log: Log;
  readonly metrics: Metrics;
  /** Of the whole process; undefined: none of its own. */
  readonly memoryLimitBytes: number | undefined;
  /** All of the workers' environment; absent: what the manifest's `env` names. */
  readonly workerEnv?: Readonly<Record<string, string>>;
  readonly tenantSecrets?: TenantSecrets;
  /** An empty store in memory: for rehearsing. */
  readonly memoryStore: (clock: Clock) => Store;
}

/** In one line, for the driver. */
export interface StartupFailure {
  readonly reason: 'AgentModuleInvalid';
  readonly message: string;
  readonly stack?: string;
}

export type Started =
  | {
      readonly type: 'running';
      /** Drains, says goodbye, closes all. */
      leave(): Promise<void>;
    }
  | { readonly type: 'broken'; readonly failure: StartupFailure };

/** Rejects when the store or the address cannot be used. */
export async function startRuntime(
  config: LaunchConfig,
  surroundings: Surroundings,
): Promise<Started> {
  const { log, store } = surroundings;
  const { host, links } = wire(config, surroundings);
  const [ready, server] = await Promise.all([
    host.start(),
    listen(config, host, links),
    becomeWarm(config, surroundings),
  ]);
  if (ready.type !== 'ready') return { type: 'broken', failure: failureOf(ready) };
  host.onSpec(() => links.setMaxConcurrentTasks(host.maxConcurrentTasks));
  links.setMaxConcurrentTasks(host.maxConcurrentTasks);
  host.open();
  log.info('runtime ready', { detail: { address: config.listen.address, role: config.role } });
  return {
    type: 'running',
    async leave() {
      await host.drain();
      links.close('the runtime has drained');
      await server.stop(STOP_GRACE_MS);
      await store.close();
    },
  };
}

/** Somebody waits for the first task, and while the module is imported nobody for this thread. */
async function becomeWarm(
  config: LaunchConfig,
  { store, log, memoryStore }: Surroundings,
): Promise<void> {
  // It may stand by for hours.
  if (config.role === 'dedicated') keepCode();
  const identity = identityOf(config);
  const machine = { clock: systemClock, random: systemRandom };
  await rehearse({ ...machine, log, store, memoryStore, identity });
}

function wire(
  config: LaunchConfig,
  { store, log, metrics, memoryLimitBytes, workerEnv, tenantSecrets }: Surroundings,
): { readonly host: RuntimeHost; readonly links: LinkServer } {
  const { incarnation, revision, listen: at } = config;
  const links = createLinkServer(
    { incarnation, revision, maxConcurrentTasks: 0 },
    { task: (task) => host.task(task), call: (request) => host.call(request) },
    systemClock,
  );
  const host: RuntimeHost = new RuntimeHost(
    {
      clock: systemClock,
      random: systemRandom,
      store,
      log,
      metrics,
      startWorker: (options) =>
        createStartWorker({
          entryPath: workerPathOf(config),
          env: workerEnv ?? host.workerEnv,
        })(options),
      hub: links.hub,
      peers: createGrpcPeer(accessOf(config.key, at), systemClock),
      processMemory: () => ({
        rssBytes: process.memoryUsage.rss(),
        limitBytes: memoryLimitBytes,
      }),
      ...(tenantSecrets === undefined ? {} : { tenantSecrets }),
    },
    identityOf(config),
  );
  return { host, links };
}

function identityOf(config: LaunchConfig): HostIdentity {
  const { incarnation, name, revision, role, modulePath, listen: at, namespace, pool } = config;
  return {
    incarnation,
    name,
    revision,
    role,
    modulePath,
    address: at.address,
    pool: poolKeyOf({ namespace, name: pool }),
    graceMs: config.graceMs,
  };
}

/** How this runtime reaches its peers: as it is reached itself. */
function accessOf(key: string, at: Listen): RuntimeAccess {
  if (at.type === 'socket') return { key };
  return { key, tls: { channels: channelTls(at.tls), serverName: at.serverName } };
}

function listen(config: LaunchConfig, host: RuntimeHost, links: LinkServer): Promise<GrpcServer> {
  const { key, incarnation, listen: at } = config;
  const service = {
    key,
    incarnation,
    accept: links.accept.bind(links),
    bind: host.bind.bind(host),
    yieldProject: host.yieldProject.bind(host),
  };
  return startGrpcServer(
    {
      listen: at.address,
      options: serverOptions({ messageBytesMax: LINK_MESSAGE_BYTES_MAX }),
      register: (server) => addRuntimeService(server, service, systemClock),
      ...(at.type === 'socket' ? {} : { credentials: serverTls(at.tls) }),
    },
    systemClock,
  );
}

/** In the bundle the entry of workers lies beside it; in a checkout it is a source file. */
function workerPathOf(config: LaunchConfig): string {
  return config.workerPath ?? fileURLToPath(new URL('worker/entry.ts', import.meta.url));
}

function failureOf(ready: Exclude<WorkerReady, { readonly type: 'ready' }>): StartupFailure {
  const stack = ready.type === 'broken' && ready.stack !== undefined ? { stack: ready.stack } : {};
  const message = ready.type === 'broken' ? ready.message : ready.end.message;
  return { reason: 'AgentModuleInvalid', message, ...stack };
}
