/** A refusal of the API server (an HTTP status and its body, or an ERROR event of a watch) as a KubeError. Pure. */
import { KubeError, type FieldProblem, type KubeErrorReason } from './kube-error.ts';

/** metav1.Status, as much of it as is read. */
export interface StatusBody {
  readonly kind?: string;
  readonly code?: number;
  readonly reason?: string;
  readonly message?: string;
  readonly details?: {
    readonly causes?: readonly { readonly field?: string; readonly message?: string }[];
    readonly retryAfterSeconds?: number;
  };
}

export interface Refusal {
  readonly status: number;
  /** The body's text. */
  readonly body: string;
  readonly retryAfter?: string | undefined;
  readonly isWrite: boolean;
  /** `PATCH /api/v1/…`: what failed, where the answer itself does not say. */
  readonly call?: string;
}

const REASONS: Readonly<Record<number, KubeErrorReason>> = {
  400: 'Invalid',
  401: 'Unauthorized',
  403: 'Forbidden',
  404: 'NotFound',
  405: 'KindNotFound',
  409: 'Conflict',
  410: 'Expired',
  413: 'Invalid',
  415: 'Invalid',
  422: 'Invalid',
  429: 'TooManyRequests',
};

export function refusalError(refusal: Refusal): KubeError {
  const body = parseStatus(refusal.body);
  const reason = reasonOf(refusal, body);
  const retryAfterSeconds =
    body?.details?.retryAfterSeconds ?? Number(refusal.retryAfter ?? Number.NaN);
  const text = body?.message ?? textOf(refusal);
  const isNamed = refusal.status < 500 || refusal.call === undefined;
  return new KubeError(reason, isNamed ? text : `${refusal.call}: ${text}`, {
    fields: fieldsOf(body),
    ...(Number.isFinite(retryAfterSeconds) && { retryAfterMs: retryAfterSeconds * 1_000 }),
  });
}

/** What a watch sends before it ends: 410 for a version that is too old. */
export function watchError(body: StatusBody): KubeError {
  const reason = body.code === 410 || body.reason === 'Expired' ? 'Expired' : 'Unavailable';
  return new KubeError(reason, body.message ?? 'the watch ended with an error');
}

function reasonOf(refusal: Refusal, body: StatusBody | undefined): KubeErrorReason {
  return refusal.status < 500 ? refusedFor(refusal, body) : failedWith(refusal, body);
}

type Judge = (status: number, body: StatusBody | undefined) => boolean;

/** What the HTTP status alone does not say; the first that holds counts. */
const SPECIAL: readonly (readonly [KubeErrorReason, Judge])[] = [
  ['KindNotFound', (status, body) => status === 404 && body === undefined],
  ['AlreadyExists', (status, body) => status === 409 && body?.reason === 'AlreadyExists'],
  [
    'QuotaExceeded',
    (status, body) => status === 403 && (body?.message ?? '').includes('exceeded quota'),
  ],
  // A uid in a patch or an apply is a precondition; on another incarnation the API server calls it an immutable field.
  [
    'Conflict',
    (status, body) =>
      status === 422 && fieldsOf(body).some(({ field }) => field === 'metadata.uid'),
  ],
];

function refusedFor({ status }: Refusal, body: StatusBody | undefined): KubeErrorReason {
  const special = SPECIAL.find(([, holds]) => holds(status, body));
  return special?.[0] ?? REASONS[status] ?? 'Refused';
}

/** Only the API server's own "not now" is certain: 500 and 504 can come after the write has reached etcd. */
function failedWith({ status, isWrite }: Refusal, body: StatusBody | undefined): KubeErrorReason {
  const isCertain = status === 503 && body?.reason === 'ServiceUnavailable';
  return isWrite && !isCertain ? 'OutcomeUnknown' : 'Unavailable';
}

function parseStatus(text: string): StatusBody | undefined {
  try {
    const body = JSON.parse(text) as StatusBody | null;
    return body?.kind === 'Status' ? body : undefined;
  } catch {
    return undefined;
  }
}

function fieldsOf(body: StatusBody | undefined): readonly FieldProblem[] {
  const causes = body?.details?.causes ?? [];
  return causes.map(({ field = '', message = '' }) => ({ field, message }));
}

function textOf({ status, body }: Refusal): string {
  return `the API server answered ${status}: ${body.slice(0, 200)}`;
}
