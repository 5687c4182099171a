/** Structured logs: constant message plus fields with closed keys, one JSON object a line on standard error. */
import { pino } from 'pino';

export const LOG_LEVELS = ['debug', 'info', 'warn', 'error', 'silent'] as const;
export type LogLevel = (typeof LOG_LEVELS)[number];

/** The keys that every process uses; a field beyond them belongs under `detail`. */
export interface LogFields {
  readonly namespace?: string;
  readonly pool?: string;
  readonly tenant?: string;
  readonly project?: string;
  readonly agent?: string;
  readonly conversation_id?: string;
  readonly request_id?: string;
  readonly trace_id?: string;
  readonly instance_id?: string;
  readonly runtime?: string;
  readonly epoch?: number;
  /** What went wrong: logged with message, stack and causes. */
  readonly err?: unknown;
  /** Numbers and words that belong to this one message. Never secrets, never payloads. */
  readonly detail?: Readonly<Record<string, unknown>>;
}

export interface Log {
  debug(message: string, fields?: LogFields): void;
  info(message: string, fields?: LogFields): void;
  warn(message: string, fields?: LogFields): void;
  error(message: string, fields?: LogFields): void;
  /** A log whose lines carry these fields too. */
  with(fields: LogFields): Log;
}

interface PinoLike {
  debug(fields: object, message: string): void;
  info(fields: object, message: string): void;
  warn(fields: object, message: string): void;
  error(fields: object, message: string): void;
  child(fields: object): PinoLike;
}

function wrap(logger: PinoLike): Log {
  return {
    debug: (message, fields = {}) => {
      logger.debug(fields, message);
    },
    info: (message, fields = {}) => {
      logger.info(fields, message);
    },
    warn: (message, fields = {}) => {
      logger.warn(fields, message);
    },
    error: (message, fields = {}) => {
      logger.error(fields, message);
    },
    with: (fields) => wrap(logger.child(fields)),
  };
}

/** @param process names the kind of process in every line: standalone, operator, gateway, runtime. */
export function createLog(level: LogLevel, process: string): Log {
  return wrap(
    pino(
      { level, base: { process }, formatters: { level: (label) => ({ level: label }) } },
      pino.destination(2),
    ),
  );
}

/** Says nothing: tests and the simulation. */
export const silentLog: Log = {
  debug: () => undefined,
  info: () => undefined,
  warn: () => undefined,
  error: () => undefined,
  with: () => silentLog,
};
