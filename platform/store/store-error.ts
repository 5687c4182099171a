/** What every method of the store port throws when the store cannot be asked or did not answer in time. */
import { AppError } from '../../core/errors.ts';

export class StoreError extends AppError {
  /** `unknown`: a write may or may not have been applied; read back before anything else is done. */
  readonly outcome: 'not-applied' | 'unknown';
  constructor(message: string, outcome: 'not-applied' | 'unknown', cause?: unknown) {
    super('STORE_UNAVAILABLE', message, { cause, retryAfterMs: 1000 });
    this.outcome = outcome;
  }
}
