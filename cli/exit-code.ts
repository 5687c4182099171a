/** What the command's exit codes mean, and the error that carries one to the end of the process. */
export const EXIT_CODES = {
  Done: 0,
  Failed: 1,
  Usage: 2,
  NotFound: 3,
  Denied: 4,
  Unavailable: 5,
} as const;
export type ExitCode = (typeof EXIT_CODES)[keyof typeof EXIT_CODES];

/** For help and the reference. */
export const EXIT_MEANINGS: Readonly<Record<ExitCode, string>> = {
  0: 'done',
  1: 'failed: the message says why',
  2: 'usage: the command line, or a field of the request, is wrong',
  3: 'not found: no such pool, project, instance, agent or conversation',
  4: 'denied: the token is missing, wrong, or lacks the role or tenant',
  5: 'unavailable: nothing answers there, or it cannot serve now; a retry can help',
};

/** Ends the command with one message on standard error and this exit code, no stack. */
export class CliError extends Error {
  override readonly name = 'CliError';
  readonly exitCode: ExitCode;
  /** One sentence more: what the reader can do. */
  readonly advice: string | undefined;

  constructor(message: string, exitCode: ExitCode = EXIT_CODES.Failed, advice?: string) {
    super(message);
    this.exitCode = exitCode;
    this.advice = advice;
  }
}

const HTTP_EXIT_CODES: Readonly<Record<number, ExitCode>> = {
  400: EXIT_CODES.Usage,
  401: EXIT_CODES.Denied,
  403: EXIT_CODES.Denied,
  404: EXIT_CODES.NotFound,
  413: EXIT_CODES.Usage,
  429: EXIT_CODES.Unavailable,
  502: EXIT_CODES.Unavailable,
  503: EXIT_CODES.Unavailable,
};

export function exitCodeOfHttp(status: number): ExitCode {
  return HTTP_EXIT_CODES[status] ?? EXIT_CODES.Failed;
}
