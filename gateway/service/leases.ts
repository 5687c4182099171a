/** Leases of callers on live instances. A lease id carries its project, so any gateway finds the owner without asking the store. */
import { AppError } from '../../core/errors.ts';
import { unknownLease } from '../../core/not-found.ts';
import type { LeaseView } from '../../platform/link/frames.ts';
import type { Principal } from '../access/principal.ts';
import type { Method } from '../access/roles.ts';
import { authorize } from '../access/roles.ts';
import { invalid } from '../request-fields.ts';
import type { StageContext } from '../stages/stage-context.ts';
import type { OwnerCalls } from './owner-calls.ts';
import { type ProjectNames, type ProjectTarget, type ProjectTargets } from './project-target.ts';

export const LEASE_MS_MAX = 600_000;
const LEASE_MS_DEFAULT = 60_000;
const SLACK_MS = 5_000;

export interface LeasesParts {
  readonly context: Pick<StageContext, 'store'>;
  readonly targets: ProjectTargets;
  readonly owners: OwnerCalls;
}

export class Leases {
  readonly #parts: LeasesParts;

  constructor(parts: LeasesParts) {
    this.#parts = parts;
  }

  /** Activates the project where it is not live. @param ttlMs 0: one minute. */
  async acquire(principal: Principal, names: ProjectNames, ttlMs: number): Promise<LeaseView> {
    const { owners, targets } = this.#parts;
    const target = targets.byNames(principal, 'Acquire', names);
    const request = { method: 'acquire', project: target.key, ttlMs: checkTtl(ttlMs) } as const;
    const { answer } = await owners.askOrPlace(target, request, activationMs(target));
    return answer as LeaseView;
  }

  async renew(principal: Principal, leaseId: string, ttlMs: number): Promise<LeaseView> {
    const target = this.#targetOf(principal, 'Renew', leaseId);
    return (await this.#onLease(target, leaseId, {
      method: 'renew',
      project: target.key,
      leaseId,
      ttlMs: checkTtl(ttlMs),
    })) as LeaseView;
  }

  async release(principal: Principal, leaseId: string): Promise<void> {
    const target = this.#targetOf(principal, 'Release', leaseId);
    await this.#onLease(target, leaseId, { method: 'releaseLease', project: target.key, leaseId });
  }

  /** The owner knows its leases; those of a project without one are in its record, and come back with the next activation. */
  async #onLease(
    target: ProjectTarget,
    leaseId: string,
    request: Parameters<OwnerCalls['ask']>[1],
  ): Promise<unknown> {
    const { context, owners } = this.#parts;
    const found = await owners.askRoute(target, request);
    if (found !== undefined) return found.answer;
    const record = await context.store.readProject(target.key);
    if (record?.leases.some(({ id }) => id === leaseId) !== true) throw unknownLease();
    return (await owners.askOrPlace(target, request, activationMs(target))).answer;
  }

  #targetOf(principal: Principal, method: Method, leaseId: string): ProjectTarget {
    authorize(principal, method);
    const end = leaseId.lastIndexOf('~');
    if (end < 0) throw unknownLease();
    try {
      return this.#parts.targets.byInstanceId(principal, method, leaseId.slice(0, end));
    } catch (error) {
      if (error instanceof AppError && error.reason === 'UNKNOWN_INSTANCE') throw unknownLease();
      throw error;
    }
  }
}

function checkTtl(ttlMs: number): number {
  if (!Number.isInteger(ttlMs) || ttlMs < 0 || ttlMs > LEASE_MS_MAX)
    throw invalid('ttl_ms', `must be a whole number up to ${LEASE_MS_MAX}`);
  return ttlMs === 0 ? LEASE_MS_DEFAULT : ttlMs;
}

function activationMs({ pool }: ProjectTarget): number {
  return pool.spec.health.initializeTimeoutSeconds * 1000 + SLACK_MS;
}
