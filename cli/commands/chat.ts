/** `agentpool chat`: a conversation line by line. Ctrl-C cancels the answer that is being given; where none is, it leaves. */
import { systemRandom } from '../../platform/random.ts';
import { type ApiClient, pathOf } from '../client/api-client.ts';
import { type ClientCommand, connect, type ProjectOptions } from '../client/connect.ts';
import { printAnswer } from '../client/task-answer.ts';
import { CliError, EXIT_CODES } from '../exit-code.ts';
import { type Style, styleFor } from '../output/style.ts';
import type { Terminal } from '../terminal.ts';

type Options = ProjectOptions & { readonly agent?: string; readonly conversation?: string };

interface Line extends Omit<Options, 'conversation'> {
  readonly conversation: string | undefined;
  readonly input: string;
}

/** Waits for a line, or runs a task that can be cancelled. */
type Turn =
  { readonly at: 'typing' } | { readonly at: 'answering'; readonly cancel: AbortController };

export const chat: ClientCommand<Options> = async (terminal, options) => {
  const client = connect(terminal, options);
  const style = styleFor(terminal);
  const lines = terminal.readLines(style.bold('you> '));
  let turn: Turn = { at: 'typing' };
  const interrupt = (): void => {
    if (turn.at === 'answering' && !turn.cancel.signal.aborted) turn.cancel.abort();
    else lines.leave();
  };
  lines.onInterrupt(interrupt);
  const unlisten = terminal.onSignal(['SIGINT'], interrupt);
  if (terminal.isInteractive)
    terminal.error(
      style.dim(`Talking with ${client.server}; Ctrl-C cancels an answer, then leaves.`),
    );
  let { conversation } = options;
  try {
    for (;;) {
      const line = await lines.next();
      if (line === undefined) break;
      if (line.trim() === '') continue;
      turn = { at: 'answering', cancel: new AbortController() };
      const request = { ...options, conversation, input: line };
      conversation =
        (await answer(terminal, { client, style }, request, turn.cancel.signal)) ?? conversation;
      turn = { at: 'typing' };
    }
  } finally {
    unlisten();
    lines.leave();
  }
  if (terminal.isInteractive && conversation !== undefined)
    terminal.error(style.dim(`\nGo on with: -c ${conversation}`));
};

/** The conversation's id; undefined when there was no answer. */
async function answer(
  terminal: Terminal,
  { client, style }: { readonly client: ApiClient; readonly style: Style },
  request: Line,
  signal: AbortSignal,
): Promise<string | undefined> {
  const { pool, tenant, project, agent, conversation, input } = request;
  const requestId = systemRandom.id();
  const ids = { conversation_id: conversation, request_id: requestId };
  const body = { pool, tenant, project, agent, ...ids, input };
  try {
    const events = client.stream(pathOf(['execute']), body, signal);
    const { conversationId, summary } = await printAnswer(terminal, events, requestId);
    if (terminal.isInteractive) terminal.error(style.dim(summary));
    return conversationId;
  } catch (error) {
    if (signal.aborted) {
      terminal.error('(cancelled)');
      return undefined;
    }
    // A typed conversation outlives one failed answer; a script that feeds lines wants to know.
    if (!(error instanceof CliError) || !terminal.isInteractive || isFinal(error)) throw error;
    terminal.error(style.red(error.message));
    if (error.advice !== undefined) terminal.error(error.advice);
    return undefined;
  }
}

function isFinal({ exitCode }: CliError): boolean {
  return exitCode === EXIT_CODES.Denied || exitCode === EXIT_CODES.NotFound;
}
