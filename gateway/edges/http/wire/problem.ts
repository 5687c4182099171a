/** Errors as HTTP answers: `application/problem+json` (RFC 9457) and `Retry-After`. The one border where an AppError becomes a status. */
import { AppError, httpStatusOf, type Reason } from '../../../../core/errors.ts';

export const PROBLEM_CONTENT_TYPE = 'application/problem+json; charset=utf-8';

/** `type` of a problem is this and the reason: stable, and the path of its page in the documentation. */
export const REASON_URI = 'https://agentpool.dev/reasons/';

export interface FieldProblem {
  /** As the caller wrote it: `options.timeoutMs`. */
  readonly field: string;
  readonly detail: string;
}

export interface Problem {
  readonly type: string;
  readonly title: string;
  readonly status: number;
  readonly code: string;
  readonly reason: string;
  readonly detail: string;
  readonly errors?: readonly FieldProblem[];
  readonly request_id: string;
  readonly retry_after_ms?: number;
  readonly metadata?: Readonly<Record<string, string>>;
}

export interface HttpErrorOptions {
  /** Of HTTP's own mistakes (404 of a path, 405, 415 …); else the reason's. */
  readonly status?: number;
  readonly headers?: Readonly<Record<string, string>>;
  readonly errors?: readonly FieldProblem[];
  readonly field?: string;
  readonly retryAfterMs?: number;
}

/** An AppError with what only HTTP can say. */
export class HttpError extends AppError {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly errors: readonly FieldProblem[] | undefined;

  constructor(reason: Reason, message: string, options: HttpErrorOptions = {}) {
    const { field, retryAfterMs } = options;
    super(reason, message, {
      ...(field === undefined ? {} : { field }),
      ...(retryAfterMs === undefined ? {} : { retryAfterMs }),
    });
    this.status = options.status ?? httpStatusOf(this);
    this.headers = options.headers ?? {};
    this.errors = options.errors;
  }
}

/** A wrong field of the request: 400 INVALID_FIELD. */
export function invalidField(field: string, detail: string): HttpError {
  return new HttpError('INVALID_FIELD', `${field}: ${detail}`, {
    field,
    errors: [{ field, detail }],
  });
}

export interface ProblemAnswer {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly problem: Problem;
}

/** @param requestId the task's request_id once it is known, else the id of the HTTP request. */
export function problemAnswer(error: AppError, requestId: string): ProblemAnswer {
  const status = error instanceof HttpError ? error.status : httpStatusOf(error);
  const own = error instanceof HttpError ? error.headers : {};
  return {
    status,
    headers: { ...own, ...challengeOf(status), ...retryAfterOf(error) },
    problem: problemOf(error, status, requestId),
  };
}

function problemOf(error: AppError, status: number, requestId: string): Problem {
  const { retryAfterMs, metadata } = error;
  const errors = fieldProblemsOf(error);
  return {
    type: REASON_URI + error.reason,
    title: titleOf(error.reason),
    status,
    code: error.code,
    reason: error.reason,
    detail: error.message,
    ...(errors === undefined ? {} : { errors }),
    request_id: requestId,
    ...(retryAfterMs === undefined ? {} : { retry_after_ms: Math.ceil(retryAfterMs) }),
    ...(Object.keys(metadata).length === 0 ? {} : { metadata }),
  };
}

function fieldProblemsOf(error: AppError): readonly FieldProblem[] | undefined {
  if (error instanceof HttpError && error.errors !== undefined) return error.errors;
  return error.field === undefined ? undefined : [{ field: error.field, detail: error.message }];
}

/** Whole seconds, rounded up: a client that waits so long is never too early. */
function retryAfterOf({ retryAfterMs }: AppError): Record<string, string> {
  return retryAfterMs === undefined
    ? {}
    : { 'retry-after': String(Math.ceil(retryAfterMs / 1000)) };
}

/** RFC 9110 wants it with each 401. */
function challengeOf(status: number): Record<string, string> {
  return status === 401 ? { 'www-authenticate': 'Bearer realm="agentpool"' } : {};
}

/** `QUEUE_FULL` → `Queue full`. */
function titleOf(reason: Reason): string {
  const words = reason.toLowerCase().replaceAll('_', ' ');
  return words.charAt(0).toUpperCase() + words.slice(1);
}
