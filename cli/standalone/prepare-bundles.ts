/**
 * The runtime program and its worker as bundles. An installed package has them; in a checkout they are kept between starts, beside the
 * installed packages where that folder can be written.
 */
import { access, constants } from 'node:fs/promises';
import { join } from 'node:path';
import { systemClock } from '../../platform/clock.ts';
import { bundleRuntime, keepBundles } from '../../platform/bundle/bundle-runtime.ts';
import { builtFile, PRODUCT_ROOT } from '../../platform/bundle/product-files.ts';

export interface RuntimeProgram {
  readonly path: string;
  readonly workerPath: string;
}

const RUNTIME = { runtime: 'agent-runtime/main.ts' };
const WORKER = { worker: 'agent-runtime/worker/entry.ts' };
/** A worker is started for a task that waits, and most tasks never need it. */
const WORKER_ALIAS = { 'protobufjs/minimal.js': './proto/protobuf-on-demand.cjs' };

export async function prepareBundles(dataFolder: string): Promise<RuntimeProgram> {
  const [path, workerPath] = [builtFile('runtime'), builtFile('worker')];
  if (path !== undefined && workerPath !== undefined) return { path, workerPath };
  const packages = join(PRODUCT_ROOT, 'node_modules');
  const isWritable = await access(packages, constants.W_OK).then(
    () => true,
    () => false,
  );
  const cacheFolder = isWritable
    ? join(packages, '.cache', 'agentpool')
    : join(dataFolder, 'program');
  const folder = (name: string) => ({ root: PRODUCT_ROOT, cacheFolder: join(cacheFolder, name) });
  const [{ runtime }, { worker }] = await Promise.all([
    bundleRuntime({ ...folder('runtime'), entries: RUNTIME, minify: false }),
    bundleRuntime({ ...folder('worker'), entries: WORKER, minify: true, alias: WORKER_ALIAS }),
  ]);
  if (runtime === undefined || worker === undefined) throw new Error('a bundle is missing');
  // As long as this process runs.
  keepBundles([runtime, worker], systemClock);
  return { path: runtime, workerPath: worker };
}
