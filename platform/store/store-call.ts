/** One call on the server's side: checked against the scope of its connection's token, asked, and turned into the message that answers it. */
import { AppError } from '../../core/errors.ts';
import type { Log } from '../log.ts';
import { StoreError } from './store-error.ts';
import {
  isAllowed,
  isStoreMethod,
  restrict,
  STORE_METHODS,
  type StoreMethod,
  type StoreScope,
} from './store-methods.ts';
import type { Store } from './store.ts';

/** `[id, method, arguments]`, as far as anybody knows. */
export type CallMessage = readonly unknown[];

export function isWrite([, method]: CallMessage): boolean {
  return isStoreMethod(method) && STORE_METHODS[method].writes;
}

/** Never rejects: what goes wrong is the answer. */
export async function answerCall(
  { store, log }: { readonly store: Store; readonly log: Log },
  scope: StoreScope,
  [id, method, args]: CallMessage,
): Promise<readonly unknown[]> {
  try {
    if (!isStoreMethod(method) || !Array.isArray(args)) {
      throw new AppError('INTERNAL', `no such call: ${String(method)}`);
    }
    if (!isAllowed(scope, method, args)) {
      throw new AppError('FORBIDDEN', `${method}: not a key of this token's pool`);
    }
    return [id, true, restrict(scope, method, await ask(store, method, args))];
  } catch (error) {
    return [id, false, describeError(error, log)];
  }
}

function ask(store: Store, method: StoreMethod, args: readonly unknown[]): Promise<unknown> {
  return (store[method] as (...args: readonly unknown[]) => Promise<unknown>).call(store, ...args);
}

function describeError(error: unknown, log: Log): object {
  if (error instanceof StoreError) {
    const { reason, message, outcome } = error;
    return { reason, message, outcome };
  }
  if (error instanceof AppError) return { reason: error.reason, message: error.message };
  log.error('store call failed', { err: error });
  return {
    reason: 'STORE_UNAVAILABLE',
    message: 'the store failed; its log has the details',
    outcome: 'unknown',
  };
}
