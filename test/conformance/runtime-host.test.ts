/** The runtime host over real worker threads and over workers in this process. */
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { afterAll } from '@jest/globals';
import { createStartWorker } from '../../agent-runtime/worker/thread-channel.ts';
import { bundleRuntime } from '../../platform/bundle/bundle-runtime.ts';
import { inProcessWorkers } from '../fakes/in-process-worker.ts';
import { AGENTS, describeRuntimeHost } from './runtime-host.ts';

const ROOT = fileURLToPath(new URL('../..', import.meta.url));

let modulePath: Promise<string> | undefined;

async function writeModule(): Promise<string> {
  const path = join(await mkdtemp(join(tmpdir(), 'aph-')), 'agents.mjs');
  await writeFile(path, AGENTS);
  return path;
}

afterAll(async () => {
  if (modulePath !== undefined) await rm(dirname(await modulePath), { recursive: true });
});

describeRuntimeHost('worker threads', async () => {
  modulePath ??= writeModule();
  const { worker = '' } = await bundleRuntime({
    root: ROOT,
    entries: { worker: 'agent-runtime/worker/entry.ts' },
    minify: false,
    cacheFolder: join(ROOT, 'node_modules', '.cache', 'agentpool-test'),
  });
  return {
    startWorker: createStartWorker({ entryPath: worker, env: {} }),
    modulePath: await modulePath,
  };
});

describeRuntimeHost('workers in process', async () => {
  modulePath ??= writeModule();
  const module: unknown = await import(pathToFileURL(await modulePath).href);
  return { startWorker: inProcessWorkers(module), modulePath: await modulePath };
});
