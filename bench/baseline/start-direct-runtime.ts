/** Starts a direct runtime in a process of its own, with a store of the wanted kind served on a socket from this one. */
import { fork } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parse } from 'yaml';
import { agentPoolSchema } from '../../api/agent-pool.ts';
import { prepareBundles } from '../../cli/standalone/prepare-bundles.ts';
import { bundleAgentModule } from '../../platform/bundle/bundle-agent-module.ts';
import { systemClock as clock } from '../../platform/clock.ts';
import { silentLog } from '../../platform/log.ts';
import { EmbeddedStore } from '../../platform/store/embedded-store.ts';
import { StoreServer } from '../../platform/store/store-server.ts';
import { BENCH_AGENTS } from '../served/bench-agents.ts';
import type { DirectRuntimeOptions } from './direct-runtime.ts';

export interface DirectRuntime {
  /** `host:port` of its Execute. */
  readonly address: string;
  stop(): Promise<void>;
}

const POOL = 'default~bench';
const TOKEN = 'bench';

/** @param project `tenant~project`, HOT. */
export async function startDirectRuntime(
  manifest: string,
  project: string,
): Promise<DirectRuntime> {
  const folder = mkdtempSync(join(tmpdir(), 'agentpool-direct-'));
  const { spec } = agentPoolSchema.parse(parse(manifest));
  const store = EmbeddedStore.open(join(folder, 'store'), clock);
  await store.putPool({ key: POOL, generation: 1, spec, status: undefined, revision: 'bench' });
  const storePath = join(folder, 'store.sock');
  const access = (token: string): string | undefined => (token === TOKEN ? POOL : undefined);
  const server = await StoreServer.listen(storePath, { store, access, clock, log: silentLog });
  writeFileSync(join(folder, 'agents.ts'), BENCH_AGENTS);
  const [module, program] = await Promise.all([
    bundleAgentModule({ module: './agents.ts', from: folder, outFolder: folder }),
    prepareBundles(folder),
  ]);
  const child = fork(fileURLToPath(new URL('direct-runtime.ts', import.meta.url)));
  const options: DirectRuntimeOptions = {
    storePath,
    storeToken: TOKEN,
    modulePath: module.file,
    workerPath: program.workerPath,
    pool: POOL,
    project: `${POOL}~${project}`,
  };
  child.send(options);
  const { address, error } = await new Promise<{ address?: string; error?: string }>((resolve) => {
    child.once('message', resolve);
  });
  if (address === undefined) throw new Error(`the direct runtime does not start: ${error ?? ''}`);
  return {
    address,
    async stop() {
      const ended = new Promise((resolve) => child.once('exit', resolve));
      child.kill('SIGKILL');
      await ended;
      await server.close();
      await store.close();
      rmSync(folder, { recursive: true, force: true });
    },
  };
}
