/** `agentpool gateway` in a cluster: one of several, over the store of the installation, with mutual TLS to the runtimes. */
import { systemClock } from '../../platform/clock.ts';
import { systemRandom } from '../../platform/random.ts';
import { CLUSTER_LOG_LEVEL, readLogLevel } from '../../platform/config/log-level.ts';
import { createLog, type Log, type LogLevel } from '../../platform/log.ts';
import { Closers } from '../standalone/closers.ts';
import { logLevelOrFail } from '../standalone/environment-or-fail.ts';
import { checkListenAddresses, type ListenOptions } from '../standalone/listen-addresses.ts';
import { startEdges } from '../standalone/start-edges.ts';
import { startError } from '../standalone/start-error.ts';
import { listenForStop } from '../standalone/stop-signals.ts';
import type { Terminal } from '../terminal.ts';
import { clusterAccess } from './cluster-access.ts';
import { LateStore } from './late-store.ts';
import { checkStore, openClientTls, openLink, openStore, runtimesOver } from './secret-folders.ts';

export interface ClusterGatewayOptions extends ListenOptions {
  /** Folders of mounted Secrets. */
  readonly store: string;
  readonly link: string;
  readonly tls?: string;
  /** File of rules. */
  readonly tokenReview?: string;
  /** Serves on for so long after it was told to stop. */
  readonly leaveSeconds: number;
  /** After that tasks may take so long to end. */
  readonly drainSeconds: number;
  readonly logLevel?: LogLevel;
}

const SECOND_MS = 1_000;
/** A probe that asks whether it is alive must not wait longer; then it is up without its store. */
const STORE_WAIT_MS = 5_000;
const STORE_RETRY_MS = 2_000;
const ORDER = ['edges', 'store', 'access', 'tls', 'link'] as const;

export async function clusterGateway(
  terminal: Terminal,
  options: ClusterGatewayOptions,
): Promise<void> {
  const { tokens = options.tokenReview } = options;
  checkListenAddresses({ ...options, ...(tokens === undefined ? {} : { tokens }) });
  const logLevel = logLevelOrFail(readLogLevel(terminal.environment));
  terminal.ignoreClosedOutput();
  const log = createLog(options.logLevel ?? logLevel ?? CLUSTER_LOG_LEVEL, 'gateway');
  const stop = listenForStop(terminal);
  const closers = new Closers(ORDER);
  try {
    const link = await openLink(options.link, log);
    closers.add('link', () => link.close());
    const tls = options.tls === undefined ? undefined : await openClientTls(options.tls, log);
    closers.add('tls', () => tls?.close());
    const access = await clusterAccess(options, terminal, log);
    closers.add('access', () => access.close());
    const late = await lateStore(options.store, log);
    const { store } = late;
    closers.add('store', () => store.close());
    await Promise.race([late.tried, systemClock.sleep(STORE_WAIT_MS)]);
    const edges = await startEdges({
      store,
      runtimeAccess: runtimesOver(link),
      access,
      listen: options,
      log,
      name: `gateway-${systemRandom.id()}`,
      readiness: 'reachable',
      scraped: 'own',
      drainMsMax: options.drainSeconds * SECOND_MS,
      ...(tls === undefined ? {} : { tls }),
    });
    closers.add('edges', () => edges.stop());
    log.info('gateway serves', { detail: { http: edges.http, grpc: edges.grpc } });
    const state = late.isOpen ? 'ready' : 'up, not ready: it waits for its store';
    terminal.line(
      `AgentPool gateway is ${state}.\n  HTTP    ${edges.http}\n  gRPC    ${edges.grpc}`,
    );
    await stop.told;
    // Addresses are withdrawn while we are told: until everybody knows, callers still come.
    edges.leave();
    await systemClock.sleep(options.leaveSeconds * SECOND_MS);
  } catch (error) {
    throw startError(error, false);
  } finally {
    await closers.closeAll();
    stop.unlisten();
    terminal.endSoon();
  }
}

/** It may be away when this process starts: then nothing can be served, and everything as soon as it comes. Settings that are wrong end the start. */
async function lateStore(folder: string, log: Log): Promise<LateStore> {
  await checkStore(folder, log);
  return new LateStore({
    kind: 'redis',
    open: () => openStore(folder, log),
    onOpen: async () => undefined,
    retryMs: STORE_RETRY_MS,
    clock: systemClock,
    log,
  });
}
