/** The closed table of errors: reason → gRPC code, HTTP status, whether a retry can help. Borders convert once, inside everyone throws `AppError`. */

interface Row {
  readonly code: GrpcCode;
  readonly http: number;
  /** A retry of the same request can succeed without anybody changing anything. */
  readonly retryable: boolean;
}

/** Numbers of google.rpc.Code. */
export const GRPC_CODES = {
  OK: 0,
  CANCELLED: 1,
  UNKNOWN: 2,
  INVALID_ARGUMENT: 3,
  DEADLINE_EXCEEDED: 4,
  NOT_FOUND: 5,
  ALREADY_EXISTS: 6,
  PERMISSION_DENIED: 7,
  RESOURCE_EXHAUSTED: 8,
  FAILED_PRECONDITION: 9,
  ABORTED: 10,
  OUT_OF_RANGE: 11,
  UNIMPLEMENTED: 12,
  INTERNAL: 13,
  UNAVAILABLE: 14,
  DATA_LOSS: 15,
  UNAUTHENTICATED: 16,
} as const;
export type GrpcCode = keyof typeof GRPC_CODES;

const row = (code: GrpcCode, http: number, retryable = false): Row => ({ code, http, retryable });

export const ERROR_TABLE = {
  INVALID_FIELD: row('INVALID_ARGUMENT', 400),
  PAYLOAD_TOO_LARGE: row('INVALID_ARGUMENT', 413),
  TOKEN_INVALID: row('UNAUTHENTICATED', 401),
  FORBIDDEN: row('PERMISSION_DENIED', 403),
  UNKNOWN_POOL: row('NOT_FOUND', 404),
  UNKNOWN_AGENT: row('NOT_FOUND', 404),
  UNKNOWN_INSTANCE: row('NOT_FOUND', 404),
  UNKNOWN_PROJECT: row('NOT_FOUND', 404),
  UNKNOWN_CONVERSATION: row('NOT_FOUND', 404),
  PAUSED: row('FAILED_PRECONDITION', 409),
  LEASE_UNKNOWN: row('FAILED_PRECONDITION', 409),
  REQUEST_ID_REUSED: row('ALREADY_EXISTS', 409),
  STATE_CONFLICT: row('ABORTED', 409, true),
  RATE_LIMITED: row('RESOURCE_EXHAUSTED', 429, true),
  QUEUE_FULL: row('RESOURCE_EXHAUSTED', 429, true),
  QUEUE_TIMEOUT: row('RESOURCE_EXHAUSTED', 429, true),
  MEMORY_LIMIT: row('RESOURCE_EXHAUSTED', 429),
  SLOW_CONSUMER: row('RESOURCE_EXHAUSTED', 429),
  CIRCUIT_OPEN: row('UNAVAILABLE', 503, true),
  RUNTIME_LOST: row('UNAVAILABLE', 503, true),
  OWNER_UNREACHABLE: row('UNAVAILABLE', 503, true),
  SUSPENDED: row('UNAVAILABLE', 503),
  STORE_UNAVAILABLE: row('UNAVAILABLE', 503, true),
  ACCESS_UNAVAILABLE: row('UNAVAILABLE', 503, true),
  SECRETS_PENDING: row('UNAVAILABLE', 503, true),
  DRAINING: row('UNAVAILABLE', 503, true),
  DEADLINE: row('DEADLINE_EXCEEDED', 504),
  CANCELLED: row('CANCELLED', 499),
  UNIMPLEMENTED: row('UNIMPLEMENTED', 501),
  AGENT_ERROR: row('INTERNAL', 500),
  AGENT_EXITED: row('INTERNAL', 500),
  INTERNAL: row('INTERNAL', 500),
} as const satisfies Record<string, Row>;

export type Reason = keyof typeof ERROR_TABLE;

/** The domain of `google.rpc.ErrorInfo` in every answer of ours. */
export const ERROR_DOMAIN = 'agentpool.dev';

export interface ErrorDetails {
  readonly cause?: unknown;
  /** Path of the wrong field in the request, as the caller wrote it: `options.timeout_ms`. */
  readonly field?: string;
  /** When a retry can help: after how long. */
  readonly retryAfterMs?: number;
  readonly metadata?: Readonly<Record<string, string>>;
  /** AGENT_ERROR only: the agent's own code (what it threw had a canonical `code`). */
  readonly code?: GrpcCode;
}

export class AppError extends Error {
  override readonly name = 'AppError';
  readonly reason: Reason;
  readonly code: GrpcCode;
  readonly field: string | undefined;
  readonly retryAfterMs: number | undefined;
  readonly metadata: Readonly<Record<string, string>>;

  constructor(reason: Reason, message: string, details: ErrorDetails = {}) {
    super(message, details.cause === undefined ? undefined : { cause: details.cause });
    this.reason = reason;
    this.code = details.code ?? ERROR_TABLE[reason].code;
    this.field = details.field;
    this.retryAfterMs = details.retryAfterMs;
    this.metadata = details.metadata ?? {};
  }

  /** Anything that was thrown, as an AppError: what is not ours is INTERNAL, its message kept for the log only. */
  static from(thrown: unknown): AppError {
    if (thrown instanceof AppError) return thrown;
    return new AppError('INTERNAL', 'internal error; the log of this process has the details', {
      cause: thrown,
    });
  }
}

const CODE_HTTP: Partial<Record<GrpcCode, number>> = {
  CANCELLED: 499,
  INVALID_ARGUMENT: 400,
  DEADLINE_EXCEEDED: 504,
  NOT_FOUND: 404,
  ALREADY_EXISTS: 409,
  PERMISSION_DENIED: 403,
  RESOURCE_EXHAUSTED: 429,
  FAILED_PRECONDITION: 409,
  ABORTED: 409,
  OUT_OF_RANGE: 400,
  UNIMPLEMENTED: 501,
  UNAVAILABLE: 503,
  UNAUTHENTICATED: 401,
};

/** The reason's status; for an agent's own code the one of that code. */
export function httpStatusOf(error: Pick<AppError, 'reason' | 'code'>): number {
  const fixed = ERROR_TABLE[error.reason];
  return error.code === fixed.code ? fixed.http : (CODE_HTTP[error.code] ?? 500);
}

export function isReason(text: string): text is Reason {
  return Object.hasOwn(ERROR_TABLE, text);
}

export function isGrpcCode(text: string): text is GrpcCode {
  return Object.hasOwn(GRPC_CODES, text);
}
