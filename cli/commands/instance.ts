/** `agentpool pause`, `resume` and `delete instance`: by the instance's id or by its project. */
import { type ApiClient, pathOf } from '../client/api-client.ts';
import {
  type ClientCommand,
  connect,
  type ProjectOptions,
  type ServerOptions,
} from '../client/connect.ts';
import { type NamespaceOptions, namespaceOf } from '../client/namespace.ts';
import { instanceIdOf } from '../client/pools.ts';
import { CliError, EXIT_CODES } from '../exit-code.ts';
import type { Terminal } from '../terminal.ts';

type Options = Partial<ProjectOptions> &
  NamespaceOptions &
  ServerOptions & { readonly force?: boolean };

export const pause: ClientCommand<Options> = async (terminal, options, given) => {
  const { client, id } = await locate(terminal, options, given);
  await client.call('POST', pathOf(['pool', 'instances', id, 'pause'], forced(options)));
  terminal.line(`${id} is paused; "agentpool resume ${id}" lets it go on`);
};

export const resume: ClientCommand<Options> = async (terminal, options, given) => {
  const { client, id } = await locate(terminal, options, given);
  await client.call('POST', pathOf(['pool', 'instances', id, 'resume']));
  terminal.line(`${id} takes tasks again`);
};

export const deleteInstance: ClientCommand<Options> = async (terminal, options, given) => {
  const { client, id } = await locate(terminal, options, given);
  await client.call('DELETE', pathOf(['pool', 'instances', id], forced(options)));
  terminal.line(`${id} has ended; its state stays, and the next task activates it again`);
};

function forced({ force }: Options): Readonly<Record<string, string | undefined>> {
  return { force: force === true ? 'true' : undefined };
}

async function locate(
  terminal: Terminal,
  options: Options,
  given: string | undefined,
): Promise<{ readonly client: ApiClient; readonly id: string }> {
  const client = connect(terminal, options);
  const { tenant, project, pool } = options;
  if (given !== undefined) return { client, id: given };
  if (tenant === undefined || project === undefined)
    throw new CliError(
      'which instance? Give its id, or -t TENANT and -P PROJECT',
      EXIT_CODES.Usage,
      'See the live instances with "agentpool get instances".',
    );
  const named = { tenant, project, ...(pool === undefined ? {} : { pool }) };
  return { client, id: await instanceIdOf(client, named, namespaceOf(terminal, options)) };
}
