/** The messages of leases: they keep a live instance from eviction and voluntary moves. */
import { z } from 'zod';
import { pool, project, tenant, tier, timestamp, uint32 } from './shared-fields.ts';

const ttlMs = uint32(
  'Milliseconds until the lease ends by itself, at most 600,000; left out or 0: 60,000.',
).default(0);

export const acquireRequest = z.strictObject({ pool, tenant, project, ttl_ms: ttlMs }).meta({
  id: 'AcquireRequest',
  examples: [{ tenant: 'acme', project: 'website', ttl_ms: 60_000 }],
});

export const renewRequest = z
  .strictObject({ ttl_ms: ttlMs })
  .meta({ id: 'RenewRequest', examples: [{ ttl_ms: 60_000 }] });

export const leasePath = z.strictObject({
  id: z
    .string()
    .min(1)
    .max(2_048, 'is no lease')
    .meta({
      description: 'lease_id of the lease.',
      examples: ['default~getting-started~acme~website~4fQ2'],
    }),
});

export const lease = z
  .object({
    lease_id: z.string(),
    instance_id: z.string(),
    tier,
    address: z.string().meta({ description: 'Address of the gateway that gave it.' }),
    expires: timestamp,
  })
  .meta({
    id: 'Lease',
    description: 'Not exclusive: several callers may have one on the same instance.',
  });
