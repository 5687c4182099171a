/** The environment's settings, or the end of the command with one line for each wrong variable. */
import type { Environment, ReadEnvironment } from '../../platform/config/environment.ts';
import { CliError, EXIT_CODES } from '../exit-code.ts';

export function environmentOrFail(read: ReadEnvironment): Environment {
  if (read.ok) return read.environment;
  throw new CliError(read.problems.join('\n'), EXIT_CODES.Failed, 'Correct or unset the variable.');
}
