/** The runtime program and its worker as bundles: kept between starts, beside the installed packages where that folder can be written. */
import { access, constants } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { bundleRuntime } from '../../platform/bundle/bundle-runtime.ts';

export interface RuntimeProgram {
  readonly path: string;
  readonly workerPath: string;
}

const ROOT = fileURLToPath(new URL('../..', import.meta.url));
const RUNTIME = { runtime: 'agent-runtime/main.ts' };
const WORKER = { worker: 'agent-runtime/worker/entry.ts' };

export async function prepareBundles(dataFolder: string): Promise<RuntimeProgram> {
  const packages = join(ROOT, 'node_modules');
  const isWritable = await access(packages, constants.W_OK).then(
    () => true,
    () => false,
  );
  const cacheFolder = isWritable
    ? join(packages, '.cache', 'agentpool')
    : join(dataFolder, 'program');
  const bundle = (folder: string, entries: Readonly<Record<string, string>>, minify: boolean) =>
    bundleRuntime({ root: ROOT, entries, minify, cacheFolder: join(cacheFolder, folder) });
  const [{ runtime }, { worker }] = await Promise.all([
    bundle('runtime', RUNTIME, false),
    bundle('worker', WORKER, true),
  ]);
  if (runtime === undefined || worker === undefined) throw new Error('a bundle is missing');
  return { path: runtime, workerPath: worker };
}
