/** `agentpool standalone`: serves the pools of manifest files on this machine. All that can be checked is checked before anything starts. */
import { resolve } from 'node:path';
import type { AgentPool } from '../../api/agent-pool.ts';
import { formatProblem } from '../../api/parse-manifest.ts';
import type { PartialSpec } from '../../api/spec-defaults.ts';
import { readManifests } from '../../operator/sources/read-manifests.ts';
import { readEnvironment } from '../../platform/config/environment.ts';
import { DEFAULT_LOG_LEVEL } from '../../platform/config/log-level.ts';
import type { LogLevel } from '../../platform/log.ts';
import { CliError } from '../exit-code.ts';
import type { Terminal } from '../terminal.ts';
import { environmentOrFail } from './environment-or-fail.ts';
import { checkListenAddresses, type ListenOptions } from './listen-addresses.ts';
import { serve } from './serve.ts';
import { storageOf } from './storage-of.ts';

export interface ServerOptions extends ListenOptions {
  readonly data: string;
  readonly logLevel?: LogLevel;
}

export async function standalone(
  terminal: Terminal,
  options: ServerOptions & { readonly file: readonly string[] },
): Promise<void> {
  checkListenAddresses(options);
  const environment = environmentOrFail(readEnvironment(terminal.environment));
  const pools = await poolsOrFail(options.file, environment.specDefaults);
  await serve({
    terminal,
    environment,
    listen: options,
    dataFolder: resolve(options.data),
    logLevel: options.logLevel ?? environment.logLevel ?? DEFAULT_LOG_LEVEL,
    storage: storageOf(pools),
    wanted: { files: options.file, watchModules: true },
    withStacks: false,
    editFiles: [...options.file, ...modulesOf(options.file, pools)],
  });
}

async function poolsOrFail(
  files: readonly string[],
  defaults: PartialSpec,
): Promise<readonly AgentPool[]> {
  const read = await readManifests(files, defaults);
  if (read.ok) return read.pools.map(({ pool }) => pool);
  throw new CliError(
    read.problems.map(formatProblem).join('\n'),
    undefined,
    'Nothing was started. "agentpool config FILE" shows every field of a manifest that is right.',
  );
}

/** Agent modules that are files beside the only manifest. */
function modulesOf(files: readonly string[], pools: readonly AgentPool[]): readonly string[] {
  const [file] = files;
  if (file === undefined || files.length > 1) return [];
  const paths = pools
    .filter(({ spec }) => spec.runtime.moduleFrom === undefined)
    .map(({ spec }) => spec.runtime.agentModule)
    .filter((path) => /^[./]/.test(path));
  return [...new Set(paths.map((path) => resolve(file, '..', path)))];
}
