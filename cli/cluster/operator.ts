/** `agentpool operator`: watches AgentPools and makes their runtimes as pods. Of several one leads, by a Lease; the others stand by with warm caches. */
import { createMetrics } from '../../platform/metrics/registry.ts';
import { systemClock } from '../../platform/clock.ts';
import { poolVariablesIn } from '../../platform/config/environment.ts';
import { CLUSTER_LOG_LEVEL, readLogLevel } from '../../platform/config/log-level.ts';
import { openCluster } from '../../platform/kube/cluster-access.ts';
import type { ClusterAccess } from '../../platform/kube/credentials.ts';
import { HttpKube, type HttpKubeOptions } from '../../platform/kube/http-kube.ts';
import type { Kube } from '../../platform/kube/kube.ts';
import { type ElectionOptions, LeaderElection } from '../../platform/kube/leader-election.ts';
import { measured } from '../../platform/kube/measured.ts';
import { KubeMetrics } from '../../platform/kube/metrics.ts';
import { createLog, type Log, type LogLevel } from '../../platform/log.ts';
import { systemRandom } from '../../platform/random.ts';
import { Closers } from '../standalone/closers.ts';
import { logLevelOrFail } from '../standalone/environment-or-fail.ts';
import { startError } from '../standalone/start-error.ts';
import { listenForStop } from '../standalone/stop-signals.ts';
import { CliError } from '../exit-code.ts';
import type { Terminal } from '../terminal.ts';
import { clusterLocation } from './cluster-location.ts';
import { openCaches } from './operator-caches.ts';
import { serveOperatorPages } from './operator-pages.ts';
import { lead, type Leading } from './lead.ts';
import { openAuthority, openStoreFiles } from './runtime-secret-files.ts';
import { openLink } from './secret-folders.ts';

export interface ClusterOperatorOptions {
  /** Folders of mounted Secrets. */
  readonly store: string;
  readonly link: string;
  readonly linkCa: string;
  /** Left out: all namespaces. */
  readonly watchNamespace?: readonly string[];
  /** `host:port`. */
  readonly http: string;
  readonly leaseNamespace?: string;
  readonly leaseName: string;
  readonly gatewayEndpoint?: string;
  readonly runtimeImage?: string;
  /** How long a deleted pool may wait for its projects to be erased. */
  readonly eraseSeconds: number;
  /** Each pool gets a user of its own in the store. */
  readonly poolUsers?: boolean;
  readonly logLevel?: LogLevel;
}

type Wished = ClusterOperatorOptions & { readonly logLevel: LogLevel };

const FIELD_MANAGER = 'agentpool-operator';
/** From the first to the last: nothing is decided any more, then the Lease is given back, then the rest goes. */
const ORDER = ['leading', 'election', 'caches', 'pages', 'store', 'authority', 'link'] as const;

export async function clusterOperator(
  terminal: Terminal,
  options: ClusterOperatorOptions,
): Promise<void> {
  const ofEnvironment = logLevelOrFail(readLogLevel(terminal.environment));
  const logLevel = options.logLevel ?? ofEnvironment ?? CLUSTER_LOG_LEVEL;
  terminal.ignoreClosedOutput();
  const log = createLog(logLevel, 'operator');
  warnOfPoolVariables(terminal.environment, log);
  const stop = listenForStop(terminal);
  const closers = new Closers(ORDER);
  const lost = Promise.withResolvers<never>();
  try {
    await start(terminal, { ...options, logLevel }, { log, closers, onLost: lost.reject });
    await Promise.race([stop.told, lost.promise]);
  } catch (error) {
    throw startError(error, false);
  } finally {
    await closers.closeAll();
    stop.unlisten();
    terminal.endSoon();
  }
}

function warnOfPoolVariables(environment: Variables, log: Log): void {
  const variables = poolVariablesIn(environment);
  if (variables.length === 0) return;
  log.warn(
    'variables set no defaults of pools in a cluster: write the fields into the AgentPools',
    {
      detail: { ignored: variables },
    },
  );
}

interface Process {
  readonly log: Log;
  readonly closers: Closers<(typeof ORDER)[number]>;
  readonly onLost: (error: Error) => void;
}

