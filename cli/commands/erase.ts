/** `agentpool delete project` and `delete conversation`: erases for good, asks a person first. */
import { pathOf } from '../client/api-client.ts';
import { type ClientCommand, connect, type ProjectOptions } from '../client/connect.ts';
import { CliError, EXIT_CODES } from '../exit-code.ts';
import type { Terminal } from '../terminal.ts';

export const deleteProject: ClientCommand<ProjectOptions & { readonly yes?: boolean }> = async (
  terminal,
  options,
) => {
  const { tenant, project, pool, yes } = options;
  const client = connect(terminal, options);
  const what = `project ${project} of tenant ${tenant}`;
  if (yes !== true)
    await confirm(terminal, `Erase ${what} with its state and conversations, for good?`);
  await client.call('DELETE', pathOf(['projects', tenant, project], { pool }));
  terminal.line(`${what} is erased`);
};

export const deleteConversation: ClientCommand<ProjectOptions> = async (
  terminal,
  options,
  id = '',
) => {
  const { tenant, project, pool } = options;
  const client = connect(terminal, options);
  await client.call('DELETE', pathOf(['projects', tenant, project, 'conversations', id], { pool }));
  terminal.line(`conversation ${id} is erased`);
};

async function confirm(terminal: Terminal, question: string): Promise<void> {
  if (!terminal.isInteractive)
    throw new CliError(
      'nobody is there to confirm',
      EXIT_CODES.Usage,
      'Add --yes to erase without being asked.',
    );
  const lines = terminal.readLines(`${question} [y/N] `);
  const answer = await lines.next();
  lines.leave();
  if (!/^y(es)?$/i.test(answer?.trim() ?? ''))
    throw new CliError('nothing was erased', EXIT_CODES.Failed);
}
