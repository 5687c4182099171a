/** Leases: acquire, renew, release. */
import type { LeaseView } from '../../../../platform/link/frames.ts';
import type { Leases } from '../../../service/leases.ts';
import type { z } from 'zod';
import { timestampText } from '../messages/shared-fields.ts';
import { acquireRequest, lease, leasePath, renewRequest } from '../messages/leases.ts';
import { defineRoute, json, jsonAnswer, NO_CONTENT, type Route, START_REASONS } from './route.ts';

const PATH = '/api/v1/leases';
const ONE = `${PATH}/{id}`;

export function leaseRoutes(
  leases: Pick<Leases, 'acquire' | 'renew' | 'release'>,
): readonly Route[] {
  return [acquireRoute(leases), ...heldRoutes(leases)];
}

function acquireRoute(leases: Pick<Leases, 'acquire'>): Route {
  return defineRoute({
    method: 'POST',
    path: PATH,
    operationId: 'acquireLease',
    tag: 'Leases',
    summary: 'Keep an instance live',
    description:
      'Starts the instance where it is not live, and keeps it from eviction and voluntary moves until the lease ends. Not exclusive.',
    bodySchema: acquireRequest,
    answers: { 200: jsonAnswer('The lease.', lease) },
    reasons: ['PAUSED', ...START_REASONS],
    handle: async ({ body }, { principal, authority }) => {
      const { ttl_ms, ...names } = body;
      return json(200, leaseMessage(await leases.acquire(principal, names, ttl_ms), authority));
    },
  });
}

function heldRoutes(leases: Pick<Leases, 'renew' | 'release'>): readonly Route[] {
  return [
    defineRoute({
      method: 'POST',
      path: `${ONE}/renew`,
      operationId: 'renewLease',
      tag: 'Leases',
      summary: 'Keep it longer',
      pathSchema: leasePath,
      bodySchema: renewRequest,
      isBodyOptional: true,
      answers: { 200: jsonAnswer('The lease with its new end.', lease) },
      reasons: ['LEASE_UNKNOWN', 'OWNER_UNREACHABLE'],
      handle: async ({ path, body }, { principal, authority }) =>
        json(200, leaseMessage(await leases.renew(principal, path.id, body.ttl_ms), authority)),
    }),
    defineRoute({
      method: 'DELETE',
      path: ONE,
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
