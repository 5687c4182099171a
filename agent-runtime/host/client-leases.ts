/** Callers' leases on a live instance as plain lists: what is alive, and the list after a change. */
import { AppError } from '../../core/errors.ts';
import { unknownLease } from '../../core/not-found.ts';
import type { ClientLease } from '../../platform/store/store.ts';

/** Leases of one project at once; each is part of every commit that changes one. */
export const LEASES_PER_PROJECT_MAX = 100;
export const LEASE_MS_MAX = 600_000;

export function aliveLeases(
  leases: readonly ClientLease[],
  wallMs: number,
): readonly ClientLease[] {
  return leases.filter(({ expiresAtMs }) => expiresAtMs > wallMs);
}

export function addLease(
  leases: readonly ClientLease[],
  lease: ClientLease,
): readonly ClientLease[] {
  if (leases.length >= LEASES_PER_PROJECT_MAX) {
    throw new AppError(
      'QUEUE_FULL',
      `the project has ${LEASES_PER_PROJECT_MAX} leases already: release one`,
      {
        retryAfterMs: 1000,
      },
    );
  }
  return [...leases, lease];
}

export function renewLease(
  leases: readonly ClientLease[],
  lease: ClientLease,
): readonly ClientLease[] {
  const old = requireLease(leases, lease.id);
  return leases.map((other) => (other === old ? lease : other));
}

export function removeLease(leases: readonly ClientLease[], id: string): readonly ClientLease[] {
  const gone = requireLease(leases, id);
  return leases.filter((other) => other !== gone);
}

/** Throws LEASE_UNKNOWN. */
export function requireLease(leases: readonly ClientLease[], id: string): ClientLease {
  const lease = leases.find((other) => other.id === id);
  if (lease === undefined) throw unknownLease();
  return lease;
}
