/** The operator of the standalone server: manifest files as the source of pools, child processes as runtimes. */
import type { PoolKey } from '../../core/identifiers.ts';
import { LIVENESS_LIMITS } from '../../operator/drivers/process/liveness.ts';
import {
  type ProcessDriver,
  startProcessDriver,
} from '../../operator/drivers/process/process-driver.ts';
import { type Operator, startOperator } from '../../operator/main.ts';
import { OperatorMetrics } from '../../operator/metrics.ts';
import type { PoolSource } from '../../operator/pool/wanted-pool.ts';
import {
  type ManifestFilesOptions,
  openManifestFiles,
} from '../../operator/sources/manifest-files.ts';
import { bundleAgentModule } from '../../platform/bundle/bundle-agent-module.ts';
import { forgetModules } from '../../platform/bundle/forget-modules.ts';
import { systemClock } from '../../platform/clock.ts';
import { connectRuntimeControl } from '../../platform/link/grpc-runtime-control.ts';
import type { Log, LogLevel } from '../../platform/log.ts';
import type { Metrics } from '../../platform/metrics/registry.ts';
import { systemRandom } from '../../platform/random.ts';
import type { Store } from '../../platform/store/store.ts';
import { join } from 'node:path';
import type { Terminal } from '../terminal.ts';
import { prepareBundles } from './prepare-bundles.ts';
import { otherStorages } from './storage-of.ts';
import type { DataFolder } from './data-folder.ts';

export type WantedFiles = Pick<
  ManifestFilesOptions,
  'files' | 'made' | 'defaults' | 'watchModules'
>;

export interface SourceOptions extends WantedFiles {
  readonly folder: DataFolder;
  readonly terminal: Terminal;
  readonly log: Log;
}

/** Rejects with a ManifestError when the manifests are wrong. */
export async function openSource(options: SourceOptions): Promise<PoolSource> {
  const { files, made, defaults, watchModules, folder, terminal, log } = options;
  const modules = join(folder.path, 'modules');
  const known = (await folder.store.listPools()).map(
    ({ key, generation, spec }): [PoolKey, { generation: number; spec: unknown }] => [
      key,
      { generation, spec },
    ],
  );
  return openManifestFiles({
    files,
    ...(made === undefined ? {} : { made }),
    defaults,
    watchModules,
    bundle: (module, from, text) =>
      bundleAgentModule({
        ...{ module, from, outFolder: modules },
        ...(text === undefined ? {} : { text }),
      }),
    forgetModules: (needed) => forgetModules(modules, needed, systemClock.wallMs()),
    check: (pools) => otherStorages(pools, folder.store.kind),
    known: new Map(known),
    onProblems: (lines) => {
      if (lines.length === 0) terminal.error('The manifests are valid again and applied.');
      else terminal.error([...lines, 'The pools stay as they were.'].join('\n'));
    },
    clock: systemClock,
    log,
  });
}

/** What is shown of the runtimes' logs. */
export interface RuntimeLines {
  readonly level: LogLevel;
  /** Undefined: not shown. */
  readonly text: (line: string) => string | undefined;
}

export interface DriverOptions {
  readonly folder: DataFolder;
  readonly runtimeLines: RuntimeLines;
  readonly terminal: Terminal;
  readonly log: Log;
}

export async function startDriver(options: DriverOptions): Promise<ProcessDriver> {
  const { folder, runtimeLines, terminal, log } = options;
  const { secrets, storePath } = folder;
  const program = await prepareBundles(folder.path);
  return startProcessDriver({
    dataFolder: folder.path,
    socketFolder: folder.socketFolder,
    // No source maps: they would double the start of each runtime, and the bundle keeps names and lines readable. Without Node's
    // own snapshot a runtime starts 0.1 s later, and each of its worker threads takes 2.4 MB less.
    program: { path: program.path, nodeArgs: ['--no-node-snapshot'] },
    workerPath: program.workerPath,
    access: (pool) => ({
      key: secrets.runtimeKey(pool),
      store: { path: storePath, token: secrets.storeToken(pool) },
    }),
    connect: (target) => connectRuntimeControl(target, systemClock),
    environment: terminal.environment,
    logLevel: runtimeLines.level,
    onLine: (line) => {
      const text = runtimeLines.text(line);
      if (text !== undefined) terminal.error(text);
    },
    liveness: LIVENESS_LIMITS,
    clock: systemClock,
    log,
  });
}

export function operate(parts: {
  readonly store: Store;
  readonly driver: ProcessDriver;
  readonly source: PoolSource;
  readonly log: Log;
  readonly endpoint: string;
  readonly metrics: Metrics;
}): Promise<Operator> {
  const metrics = new OperatorMetrics(parts.metrics);
  return startOperator({ ...parts, metrics, clock: systemClock, random: systemRandom });
}
