/** When what a pool has besides its pods is looked at again. Pure. */
import { createHash } from 'node:crypto';
import type { PoolNeeds } from '../../pool/driver.ts';

/** What is as it should be is looked at again after this: somebody may have changed it, certificates grow old. */
export const LOOK_AGAIN_MS = 10 * 60_000;
/** While runtimes start, which cannot without them. */
export const LOOK_AGAIN_STARTING_MS = 5_000;
export interface Settled {
  readonly uid: string;
  readonly digest: string;
  readonly sinceMs: number;
  readonly hasBudgets: boolean;
}

export type CurrentNeeds = PoolNeeds & { readonly isStarting?: boolean };

export function isSettled(
  settled: Settled,
  now: Pick<Settled, 'uid' | 'digest'> & { readonly needs: CurrentNeeds; readonly nowMs: number },
): boolean {
  const againMs = now.needs.isStarting === true ? LOOK_AGAIN_STARTING_MS : LOOK_AGAIN_MS;
  const isAsked = settled.uid === now.uid && settled.digest === now.digest;
  return isAsked && now.nowMs < settled.sinceMs + againMs;
}

export function digestOf({ spec, shared, dedicated }: PoolNeeds): string {
  const { disruption, networkPolicy: policy } = spec;
  return createHash('sha256')
    .update(JSON.stringify([shared, dedicated, disruption, policy]))
    .digest('base64url');
}
