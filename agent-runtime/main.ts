/** A runtime as the child of a process: reads how it was launched from standard input, drains on SIGTERM, ends with its parent. Decides nothing. */
import { writeSync } from 'node:fs';
import { systemClock } from '../platform/clock.ts';
import { createLog, type Log } from '../platform/log.ts';
import { createMetrics } from '../platform/metrics/registry.ts';
import { systemRandom } from '../platform/random.ts';
import { MemoryStore } from '../platform/store/memory-store.ts';
import { StoreClient } from '../platform/store/store-client.ts';
import { LAUNCH_BYTES_MAX, parseLaunch, type LaunchConfig } from './launch.ts';
import { dieWithParent, readFirstLine } from './server/parent-watch.ts';
import { EXIT_FAILED, EXIT_MODULE, startRuntime } from './start-runtime.ts';

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
  if (config.store.type !== 'socket') throw new Error('a process of a driver has its store');
  const store = await StoreClient.connect({
    ...config.store,
    clock: systemClock,
    random: systemRandom,
    log,
  });
  const started = await startRuntime(config, {
    store,
    log,
    metrics: createMetrics(false),
    // The parent's limit, if it has one, is for all its children together.
    memoryLimitBytes: undefined,
    memoryStore: (clock) => new MemoryStore(clock),
  });
  if (started.type === 'broken') {
    writeSync(1, `${JSON.stringify(started.failure)}\n`);
    process.exit(EXIT_MODULE);
  }
  process.once('SIGTERM', () => void started.leave().then(() => process.exit(0)));
}
