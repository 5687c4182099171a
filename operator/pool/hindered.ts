/** What a driver or a source throws when it is kept from doing its part, and by what is worth telling if it lasts. */

export type HindranceReason =
  /** The API server does not allow it. */
  | 'OperatorForbidden'
  /** An object that a pool needs has a name that somebody else's has. */
  | 'ObjectNotOwned'
  /** The API server does not answer, or says that it cannot. */
  | 'ApiServerUnavailable'
  /** Redis makes no user for the pool. */
  | 'RedisUsersRefused'
  /** What the Secret of a tenant holds cannot be given to runtimes. */
  | 'TenantSecretUnusable'
  /** Anything else. */
  | 'ReconcileFailed';

export class Hindered extends Error {
  override readonly name = 'Hindered';
  readonly reason: HindranceReason;

  /** @param message names the object and what was to be done with it; one sentence, for those who can mend it. */
  constructor(reason: HindranceReason, message: string, cause?: unknown) {
    super(message, { cause });
    this.reason = reason;
  }
}
