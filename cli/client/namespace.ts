/** The namespace of pools that are named without one, and the pool that a command means with it. */
import { type Command, Option } from 'commander';
import { POOL_PART_PATTERN } from '../../core/identifiers.ts';
import { CliError, EXIT_CODES } from '../exit-code.ts';
import type { Terminal } from '../terminal.ts';
import type { ApiClient } from './api-client.ts';
import { type ClientCommand, connect } from './connect.ts';
import { findPool, fullName } from './pools.ts';
import { ServerError } from './problem.ts';

export interface NamespaceOptions {
  readonly namespace?: string;
}

interface PoolOptions extends NamespaceOptions {
  readonly pool?: string;
}

export const NAMESPACE_VARIABLE = 'AGENTPOOL_NAMESPACE';

export function namespaceOption(description: string): Option {
  const option = new Option('-n, --namespace <namespace>', description);
  // kubectl takes -n=shop, too.
  return option.argParser((text) => checked(text.replace(/^=/, ''), '--namespace'));
}

export function withNamespace(command: Command): Command {
  return command.addOption(
    namespaceOption(`of pools that are named without one (${NAMESPACE_VARIABLE})`),
  );
}

/** Undefined: names without one are for the gateway to understand. */
export function namespaceOf(
  { environment }: Pick<Terminal, 'environment'>,
  { namespace }: NamespaceOptions,
): string | undefined {
  if (namespace !== undefined) return namespace;
  const given = environment[NAMESPACE_VARIABLE]?.trim() ?? '';
  return given === '' ? undefined : checked(given, NAMESPACE_VARIABLE);
}

/** Names the pool in full before `action` runs; where none is named, the only one of the namespace. */
export function inNamespace<Options extends PoolOptions>(
  action: ClientCommand<Options>,
): ClientCommand<Options> {
  return async (terminal, options, ...args) => {
    const namespace = namespaceOf(terminal, options);
    const { pool = '' } = options;
    if (namespace === undefined || pool.includes('/')) {
      await action(terminal, options, ...args);
      return;
    }
    const named =
      pool === ''
        ? await onlyPoolOf(connect(terminal, options), namespace)
        : `${namespace}/${pool}`;
    await action(terminal, { ...options, pool: named }, ...args);
  };
}

/** Tokens of callers cannot ask which pools there are; the gateway's choice could be of another namespace. */
async function onlyPoolOf(client: ApiClient, namespace: string): Promise<string> {
  try {
    return fullName(await findPool(client, undefined, namespace));
  } catch (error) {
    if (!(error instanceof ServerError) || error.reason !== 'FORBIDDEN') throw error;
    throw new CliError(
      `this token may not list the pools of namespace ${namespace}`,
      EXIT_CODES.Denied,
      'Name the pool with -p.',
    );
  }
}

function checked(namespace: string, where: string): string {
  if (POOL_PART_PATTERN.test(namespace)) return namespace;
  throw new CliError(
    `${where}: no namespace has the name ${JSON.stringify(namespace)}`,
    EXIT_CODES.Usage,
    'Write lower case letters, digits and -, at most 63.',
  );
}
