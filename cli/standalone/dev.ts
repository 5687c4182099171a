/** `agentpool dev`: serves one's own agents without a manifest; a pool is made up for the module. */
import { resolve } from 'node:path';
import { readEnvironment } from '../../platform/config/environment.ts';
import { DEFAULT_LOG_LEVEL } from '../../platform/config/log-level.ts';
import type { Terminal } from '../terminal.ts';
import { devLine } from './dev-lines.ts';
import { environmentOrFail } from './environment-or-fail.ts';
import { checkListenAddresses } from './listen-addresses.ts';
import { makePool } from './made-pool.ts';
import { serve } from './serve.ts';
import type { ServerOptions } from './standalone.ts';
import { storageOf } from './storage-of.ts';

export async function dev(
  terminal: Terminal,
  module: string,
  options: ServerOptions & { readonly watch?: boolean },
): Promise<void> {
  checkListenAddresses(options);
  const environment = environmentOrFail(readEnvironment(terminal.environment));
  const made = await makePool(module, environment.specDefaults);
  const watchModules = options.watch === true;
  const logLevel = options.logLevel ?? environment.logLevel;
  await serve({
    terminal,
    environment,
    listen: options,
    dataFolder: resolve(options.data),
    logLevel: logLevel ?? DEFAULT_LOG_LEVEL,
    ...(logLevel === undefined ? { runtimeLines: { level: 'info', text: devLine } } : {}),
    storage: storageOf([made.pool]),
    wanted: { files: [], made: [made], watchModules },
    withStacks: true,
    editFiles: watchModules ? [resolve(module)] : [],
  });
}
