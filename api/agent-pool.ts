/** The AgentPool resource: the one source of its types, defaults, bounds and rules. */
import { z } from 'zod';
import { POOL_PART_PATTERN } from '../core/identifiers.ts';
import { checkpoint } from './checkpoint.ts';
import { limits, queue } from './limits.ts';
import {
  circuitBreaker,
  disruption,
  health,
  link,
  recovery,
  updateStrategy,
} from './operations.ts';
import { withRules } from './rules.ts';
import { runtime } from './runtime.ts';
import { status } from './status.ts';
import { everyTenantLimits, projects, tenants } from './tenancy.ts';
import { tiers } from './tiers.ts';
import { wholeNumber } from './whole-number.ts';

export const API_GROUP = 'agentpool.dev';
export const API_VERSION = `${API_GROUP}/v1alpha1`;
export const KIND = 'AgentPool';

const LABEL_MESSAGE =
  'must be a DNS label: 1 to 63 lower case letters, digits and -, first and last a letter or digit';
const dnsLabel = (description: string) =>
  z
    .string()
    .min(1)
    .max(63)
    .regex(POOL_PART_PATTERN, { error: LABEL_MESSAGE })
    .describe(description);
const stringMap = (description: string) =>
  z.record(z.string().max(317), z.string().max(65_536)).default({}).describe(description);

const metadata = z.strictObject({
  name: dnsLabel('Name of the pool, unique in its namespace; callers use it.'),
  namespace: dnsLabel('Namespace of the pool.').default('default'),
  generation: wholeNumber(
    { min: 0, max: Number.MAX_SAFE_INTEGER },
    'Counts changes of the spec; set by the system.',
  ).exactOptional(),
  labels: stringMap('Free labels.'),
  annotations: stringMap('Free annotations.'),
});

const specFields = z.strictObject({
  runtime: runtime.prefault({}).describe('Which agents run, and how their processes are made.'),
  replicas: wholeNumber(
    { min: 0, max: 1_000 },
    'Shared runtimes. 0: WARM and COLD projects are not served.',
  ).default(1),
  maxInstances: wholeNumber(
    { min: 1, max: 1_000_000 },
    'Live instances in all tiers; hibernated projects do not count.',
  ).default(100),
  operatingMode: z
    .enum(['Running', 'Suspended'])
    .default('Running')
    .describe('Suspended: no runtimes, state kept, tasks get UNAVAILABLE.'),
  tiers: tiers.prefault({}).describe('HOT, WARM and COLD.'),
  projects,
  tenants,
  tenantLimits: everyTenantLimits.prefault({}),
  maxTenants: wholeNumber(
    { min: 1, max: 1_000_000 },
    'Tenants that may have projects in the pool; several gateways that let new ones in at the same moment may exceed it. Left out: no bound.',
  ).exactOptional(),
  limits: limits.prefault({}).describe('Bounds of one task.'),
  queue: queue.prefault({}).describe('Bounds of what waits.'),
  checkpoint: checkpoint
    .prefault({})
    .describe('Where state is kept, when it is safe, for how long.'),
  deletionPolicy: z
    .enum(['Retain', 'Delete'])
    .default('Retain')
    .describe('What becomes of the stored projects when the pool is deleted.'),
  link: link.prefault({}).describe('The persistent connection between a gateway and a runtime.'),
  health: health.prefault({}).describe('When a runtime or instance counts as failed.'),
  recovery: recovery.prefault({}).describe('How often a failed instance is started again.'),
  circuitBreaker: circuitBreaker.prefault({}).describe('Quarantine of projects that end runtimes.'),
  updateStrategy: updateStrategy.prefault({}).describe('How a changed pool rolls out.'),
  disruption: disruption.prefault({}).describe('What the upkeep of nodes may take away.'),
  networkPolicy: z
    .enum(['Managed', 'Unmanaged'])
    .default('Managed')
    .describe(
      'Managed: a NetworkPolicy lets only gateways, the operator and runtimes of the pool reach its runtimes, in a cluster. Unmanaged: none is made.',
    ),
});

export const agentPoolSpecSchema = withRules(specFields, [
  {
    cel: 'self.limits.conversationWindowTurns <= self.checkpoint.retention.turnsMaxPerConversation',
    message:
      'limits.conversationWindowTurns must not be above checkpoint.retention.turnsMaxPerConversation: lower the window or keep more turns',
    field: ['limits', 'conversationWindowTurns'],
    holds: ({ limits: bounds, checkpoint: { retention } }) =>
      bounds.conversationWindowTurns <= retention.turnsMaxPerConversation,
  },
  {
    cel: '!has(self.maxTenants) || size(self.tenants) <= self.maxTenants',
    message: 'maxTenants must not be below the number of entries of tenants: raise maxTenants',
    field: ['maxTenants'],
    holds: ({ maxTenants = Infinity, tenants: named }) => named.length <= maxTenants,
  },
]);

export const agentPoolSchema = z.strictObject({
  apiVersion: z.literal(API_VERSION).describe('Version of this resource.'),
  kind: z.literal(KIND).describe('Kind of this resource.'),
  metadata: metadata.describe('Name, namespace, labels.'),
  spec: agentPoolSpecSchema.prefault({}).describe('What is wanted.'),
  status: status.exactOptional().describe('What is; written by the operator.'),
});

type DeepReadonly<Value> = Value extends object
  ? { readonly [Key in keyof Value]: DeepReadonly<Value[Key]> }
  : Value;

/** A pool with all defaults applied. */
export type AgentPool = DeepReadonly<z.output<typeof agentPoolSchema>>;
export type AgentPoolSpec = AgentPool['spec'];
export type AgentPoolStatus = NonNullable<AgentPool['status']>;
export type Condition = AgentPoolStatus['conditions'][number];
export type TierStatus = AgentPoolStatus['tiers'][number];
export type ProjectEntry = AgentPoolSpec['projects'][number];
export type TenantEntry = AgentPoolSpec['tenants'][number];
export type TenantLimits = AgentPoolSpec['tenantLimits'];

/** A pool as it is written: what has a default may be left out. */
export type AgentPoolInput = DeepReadonly<z.input<typeof agentPoolSchema>>;
export type AgentPoolSpecInput = NonNullable<AgentPoolInput['spec']>;
