/**
 * Serves pools on this machine until it is told to stop: starts store, gateway, runtimes and operator, waits until the pools are
 * ready, says where they are, and takes everything down again, also when the start fails half way.
 */
import { type PoolKey, poolKeyOf } from '../../core/identifiers.ts';
import type { Operator } from '../../operator/main.ts';
import type { Environment } from '../../platform/config/environment.ts';
import { createLog, type LogLevel } from '../../platform/log.ts';
import type { Store } from '../../platform/store/store.ts';
import { styleFor } from '../output/style.ts';
import type { Terminal } from '../terminal.ts';
import { accessFor } from './access-for.ts';
import { Closers } from './closers.ts';
import { openDataFolder } from './data-folder.ts';
import { hostAndPort } from '../../platform/host-and-port.ts';
import { type ListenOptions, reachableHost } from './listen-addresses.ts';
import { PoolNews } from './pool-news.ts';
import { type ReadyPool, readyText } from './ready-text.ts';
import type { Edges, EdgesOptions } from './start-edges.ts';
import { keysOf } from './secrets.ts';
import { startError } from './start-error.ts';
import {
  openSource,
  operate,
  type RuntimeLines,
  startDriver,
  type WantedFiles,
} from './start-operator.ts';
import { DRAIN_MS_MAX, listenForStop } from './stop-signals.ts';

export interface ServeOptions {
  readonly terminal: Terminal;
  readonly environment: Environment;
  readonly listen: ListenOptions;
  /** Absolute. */
  readonly dataFolder: string;
  readonly logLevel: LogLevel;
  /** Left out: all that `logLevel` lets through, as it is. */
  readonly runtimeLines?: RuntimeLines;
  readonly storage: Store['kind'];
  readonly wanted: Omit<WantedFiles, 'defaults'>;
  /** For the author of the agents: what they throw when they are loaded is shown with its stack. */
  readonly withStacks: boolean;
  /** Named when ready: saving them has an effect. */
  readonly editFiles: readonly string[];
}

interface Serving {
  readonly store: Store;
  readonly edges: Edges;
  readonly operator: Operator;
}

/** Taken down from the first to the last: no new work, then what runs ends, then what it needs goes. */
const ORDER = ['news', 'edges', 'operator', 'source', 'driver', 'folder', 'access'] as const;
type Started = Closers<(typeof ORDER)[number]>;

/** Runtimes of a start that failed have nothing to finish. */
const FAILED_START_GRACE_MS = 1_000;

export async function serve(options: ServeOptions): Promise<void> {
  const { terminal, environment } = options;
  terminal.ignoreClosedOutput();
  for (const warning of environment.warnings) terminal.error(`Warning: ${warning}`);
  const stop = listenForStop(terminal);
  const closers: Started = new Closers(ORDER);
  const grace = { ms: FAILED_START_GRACE_MS };
  try {
    const { store, edges, operator } = await start(options, closers, grace);
    await operator.waitUntilReady(stop.signal);
    grace.ms = DRAIN_MS_MAX;
    terminal.line(await introduce(options, { store, edges, operator }));
    followNews(options, operator, closers);
    await stop.told;
    if (terminal.isInteractive)
      terminal.error('Waiting for running tasks; Ctrl-C again ends them.');
  } catch (error) {
    if (error !== stop.signal.reason) throw startError(error, options.withStacks);
  } finally {
    await closers.closeAll();
    stop.unlisten();
  }
}

/** What was started is in `closers`, also when this rejects. */
async function start(
  options: ServeOptions,
  closers: Started,
  grace: { readonly ms: number },
): Promise<Serving> {
  const { terminal, listen, logLevel, storage, environment, wanted } = options;
  const runtimeLines = options.runtimeLines ?? { level: logLevel, text: (line: string) => line };
  const log = createLog(logLevel, 'standalone');
  const access = await accessFor(listen.tokens, log);
  closers.add('access', () => access.close());
  const folder = await openDataFolder({ path: options.dataFolder, storage, log });
  closers.add('folder', () => folder.close());
  const { store } = folder;
  const shared = { folder, terminal, log };
  const starting = [
    startDriver({ ...shared, runtimeLines }).then((driver) => {
      closers.add('driver', () => driver.stop(grace.ms));
      return driver;
    }),
    openSource({ ...shared, ...wanted, defaults: environment.specDefaults }).then((source) => {
      closers.add('source', () => source.close());
      return source;
    }),
    startEdges({ store, runtimeAccess: keysOf(folder.secrets), access, listen, log }).then(
      (edges) => {
        closers.add('edges', () => edges.stop());
        return edges;
      },
    ),
  ] as const;
  // All of them, also when one fails: each that was started must be taken down again.
  await Promise.allSettled(starting);
  const [driver, source, edges] = await Promise.all(starting);
  const { grpc: endpoint, metrics } = edges;
  const operator = await operate({ store, driver, source, log, endpoint, metrics });
  closers.add('operator', () => operator.stop());
  return { store, edges, operator };
}

/** Loaded only now: meanwhile the bundler, which is a process of its own, is at work. */
async function startEdges(options: Omit<EdgesOptions, 'name'>): Promise<Edges> {
  const edges = await import('./start-edges.ts');
  return edges.startEdges({ ...options, name: 'standalone', readiness: 'stocked' });
}

function followNews(
  { terminal, withStacks }: ServeOptions,
  operator: Operator,
  closers: Started,
): void {
  const news = new PoolNews(terminal, {
    withStacks,
    timeText: () => new Date().toLocaleTimeString('en-GB'),
  });
  news.skip(operator.pools());
  closers.add(
    'news',
    operator.watch(() => news.tell(operator.pools())),
  );
}

async function introduce(
  options: ServeOptions,
  { store, edges, operator }: Serving,
): Promise<string> {
  const { dataFolder, storage, listen, editFiles, terminal } = options;
  const agents = await agentsByPool(store);
  const pools = operator.pools().map(({ ref, spec }): ReadyPool => ({
    name: `${ref.namespace}/${ref.name}`,
    agents: agents.get(poolKeyOf(ref)) ?? [],
    isSuspended: spec.operatingMode === 'Suspended',
  }));
  const facts = {
    // Of this process: the time that Node itself took to start is part of what a person waited.
    seconds: performance.now() / MS_PER_SECOND,
    pools,
    http: reachable(edges.http, listen.host),
    grpc: reachable(edges.grpc, listen.host),
    dataFolder,
    isInMemory: storage === 'memory',
    tokens: listen.tokens,
    editFiles,
  };
  return readyText(facts, styleFor(terminal));
}

const MS_PER_SECOND = 1_000;

/** An address as a person on this machine types it. */
function reachable(address: string, host: string): string {
  return address.replace(
    hostAndPort(host, 0).slice(0, -1),
    hostAndPort(reachableHost(host), 0).slice(0, -1),
  );
}

async function agentsByPool(store: Store): Promise<ReadonlyMap<PoolKey, readonly string[]>> {
  const runtimes = await store.listRuntimes();
  return new Map(
    runtimes
      .filter(({ ready }) => ready)
      .map(({ pool, agents }) => [pool, agents.map(({ name }) => name)]),
  );
}