/** What was started is in `closers`, also when this rejects. */
async function start(
  terminal: Terminal,
  options: Wished,
  { log, closers, onLost }: Process,
): Promise<void> {
  const ports = { clock: systemClock, log };
  const link = await openLink(options.link, log);
  closers.add('link', () => link.close());
  const authority = await openAuthority(options.linkCa, ports);
  closers.add('authority', () => authority.close());
  const storeFiles = await openStoreFiles(options.store, ports);
  closers.add('store', () => storeFiles.close());
  const metrics = createMetrics(true);
  const kubeMetrics = new KubeMetrics(metrics);
  const { environment } = terminal;
  const access = await openCluster(clusterLocation(environment), systemClock);
  const kubeOf = clientsOf(access, kubeMetrics);
  const kube = kubeOf({ mayWrite: () => election.isLeader() });
  const caches = openCaches(kube, options.watchNamespace ?? [], { ...ports, metrics: kubeMetrics });
  const { namespaces } = caches;
  namespaces.start();
  closers.add('caches', () => namespaces.stop());
  const pages = await serveOperatorPages({
    ...hostAndPortOf(options.http),
    metrics,
    notReady: () => namespaces.missing,
  });
  closers.add('pages', () => pages.close());
  let leading: Leading | undefined;
  const election: LeaderElection = electionOf(options, environment, {
    // On a connection of its own: a renewal must not wait for what else is asked of the API server.
    ports: { kube: kubeOf({ connectionsMax: 1 }), log, metrics: kubeMetrics },
    onLost,
    onLeading: (isLeader, { releaseNamespace, installation }) => {
      leading = lead(
        {
          kube,
          isLeader,
          caches,
          secrets: { link, authority, store: storeFiles },
          storeFolder: options.store,
          instance: nameOf(environment),
          releaseNamespace,
          installation,
          metrics,
          log,
          ...forPools(options),
        },
        onLost,
      );
    },
  });
  closers.add('leading', () => leading?.stop());
  election.start();
  closers.add('election', () => election.stop());
  terminal.line(`AgentPool operator is up. HTTP ${pages.address}`);
}

/** What of the command line concerns pools and their runtimes. */
function forPools({ eraseSeconds, poolUsers, gatewayEndpoint, runtimeImage, logLevel }: Wished) {
  return {
    logLevel,
    poolUsers: poolUsers === true,
    eraseMsMax: eraseSeconds * 1_000,
    ...(gatewayEndpoint === undefined ? {} : { endpoint: gatewayEndpoint }),
    ...(runtimeImage === undefined ? {} : { runtimeImage }),
  };
}

/** Each has connections of its own. */
function clientsOf(access: ClusterAccess, metrics: KubeMetrics) {
  return (options: Pick<HttpKubeOptions, 'connectionsMax' | 'mayWrite'>): Kube => {
    const common = { access, clock: systemClock, fieldManager: FIELD_MANAGER };
    return measured(new HttpKube({ ...common, ...options }), systemClock, metrics);
  };
}

interface Place {
  readonly releaseNamespace: string;
  /** Who shares a Lease is one installation. */
  readonly installation: string;
}

type Variables = Readonly<Record<string, string | undefined>>;

const nameOf = (environment: Variables): string => environment['POD_NAME'] ?? 'operator';

/** Of all operators of the installation. */
function electionOf(
  { leaseNamespace, leaseName }: ClusterOperatorOptions,
  environment: Variables,
  parts: {
    readonly ports: Pick<ElectionOptions, 'kube' | 'log' | 'metrics'>;
    readonly onLeading: (isLeader: () => boolean, place: Place) => void;
    readonly onLost: (error: Error) => void;
  },
): LeaderElection {
  const own = environment['POD_NAMESPACE'] ?? leaseNamespace ?? 'default';
  const lease = { namespace: leaseNamespace ?? own, name: leaseName };
  const place = { releaseNamespace: own, installation: `${lease.namespace}/${lease.name}` };
  const election: LeaderElection = new LeaderElection({
    ...parts.ports,
    lease,
    identity: `${nameOf(environment)}_${systemRandom.id()}`,
    clock: systemClock,
    random: systemRandom,
    onLeading: () => parts.onLeading(() => election.isLeader(), place),
    onLost: () => parts.onLost(new CliError('another operator leads now')),
  });
  return election;
}

function hostAndPortOf(address: string): { readonly host: string; readonly port: number } {
  const colon = address.lastIndexOf(':');
  const port = Number(address.slice(colon + 1));
  if (colon < 1 || !Number.isInteger(port) || port < 0 || port > 65_535)
    throw new CliError(`--http must be HOST:PORT, but is ${address}`);
  return { host: address.slice(0, colon).replace(/^\[|\]$/g, ''), port };
}
