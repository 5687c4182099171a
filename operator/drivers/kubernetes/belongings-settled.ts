/** When what a pool has besides its pods is looked at again. Pure. */
import { createHash } from 'node:crypto';
import type { PoolNeeds } from '../../pool/driver.ts';

/** What is as it should be is looked at again after this: somebody may have changed it, certificates grow old. */
export const LOOK_AGAIN_MS = 10 * 60_000;
/** While runtimes start, which cannot without them. */
const LOOK_AGAIN_STARTING_MS = 5_000;
/**
 * Secrets of tenants are asked for by name, as a watch would need the right to read all Secrets there are: not more often than this, and
 * so that many of them come to a few requests a second.
 */
const TENANTS_AGAIN_MS = 30_000;
const MS_PER_TENANT = 200;

export interface Settled {
  readonly uid: string;
  readonly digest: string;
  readonly sinceMs: number;
  /** When the tenants' Secrets were read. */
  readonly tenantsMs: number;
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

/** Infinity: there are none. */
export function tenantsAgainMs({ spec }: PoolNeeds): number {
  const count = spec.tenants.filter(({ secretRef }) => secretRef !== undefined).length;
  return count === 0 ? Infinity : Math.max(TENANTS_AGAIN_MS, count * MS_PER_TENANT);
}

export function digestOf({ spec, shared, dedicated }: PoolNeeds): string {
  const { disruption, networkPolicy: policy, tenants } = spec;
  return createHash('sha256')
    .update(JSON.stringify([shared, dedicated, disruption, policy, tenants]))
    .digest('base64url');
}
