/** The level of the log, as the environment sets it: all that commands of a cluster read there. */
import { LOG_LEVELS, type LogLevel } from '../log.ts';
import { textOf, type Variables } from './text-of.ts';

export type ReadLogLevel =
  | { readonly ok: true; readonly logLevel: LogLevel | undefined }
  /** A sentence, the variable's name first. */
  | { readonly ok: false; readonly problem: string };

/** Of the processes of one machine, where nobody says another: what a person reads in a terminal. */
export const DEFAULT_LOG_LEVEL: LogLevel = 'warn';
/** Of operators and gateways of a cluster: what is kept and searched. */
export const CLUSTER_LOG_LEVEL: LogLevel = 'info';

/** Undefined: the process chooses. */
export function readLogLevel(variables: Variables): ReadLogLevel {
  const text = textOf('LOG_LEVEL', variables);
  const logLevel = LOG_LEVELS.find((name) => name === text?.toLowerCase());
  if (text === undefined || logLevel !== undefined) return { ok: true, logLevel };
  const problem = `LOG_LEVEL: must be one of ${LOG_LEVELS.join(', ')}, but is ${JSON.stringify(text)}`;
  return { ok: false, problem };
}
