/** `spec.projects`, `spec.tenants` and the limits of a tenant: what is known by name before it is used. */
import { z } from 'zod';
import { TIERS } from '../core/tier.ts';
import { freeForm } from './free-form.ts';
import { identifier } from './identifier.ts';
import { keyedList } from './keyed-list.ts';
import { objectName } from './object-reference.ts';
import { projectQuota } from './quota.ts';
import { withRules } from './rules.ts';
import { wholeNumber } from './whole-number.ts';

const ENTRIES_MAX = 5_000;
const SECRET_TENANT_CHARACTERS_MAX = 64;

const tenantLimits = z.strictObject({
  maxInstances: wholeNumber(
    { min: 1, max: 100_000 },
    'Live instances of one tenant in all tiers. Left out: only the pool limits it.',
  ).exactOptional(),
  queueDepthMax: wholeNumber(
    { min: 1, max: 100_000 },
    'Tasks of one tenant that wait in one gateway. Left out: only queue.depthMax limits it.',
  ).exactOptional(),
  requestsPerMinute: wholeNumber(
    { min: 1, max: 10_000_000 },
    'Tasks that one tenant may start per minute. Left out: only its projects are limited.',
  ).exactOptional(),
});

export const everyTenantLimits = tenantLimits.describe(
  'Limits of each tenant that has none of its own.',
);

const project = z.strictObject({
  tenant: identifier('Tenant of the project.'),
  project: identifier('Name of the project within its tenant.'),
  tier: z
    .enum(TIERS)
    .exactOptional()
    .describe('Tier of the project unless the API overrides it. Left out: tiers.default.'),
  quota: projectQuota.exactOptional(),
  config: freeForm
    .exactOptional()
    .describe(
      'Free form, laid over the configuration of tenant and runtime. At most 64 KiB as JSON.',
    ),
});

const tenant = withRules(
  z.strictObject({
    name: identifier('Name of the tenant.'),
    config: freeForm
      .exactOptional()
      .describe(
        'Free form, laid over runtime.config when an instance is activated. At most 64 KiB as JSON.',
      ),
    secretRef: z
      .strictObject({
        name: objectName('Name of the Secret, in the namespace of the pool.'),
      })
      .exactOptional()
      .describe(
        "A Secret whose keys the agents of this tenant's projects, and no others, read as context.secrets, in a cluster; bound when an instance is activated.",
      ),
    limits: tenantLimits
      .exactOptional()
      .describe('Limits of this tenant; a field that is left out comes from tenantLimits.'),
  }),
  [
    {
      // It becomes a part of the key of a Secret, twice as long.
      cel: `!has(self.secretRef) || size(self.name) <= ${SECRET_TENANT_CHARACTERS_MAX}`,
      message: `name must have at most ${SECRET_TENANT_CHARACTERS_MAX} characters where secretRef is there`,
      field: ['name'],
      holds: ({ name, secretRef }) =>
        secretRef === undefined || name.length <= SECRET_TENANT_CHARACTERS_MAX,
    },
  ],
);

export const projects = keyedList(project, { keys: ['tenant', 'project'], itemsMax: ENTRIES_MAX })
  .default([])
  .describe('Projects with a tier, quota or configuration of their own; others need no entry.');

export const tenants = keyedList(tenant, { keys: ['name'], itemsMax: ENTRIES_MAX })
  .default([])
  .describe('Tenants with configuration or limits of their own; others need no entry.');
