/** Everything that the port of the API server throws: a closed table of reasons. Knows no HTTP; the adapter and the fake make them. */

interface Row {
  /** The same request can succeed later without anybody changing it. */
  readonly isRetryable: boolean;
  /** Whether a write that ended so has changed anything. */
  readonly outcome: 'not-applied' | 'unknown';
}

const refused: Row = { isRetryable: false, outcome: 'not-applied' };
const later: Row = { isRetryable: true, outcome: 'not-applied' };

export const KUBE_ERRORS = {
  /** The object is not there. */
  NotFound: refused,
  /** The API server knows no such kind: the CRD is not installed (yet), or the API is of another version. */
  KindNotFound: later,
  /** `create` of a name that is taken. */
  AlreadyExists: refused,
  /** resourceVersion or uid are not those of the object any more: read it again, decide again. */
  Conflict: refused,
  Unauthorized: later,
  /** The role lacks the verb; `message` is the API server's and names both. Also what admission refuses. */
  Forbidden: refused,
  /** A ResourceQuota or LimitRange of the namespace has no room; there can be later. */
  QuotaExceeded: later,
  /** The object breaks its schema or a rule: `fields` says where and why. */
  Invalid: refused,
  TooManyRequests: later,
  /** The resourceVersion or the continue token is too old (410): list anew. */
  Expired: later,
  /** Nobody answers, or says that it cannot: nothing was changed. */
  Unavailable: later,
  /** A write was sent and its answer did not arrive: it may be applied, now or in a moment. Read before writing again. */
  OutcomeUnknown: { isRetryable: true, outcome: 'unknown' },
  /** A write was not sent, as this process is not the leader (any more). */
  NotLeader: refused,
  /** Any other refusal. */
  Refused: refused,
} as const satisfies Record<string, Row>;

export type KubeErrorReason = keyof typeof KUBE_ERRORS;

export interface FieldProblem {
  /** `spec.tiers.hot.max`; empty where the API server names none. */
  readonly field: string;
  readonly message: string;
}

export interface KubeErrorDetails {
  readonly cause?: unknown;
  readonly fields?: readonly FieldProblem[];
  /** The API server asked for no earlier retry. */
  readonly retryAfterMs?: number;
}

export class KubeError extends Error {
  override readonly name = 'KubeError';
  readonly reason: KubeErrorReason;
  readonly fields: readonly FieldProblem[];
  readonly retryAfterMs: number | undefined;

  constructor(reason: KubeErrorReason, message: string, details: KubeErrorDetails = {}) {
    super(message, details.cause === undefined ? undefined : { cause: details.cause });
    this.reason = reason;
    this.fields = details.fields ?? [];
    this.retryAfterMs = details.retryAfterMs;
  }

  get isRetryable(): boolean {
    return KUBE_ERRORS[this.reason].isRetryable;
  }

  get outcome(): 'not-applied' | 'unknown' {
    return KUBE_ERRORS[this.reason].outcome;
  }
}

/** Whether it was thrown for one of these reasons: `if (isKubeError(error, 'NotFound')) …`. */
export function isKubeError(
  error: unknown,
  ...reasons: readonly KubeErrorReason[]
): error is KubeError {
  return error instanceof KubeError && (reasons.length === 0 || reasons.includes(error.reason));
}
