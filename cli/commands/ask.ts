/** `agentpool ask`: one task; prints what the agent says as it comes, and where and how fast it ran. */
import { systemRandom } from '../../platform/random.ts';
import { pathOf } from '../client/api-client.ts';
import {
  type ClientCommand,
  connect,
  type OutputOptions,
  type ProjectOptions,
} from '../client/connect.ts';
import { printAnswer } from '../client/task-answer.ts';
import { CliError, EXIT_CODES } from '../exit-code.ts';
import { print } from '../output/print.ts';
import { styleFor } from '../output/style.ts';
import type { Terminal } from '../terminal.ts';

type Options = OutputOptions &
  ProjectOptions & {
    readonly agent?: string;
    readonly conversation?: string;
    readonly requestId?: string;
    readonly json?: boolean;
  };

const INPUT_CHARACTERS_MAX = 16 * 1024 * 1024;

export const ask: ClientCommand<Options> = async (terminal, options, text = '') => {
  const client = connect(terminal, options);
  const { pool, tenant, project, agent, conversation, requestId = systemRandom.id() } = options;
  const input = await readInput(terminal, text, options.json === true);
  const request = {
    pool,
    tenant,
    project,
    agent,
    conversation_id: conversation,
    request_id: requestId,
    input,
  };
  if (options.output !== 'table') {
    const answer = await client.call('POST', pathOf(['execute']), request);
    await print(terminal, options.output, answer, () => '');
    return;
  }
  const answer = await printAnswer(
    terminal,
    client.stream(pathOf(['execute']), request),
    requestId,
  );
  // To standard error, so that a pipe gets the answer alone.
  if (terminal.isInteractive) terminal.error(styleFor(terminal).dim(answer.summary));
};

async function readInput(terminal: Terminal, text: string, isJson: boolean): Promise<unknown> {
  const given = text === '-' ? await readAll(terminal) : text;
  if (!isJson) return given;
  try {
    return JSON.parse(given) as unknown;
  } catch (error) {
    throw new CliError(
      `the input is not JSON: ${(error as Error).message}`,
      EXIT_CODES.Usage,
      'Leave out --json to send it as text.',
    );
  }
}

async function readAll(terminal: Terminal): Promise<string> {
  const all = await terminal.readAll(INPUT_CHARACTERS_MAX).catch((error: unknown) => {
    throw new CliError((error as Error).message, EXIT_CODES.Usage);
  });
  // The line end that a shell or an editor puts there is not part of the input.
  return all.replace(/\r?\n$/, '');
}
