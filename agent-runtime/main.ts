/** A runtime as a process: reads how it was launched, wires host, link server, store and workers, drains on SIGTERM. Decides nothing. */
import { writeSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { poolKeyOf } from '../core/identifiers.ts';
import { systemClock } from '../platform/clock.ts';
import { serverOptions } from '../platform/grpc/grpc-options.ts';
import { startGrpcServer, type GrpcServer } from '../platform/grpc/grpc-server.ts';
import { LINK_MESSAGE_BYTES_MAX } from '../platform/link/grpc-link-dial.ts';
import { addRuntimeService } from '../platform/link/grpc-link-listen.ts';
import { createGrpcPeer } from '../platform/link/grpc-peer.ts';
import { createLinkServer, type LinkServer } from '../platform/link/link-server.ts';
import { createLog, type Log } from '../platform/log.ts';
import { createMetrics } from '../platform/metrics/registry.ts';
import { systemRandom } from '../platform/random.ts';
import { StoreClient } from '../platform/store/store-client.ts';
import type { Store } from '../platform/store/store.ts';
import { RuntimeHost } from './host/runtime-host.ts';
import type { WorkerReady } from './host/worker-handle.ts';
import { LAUNCH_BYTES_MAX, parseLaunch, type LaunchConfig } from './launch.ts';
import { dieWithParent, readFirstLine } from './server/parent-watch.ts';
import { createStartWorker } from './worker/thread-channel.ts';

/** The agent module cannot be used; what is wrong was said in one line on standard output. */
const EXIT_MODULE = 3;
const EXIT_FAILED = 1;
const STOP_GRACE_MS = 1_000;

interface Running {
  readonly host: RuntimeHost;
  readonly links: LinkServer;
  readonly server: GrpcServer;
  readonly store: Store;
}

const launch = parseLaunch(readFirstLine(LAUNCH_BYTES_MAX));
dieWithParent();
const log = createLog(launch.logLevel, 'runtime').with({
  namespace: launch.namespace,
  pool: launch.pool,
  runtime: launch.incarnation,
});
run(launch, log).catch((error: unknown) => {
  log.error('runtime cannot start', { err: error });
  process.exit(EXIT_FAILED);
});

async function run(config: LaunchConfig, log: Log): Promise<void> {
  const store = await StoreClient.connect({
    ...config.store,
    clock: systemClock,
    random: systemRandom,
    log,
  });
  const { host, links } = wire(config, store, log);
  const [ready, server] = await Promise.all([host.start(), listen(config, host, links)]);
  if (ready.type !== 'ready') fail(ready);
  host.onSpec(() => links.setMaxConcurrentTasks(host.maxConcurrentTasks));
  links.setMaxConcurrentTasks(host.maxConcurrentTasks);
  host.open();
  log.info('runtime ready', { detail: { address: config.listen, role: config.role } });
  process.once('SIGTERM', () => void leave({ host, links, server, store }));
}

function wire(
  config: LaunchConfig,
  store: Store,
  log: Log,
): { readonly host: RuntimeHost; readonly links: LinkServer } {
  const { incarnation, revision, role, modulePath, listen: address, key } = config;
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
      metrics: createMetrics(false),
      startWorker: (options) =>
        createStartWorker({ entryPath: workerPathOf(config), env: host.workerEnv })(options),
      hub: links.hub,
      peers: createGrpcPeer({ key }, systemClock),
      processMemory: () => ({ rssBytes: process.memoryUsage.rss(), limitBytes: undefined }),
    },
    {
      incarnation,
      name: incarnation,
      revision,
      role,
      modulePath,
      address,
      pool: poolKeyOf({ namespace: config.namespace, name: config.pool }),
    },
  );
  return { host, links };
}

function listen(config: LaunchConfig, host: RuntimeHost, links: LinkServer): Promise<GrpcServer> {
  const service = {
    key: config.key,
    incarnation: config.incarnation,
    accept: links.accept.bind(links),
    bind: host.bind.bind(host),
    yieldProject: host.yieldProject.bind(host),
  };
  return startGrpcServer(
    {
      listen: config.listen,
      options: serverOptions({ messageBytesMax: LINK_MESSAGE_BYTES_MAX }),
      register: (server) => addRuntimeService(server, service, systemClock),
    },
    systemClock,
  );
}

/** In the bundle the entry of workers lies beside it; in a checkout it is a source file. */
function workerPathOf(config: LaunchConfig): string {
  return config.workerPath ?? fileURLToPath(new URL('worker/entry.ts', import.meta.url));
}

/** For the driver: one line that says what is wrong with the agent module. */
function fail(ready: Exclude<WorkerReady, { readonly type: 'ready' }>): never {
  const stack = ready.type === 'broken' && ready.stack !== undefined ? { stack: ready.stack } : {};
  const message = ready.type === 'broken' ? ready.message : ready.end.message;
  writeSync(1, `${JSON.stringify({ reason: 'AgentModuleInvalid', message, ...stack })}\n`);
  process.exit(EXIT_MODULE);
}

async function leave({ host, links, server, store }: Running): Promise<void> {
  await host.drain();
  links.close('the runtime has drained');
  await server.stop(STOP_GRACE_MS);
  await store.close();
  process.exit(0);
}
