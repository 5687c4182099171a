/** What a driver throws when a runtime cannot be made, and why is worth telling; any other error of a create is just tried again. */

export type RefusalReason =
  /** What the template asks for is not valid, or not allowed. */
  | 'PodRejected'
  /** There is no room for one more now; there can be later. */
  | 'QuotaExceeded';

/** The name is somebody else's, or not free yet: another one may be had at once. */
export class NameTaken extends Error {
  override readonly name = 'NameTaken';
}

export class CreateRefused extends Error {
  override readonly name = 'CreateRefused';
  readonly reason: RefusalReason;

  /** @param message of whoever refused, for those who can mend it. */
  constructor(reason: RefusalReason, message: string, cause?: unknown) {
    super(message, { cause });
    this.reason = reason;
  }
}
