/** The environment's settings, or the end of the command with one line for each wrong variable. */
import type { Environment, ReadEnvironment } from '../../platform/config/environment.ts';
import type { ReadLogLevel } from '../../platform/config/log-level.ts';
import type { LogLevel } from '../../platform/log.ts';
import { CliError, EXIT_CODES } from '../exit-code.ts';

export function environmentOrFail(read: ReadEnvironment): Environment {
  if (read.ok) return read.environment;
  throw wrong(read.problems);
}

export function logLevelOrFail(read: ReadLogLevel): LogLevel | undefined {
  if (read.ok) return read.logLevel;
  throw wrong([read.problem]);
}

function wrong(problems: readonly string[]): CliError {
  return new CliError(problems.join('\n'), EXIT_CODES.Failed, 'Correct or unset the variable.');
}
