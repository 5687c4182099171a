/** Log lines of agents on their way to the host's log: bounded in length and rate, and always fit to be posted. */
import type { Clock } from '../../platform/clock.ts';
import type { AgentLog } from '../agent/agent.ts';
import { toJsonText } from './json-text.ts';
import type { FromWorker } from './protocol.ts';

export const LOG_LINES_PER_SECOND_MAX = 100;
export const LOG_MESSAGE_LENGTH_MAX = 2_000;
export const LOG_FIELDS_LENGTH_MAX = 4_000;

type LogMessage = Extract<FromWorker, { type: 'log' }>;
export type LogLevel = LogMessage['level'];
type Fields = Readonly<Record<string, unknown>>;

/** One per session: its runs share the rate. */
export class LineGate {
  readonly #clock: Clock;
  readonly #post: (line: Omit<LogMessage, 'type' | 'session'>) => void;
  #secondEndsMs = 0;
  #lines = 0;
  #dropped = 0;

  constructor(clock: Clock, post: (line: Omit<LogMessage, 'type' | 'session'>) => void) {
    this.#clock = clock;
    this.#post = post;
  }

  write(level: LogLevel, message: string, fields: Fields, run?: number): void {
    if (!this.#admit()) return;
    const line = { level, message: cut(message), fields: fit(fields) };
    this.#post(run === undefined ? line : { ...line, run });
  }

  #admit(): boolean {
    const nowMs = this.#clock.nowMs();
    if (nowMs >= this.#secondEndsMs) {
      const dropped = this.#dropped;
      this.#secondEndsMs = nowMs + 1_000;
      this.#lines = 0;
      this.#dropped = 0;
      if (dropped > 0)
        this.#post({
          level: 'warn',
          message: 'log lines of this instance were dropped',
          fields: { dropped, linesPerSecondMax: LOG_LINES_PER_SECOND_MAX },
        });
    }
    this.#lines += 1;
    if (this.#lines > LOG_LINES_PER_SECOND_MAX) this.#dropped += 1;
    return this.#lines <= LOG_LINES_PER_SECOND_MAX;
  }
}

export function agentLog(gate: LineGate, agent: string, run?: number): AgentLog {
  const at =
    (level: LogLevel) =>
    (message: string, fields: Fields = {}): void => {
      gate.write(level, message, { ...fields, agent }, run);
    };
  return { debug: at('debug'), info: at('info'), warn: at('warn'), error: at('error') };
}

function cut(message: unknown): string {
  const text = typeof message === 'string' ? message : String(message);
  return text.length <= LOG_MESSAGE_LENGTH_MAX
    ? text
    : `${text.slice(0, LOG_MESSAGE_LENGTH_MAX - 1)}…`;
}

/** As JSON has them: what cannot be cloned to another thread would throw into the agent. */
function fit(fields: Fields): Fields {
  try {
    const json = toJsonText(fields, 'fields', 'loose');
    if (json.length <= LOG_FIELDS_LENGTH_MAX) return JSON.parse(json) as Fields;
    return {
      omitted: `fields of ${json.length} characters; at most ${LOG_FIELDS_LENGTH_MAX} are logged`,
    };
  } catch (error) {
    return { omitted: (error as Error).message };
  }
}
