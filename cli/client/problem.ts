/** Reads `application/problem+json` into the error that ends a command: the server's detail, what to do, the exit code. */
import { isReason, type Reason } from '../../core/errors.ts';
import { CliError, exitCodeOfHttp } from '../exit-code.ts';

interface Problem {
  readonly detail?: string;
  readonly title?: string;
  readonly reason?: string;
  readonly retry_after_ms?: number;
  readonly request_id?: string;
}

/** A task that ended in an error; its reason is looked at by `chat`. */
export class ServerError extends CliError {
  readonly reason: string;

  constructor(status: number, problem: Problem) {
    const { reason = 'INTERNAL', detail, title } = problem;
    const said = detail ?? title ?? `the server answered with HTTP status ${status}`;
    super(`${said} (${reason})`, exitCodeOfHttp(status), adviceFor(reason, problem));
    this.reason = reason;
  }
}

const CHARACTERS_MAX = 4_000;

export function problemOf(status: number, text: string): ServerError {
  const shown = text.slice(0, CHARACTERS_MAX);
  try {
    const problem = JSON.parse(text) as unknown;
    if (typeof problem === 'object' && problem !== null) return new ServerError(status, problem);
  } catch {
    // Something between us and the gateway answered in its own words.
  }
  return new ServerError(status, { detail: `HTTP status ${status}: ${shown}`, reason: 'HTTP' });
}

const ADVICE: Partial<Record<Reason, string>> = {
  TOKEN_INVALID: "Give a token of the server's token file with --token or AGENTPOOL_TOKEN.",
  FORBIDDEN: 'Use a token with the role and the tenant that this needs.',
  UNKNOWN_POOL: 'See the pools with "agentpool get pools", and name one with -p.',
  UNKNOWN_AGENT: 'See the agents with "agentpool get agents", and name one with -a.',
  UNKNOWN_INSTANCE: 'See the live instances with "agentpool get instances".',
  UNKNOWN_PROJECT: 'See the projects with "agentpool get projects".',
  UNKNOWN_CONVERSATION:
    'See the conversations with "agentpool get conversations -t TENANT -P PROJECT".',
  PAUSED: 'Let it go on with "agentpool resume".',
  SUSPENDED: 'Set spec.operatingMode to Running in the manifest.',
  CIRCUIT_OPEN: 'See what happened with "agentpool describe pool NAME".',
};

function adviceFor(reason: string, { retry_after_ms: retryMs }: Problem): string | undefined {
  const advice = isReason(reason) ? ADVICE[reason] : undefined;
  if (advice !== undefined) return advice;
  return retryMs === undefined ? undefined : `Try again in ${Math.ceil(retryMs / 1_000)} s.`;
}
