/** A runtime as the container of a pod: probes first, then module and store side by side, then tasks; drains on SIGTERM; says why when it cannot start. */
import { totalmem } from 'node:os';
import { poolKeyOf } from '../../core/identifiers.ts';
import { BundleError } from '../../platform/bundle/esbuild-run.ts';
import { systemClock } from '../../platform/clock.ts';
import { hostAndPort } from '../../platform/host-and-port.ts';
import { createLog, type Log } from '../../platform/log.ts';
import { createMetrics } from '../../platform/metrics/registry.ts';
import { systemRandom } from '../../platform/random.ts';
import { MemoryStore } from '../../platform/store/memory-store.ts';
import { openRedisStore } from '../../platform/store/redis/redis-store.ts';
import type { Store } from '../../platform/store/store.ts';
import type { LaunchConfig } from '../launch.ts';
import { type ProbeServer, serveProbes } from '../server/probe-server.ts';
import {
  EXIT_FAILED,
  EXIT_MODULE,
  type Started,
  startRuntime,
  type StartupFailure,
} from '../start-runtime.ts';
import { succeedIncarnation } from './incarnation-file.ts';
import { leaveLastWords } from './last-words.ts';
import { serveMetrics } from './metrics-page.ts';
import {
  agentEnvironment,
  podIdentityOf,
  type PodIdentity,
  type Variables,
} from './pod-environment.ts';
import { tenantSecretsIn } from './tenant-secrets.ts';
import { bundleForPod, openRuntimeSecret, podLaunch } from './pod-launch.ts';

export interface PodOptions {
  readonly environment: Variables;
  /** Mounted: the Secret of the pool's runtimes. */
  readonly secretFolder: string;
  /** Mounted: the Secrets of the pool's tenants, as one. */
  readonly tenantFolder: string;
  /** An emptyDir: nothing else can be written. */
  readonly writableFolder: string;
  /** `terminationMessagePath` of the container. */
  readonly lastWordsFile: string;
  /** What a module that is a path is relative to. */
  readonly workingFolder: string;
  readonly ports: { readonly link: number; readonly probes: number; readonly metrics: number };
  /** The bundled entry of worker threads; absent: the source. */
  readonly workerPath?: string;
}

/** Resolves when it serves; the exit of the process is its end. Rejects when the environment is wrong. */
export async function runInPod(options: PodOptions): Promise<void> {
  const identity = podIdentityOf(options.environment);
  const { namespace, pool, name } = identity;
  const log = createLog(identity.logLevel, 'runtime').with({ namespace, pool, runtime: name });
  let onStop = (): void => process.exit(0);
  // The first process of a container gets no default action for a signal: it is heard from the start.
  process.once('SIGTERM', () => onStop());
  try {
    const probes = await serveProbes(hostAndPort(identity.ip, options.ports.probes), systemClock);
    const started = await start(options, identity, log);
    if (started.type === 'broken') return fail(options, started.failure, log);
    onStop = () => void leave(started, probes, log);
    probes.setReady(true);
  } catch (error) {
    if (error instanceof BundleError)
      return fail(options, { reason: 'AgentModuleInvalid', message: error.message }, log);
    log.error('runtime cannot start', { err: error });
    process.exit(EXIT_FAILED);
  }
}

async function start(options: PodOptions, identity: PodIdentity, log: Log): Promise<Started> {
  const { environment, ports, workingFolder, writableFolder, workerPath } = options;
  const secret = await openRuntimeSecret(options.secretFolder, { clock: systemClock, log });
  const { store: place } = secret.current;
  const pool = poolKeyOf({ namespace: identity.namespace, name: identity.pool });
  const [store, modulePath] = await bothOr(
    openRedisStore({
      ...place,
      // Credentials follow; a changed place is a new revision, and so another pod.
      access: () => ({ ...secret.current.store.access, url: place.access.url }),
      pool,
      clock: systemClock,
      random: systemRandom,
      log,
    }),
    bundleForPod(identity, { working: workingFolder, writable: writableFolder }),
  );
  const config: LaunchConfig = podLaunch({
    identity,
    secret,
    port: ports.link,
    modulePath,
    random: systemRandom,
    ...(workerPath === undefined ? {} : { workerPath }),
  });
  await succeedIncarnation(writableFolder, config.incarnation, { store, log });
  const metrics = createMetrics(false);
  await serveMetrics(metrics, { host: identity.ip, port: ports.metrics });
  return startRuntime(config, {
    store,
    log,
    metrics,
    memoryLimitBytes: memoryLimitBytes(),
    memoryStore: (clock) => new MemoryStore(clock),
    workerEnv: agentEnvironment(environment),
    tenantSecrets: tenantSecretsIn(options.tenantFolder, log),
  });
}

/** A module that cannot be bundled is told even where the store is away, too. */
async function bothOr(
  opening: Promise<Store>,
  bundling: Promise<string>,
): Promise<readonly [Store, string]> {
  opening.catch(() => undefined);
  const modulePath = await bundling;
  return [await opening, modulePath];
}

async function leave(
  running: Extract<Started, { readonly type: 'running' }>,
  probes: ProbeServer,
  log: Log,
): Promise<void> {
  log.info('runtime drains');
  probes.setReady(false);
  await running.leave();
  process.exit(0);
}

function fail({ lastWordsFile }: PodOptions, failure: StartupFailure, log: Log): never {
  log.error('agent module cannot be used', { detail: { ...failure } });
  leaveLastWords(lastWordsFile, failure);
  process.exit(EXIT_MODULE);
}

/** Of the container's cgroup, version 1 or 2; a limit above the machine's memory is none. */
function memoryLimitBytes(): number | undefined {
  const limit = process.constrainedMemory();
  return limit > 0 && limit < totalmem() ? limit : undefined;
}
