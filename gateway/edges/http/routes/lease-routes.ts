/** Leases: acquire, renew, release. */
import type { LeaseView } from '../../../../platform/link/frames.ts';
import type { Leases } from '../../../service/leases.ts';
import type { z } from 'zod';
import { timestampText } from '../messages/common.ts';
import { acquireRequest, lease, leasePath, renewRequest } from '../messages/leases.ts';
import { defineRoute, json, jsonAnswer, NO_CONTENT, type Route } from './route.ts';

export function leaseRoutes(
  leases: Pick<Leases, 'acquire' | 'renew' | 'release'>,
): readonly Route[] {
  return [
    defineRoute({
      method: 'POST',
      path: '/api/v1/leases',
      operationId: 'acquireLease',
      tag: 'Leases',
      summary: 'Keep an instance live',
      description:
        'Starts the instance where it is not live, and keeps it from eviction and voluntary moves until the lease ends. Not exclusive.',
      bodySchema: acquireRequest,
      answers: { 200: jsonAnswer('The lease.', lease) },
      reasons: [
        'UNKNOWN_POOL',
        'SUSPENDED',
        'OWNER_UNREACHABLE',
        'RUNTIME_LOST',
        'MEMORY_LIMIT',
        'QUEUE_FULL',
        'CIRCUIT_OPEN',
        'AGENT_ERROR',
        'AGENT_EXITED',
      ],
      handle: async ({ body }, { principal, authority }) => {
        const { pool = '', tenant, project, ttl_ms = 0 } = body;
        return json(
          200,
          leaseMessage(
            await leases.acquire(principal, { pool, tenant, project }, ttl_ms),
            authority,
          ),
        );
      },
    }),
    defineRoute({
      method: 'POST',
      path: '/api/v1/leases/{id}/renew',
      operationId: 'renewLease',
      tag: 'Leases',
      summary: 'Keep it longer',
      pathSchema: leasePath,
      bodySchema: renewRequest,
      isBodyOptional: true,
      answers: { 200: jsonAnswer('The lease with its new end.', lease) },
      reasons: ['LEASE_UNKNOWN', 'OWNER_UNREACHABLE'],
      handle: async ({ path, body }, { principal, authority }) =>
        json(
          200,
          leaseMessage(await leases.renew(principal, path.id, body.ttl_ms ?? 0), authority),
        ),
    }),
    defineRoute({
      method: 'DELETE',
      path: '/api/v1/leases/{id}',
      operationId: 'releaseLease',
      tag: 'Leases',
      summary: 'End a lease',
      pathSchema: leasePath,
      answers: { 204: { description: 'It has ended.' } },
      reasons: ['LEASE_UNKNOWN', 'OWNER_UNREACHABLE'],
      handle: async ({ path }, { principal }) => {
        await leases.release(principal, path.id);
        return NO_CONTENT;
      },
    }),
  ];
}

/** @param authority where the caller found this gateway. */
function leaseMessage(
  { leaseId, instanceId, tier, expiresAtMs }: LeaseView,
  authority: string,
): z.output<typeof lease> {
  return {
    lease_id: leaseId,
    instance_id: instanceId,
    tier,
    address: authority,
    expires: timestampText(expiresAtMs),
  };
}
