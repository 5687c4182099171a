/** The messages of pools, their agents, statistics, health and instances. */
import { z } from 'zod';
import {
  any,
  count,
  instanceState,
  nextPageToken,
  optionalIdentifier,
  pageSize,
  pageToken,
  pool,
  project,
  tenant,
  tier,
  timestamp,
} from './shared-fields.ts';

export const poolQuery = z.strictObject({ pool });

export const agent = z
  .object({
    name: z.string(),
    description: z.string(),
    input_schema: any('JSON Schema of the input, where the agent has one.').optional(),
    output_schema: any('JSON Schema of the output, where the agent has one.').optional(),
  })
  .meta({ id: 'Agent', description: 'What can be called.' });
export const agentList = z.object({ agents: z.array(agent) }).meta({ id: 'ListAgentsResponse' });

const poolMessage = z
  .object({
    name: z.string(),
    namespace: z.string(),
    spec: z.looseObject({}).meta({ description: 'The effective spec: with every default.' }),
    status: z.looseObject({}).meta({ description: 'As the operator last published it.' }),
    report: z
      .looseObject({})
      .meta({
        description:
          'Driver, what it does not enforce, latest events; only for callers who see all tenants.',
      })
      .optional(),
    quarantined: z
      .array(
        z.object({
          tenant,
          project,
          state: z.enum(['open', 'half-open']).meta({
            description: 'open: its tasks are refused; half-open: one of them is tried at a time.',
          }),
          retry_after_ms: count('Until it is tried again.'),
        }),
      )
      .meta({
        description:
          'Projects under whose tasks runtimes ended again and again, as this gateway has seen it.',
      }),
  })
  .meta({ id: 'Pool' });
export const poolList = z.object({ pools: z.array(poolMessage) }).meta({ id: 'ListPoolsResponse' });

const connection = z
  .object({
    runtime: z.string(),
    state: z.enum(['connecting', 'ready', 'backoff', 'closed']),
    requests: count('Tasks sent over this link.'),
    since: timestamp,
  })
  .meta({ id: 'Connection', description: 'The link to one runtime.' });

export const poolStats = z
  .object({
    instances: z
      .object({
        total: count('Live instances.'),
        by_tier: z.record(z.string(), count('Live instances of this tier.')),
        by_state: z.record(z.string(), count('Live instances in this state.')),
      })
      .meta({ description: 'Live instances.' }),
    queue_depth: count('Tasks that wait in this gateway.'),
    requests: z.object({
      succeeded: count('Tasks with a result.'),
      failed: count('Tasks that ended in an error; neither those refused nor those cancelled.'),
    }),
    hit_rate: z
      .number()
      .min(0)
      .max(1)
      .meta({ description: 'Share of tasks that found a live instance.' }),
    connections: z.array(connection),
  })
  .meta({ id: 'PoolStats' });

export const instance = z
  .object({
    id: z.string(),
    pool: z.string(),
    tenant: z.string(),
    project: z.string(),
    tier,
    state: instanceState,
    runtime: z.string(),
    created: timestamp.optional(),
    last_used: timestamp.optional(),
    requests: count('Tasks of this instance.'),
    memory_bytes: count('Memory of its worker.'),
    cpu_percent: z.number().min(0).meta({ description: 'Of one core.' }),
    message: z.string().meta({ description: 'What went wrong last, if something did.' }),
    epoch: count('Tells two lives of one project apart.'),
  })
  .meta({ id: 'Instance', description: 'The live incarnation of one project.' });
export type InstanceMessage = z.output<typeof instance>;

export const instanceList = z
  .object({ instances: z.array(instance), next_page_token: nextPageToken })
  .meta({ id: 'ListInstancesResponse' });

export const instanceQuery = z.strictObject({
  pool,
  tier: tier.optional(),
  state: instanceState.optional(),
  tenant: optionalIdentifier('Only of this tenant.'),
  project: optionalIdentifier('Only this project, of whatever tenant.'),
  page_size: pageSize,
  page_token: pageToken,
});

export const instancePath = z.strictObject({
  id: z
    .string()
    .min(1)
    .max(1_024, 'is no instance')
    .meta({
      description: 'Id of the instance.',
      examples: ['default~getting-started~acme~website'],
    }),
});

export const forceQuery = z.strictObject({
  force: z
    .boolean()
    .meta({ description: 'Fail running tasks at once, rather than wait for them.' })
    .default(false),
});

export const pauseRequest = forceQuery.meta({ id: 'PauseInstanceRequest' });

export const createInstanceRequest = z
  .strictObject({
    pool,
    tenant,
    project,
    tier: tier
      .meta({
        description: "Where given, it must be the project's tier. PUT …/tier sets that.",
      })
      .optional(),
  })
  .meta({ id: 'CreateInstanceRequest', examples: [{ tenant: 'acme', project: 'website' }] });

export const poolHealth = z
  .object({
    status: z.enum(['ok', 'unavailable']),
    pools: z.array(
      z.object({
        name: z.string(),
        status: z.enum(['ok', 'unavailable', 'suspended']),
        ready_runtimes: count('Runtimes that could take a task now.'),
      }),
    ),
    checks: z.array(z.object({ name: z.string(), ok: z.boolean(), message: z.string() })),
  })
  .meta({ id: 'PoolHealth' });
export type PoolHealthMessage = z.output<typeof poolHealth>;
