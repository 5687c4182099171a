/** Shows the events of one task to a person: chunks as they come, the result if it says more, then a summary of where it ran. */
import { ServerError } from './problem.ts';
import type { ServerEvent } from './event-stream.ts';
import { CliError, EXIT_CODES } from '../exit-code.ts';
import { at, escapeControls, numberAt, textAt } from '../output/json-value.ts';
import { formatMs } from '../output/quantity.ts';
import type { Terminal } from '../terminal.ts';
import { type GrpcCode, GRPC_CODES, httpStatusOf, isReason } from '../../core/errors.ts';

export interface Answer {
  readonly conversationId: string;
  /** `guide · WARM · 0.4 ms (…)`. */
  readonly summary: string;
}

/** Fails with the task's error, and when the stream ends before the task did. @param requestId what was sent. */
export async function printAnswer(
  terminal: Terminal,
  events: AsyncIterable<ServerEvent>,
  requestId: string,
): Promise<Answer> {
  let streamed = '';
  const end = (): void => {
    if (streamed !== '' && !streamed.endsWith('\n')) terminal.line();
  };
  for await (const { event, data } of events) {
    const message = parse(data);
    if (event === 'chunk') {
      const chunk = spoken(at(message, 'text') ?? at(message, 'json'));
      streamed += chunk;
      terminal.write(chunk);
    } else if (event === 'error') {
      end();
      throw taskError(message);
    } else if (event === 'result') {
      end();
      const output = spoken(at(message, 'output'));
      if (output.trim() !== streamed.trim()) terminal.line(output);
      return { conversationId: textAt(message, 'conversation_id'), summary: summaryOf(message) };
    }
  }
  end();
  throw new CliError(
    'the answer ended before the task did',
    EXIT_CODES.Unavailable,
    `Ask the same again with --request-id ${requestId}: if it was done, you get the recorded answer.`,
  );
}

function parse(data: string): unknown {
  try {
    return JSON.parse(data) as unknown;
  } catch {
    return undefined;
  }
}

function spoken(value: unknown): string {
  if (value === undefined) return '';
  return escapeControls(
    typeof value === 'string' ? value : JSON.stringify(value, undefined, 2),
    '\n\t',
  );
}

function taskError(message: unknown): CliError {
  const reason = textAt(message, 'reason');
  const number = numberAt(message, 'code');
  const code = (Object.keys(GRPC_CODES) as GrpcCode[]).find((name) => GRPC_CODES[name] === number);
  const status = isReason(reason) ? httpStatusOf({ reason, code: code ?? 'INTERNAL' }) : 500;
  const retryMs = numberAt(message, 'retry_after_ms');
  return new ServerError(status, {
    detail: textAt(message, 'message'),
    reason,
    ...(retryMs === undefined || retryMs === 0 ? {} : { retry_after_ms: retryMs }),
  });
}

function summaryOf(message: unknown): string {
  const [queue = 0, activate = 0, run = 0] = ['queue_ms', 'activate_ms', 'run_ms'].map((field) =>
    numberAt(message, 'timings', field),
  );
  const times = [
    ...(queue >= 1 ? [`queued ${formatMs(queue)}`] : []),
    ...(activate > 0 ? [`activated in ${formatMs(activate)}`] : []),
    `ran ${formatMs(run)}`,
  ];
  const parts = [
    textAt(message, 'agent'),
    textAt(message, 'tier'),
    times.join(', '),
    `conversation ${textAt(message, 'conversation_id')}`,
    ...(at(message, 'replayed') === true ? ['the recorded answer of an earlier task'] : []),
  ];
  return parts.join(' · ');
}
