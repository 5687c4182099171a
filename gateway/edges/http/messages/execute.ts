/** The messages of running a task. `input` and `output` are any JSON: they pass as text and are not looked at here. */
import { z } from 'zod';
import { PRIORITIES } from '../../../../platform/link/frames.ts';
import {
  any,
  count,
  optionalIdentifier,
  pool,
  project,
  tenant,
  tier,
  timestamp,
  uint32,
} from './shared-fields.ts';

const options = z
  .strictObject({
    prefer_warm: z
      .boolean()
      .meta({
        description:
          'Use a live instance rather than start one. A live one is always used, so false changes nothing.',
      })
      .default(false),
    max_wait_ms: uint32("Longest wait in the queue in milliseconds; 0: the pool's.").default(0),
    timeout_ms: uint32("Longest time for the whole task in milliseconds; 0: the pool's.").default(
      0,
    ),
    retry: z
      .enum(['SAFE', 'NEVER'])
      .meta({ description: 'SAFE: once on another runtime, while nothing was sent.' })
      .default('SAFE'),
    on_disconnect: z
      .enum(['CANCEL', 'CONTINUE'])
      .meta({
        description: 'What becomes of the task when the last caller leaves.',
      })
      .default('CANCEL'),
  })
  .meta({ id: 'Options', description: 'How the task is run.' });

export const executeRequest = z
  .strictObject({
    pool,
    tenant,
    project,
    agent: optionalIdentifier("Name of the agent; empty: the pool's first."),
    conversation_id: optionalIdentifier(
      'The conversation to go on with; empty: a new one, whose id is in the answer.',
    ),
    request_id: optionalIdentifier(
      'Makes a repeat safe: the same id is run once, and its repeat gets the same answer. Empty: made by the gateway. Scope: pool, tenant, project.',
    ),
    priority: z
      .enum(PRIORITIES)
      .meta({ description: 'Among the tasks of one tenant.' })
      .default('NORMAL'),
    options: options.prefault(() => ({})),
    metadata: z
      .record(z.string(), z.string())
      .meta({
        description:
          'Passed to the agent; at most 64 entries and 16,384 characters. Keys with agentpool- are reserved.',
      })
      .default({}),
    input: any(
      'What the agent gets: a string or any other JSON. Numbers keep the digits that were sent.',
    ),
    lease_id: z
      .string()
      .max(2_048, 'is no lease')
      .meta({ description: 'A lease of this project, kept alive for the task.' })
      .default(''),
  })
  .meta({
    id: 'ExecuteRequest',
    description: 'One task for one agent.',
    examples: [{ tenant: 'acme', project: 'website', agent: 'echo', input: 'hello' }],
  });

const milliseconds = (description: string): z.ZodNumber => z.number().min(0).meta({ description });

export const timings = z
  .object({
    queue_ms: milliseconds('Waited for a turn.'),
    activate_ms: milliseconds('Waited for the instance to be started; 0 when it was live.'),
    run_ms: milliseconds('The agent ran.'),
  })
  .meta({ id: 'Timings', description: 'Where the time went, in milliseconds.' });

export const executeResponse = z
  .object({
    request_id: z.string(),
    conversation_id: z.string(),
    instance_id: z.string(),
    agent: z.string(),
    tier: tier.meta({ description: 'The tier that served this task.' }),
    output: any('What the agent returned: a string or any other JSON.'),
    timings,
    connection_reused: z
      .boolean()
      .meta({ description: 'False for the first task on a new link to a runtime only.' }),
    replayed: z
      .boolean()
      .meta({ description: 'The recorded answer of an earlier task with this request_id.' }),
  })
  .meta({
    id: 'ExecuteResponse',
    description: "The task's result.",
    examples: [
      {
        request_id: 'r-1',
        conversation_id: 'c-1',
        instance_id: 'default~getting-started~acme~website',
        agent: 'echo',
        tier: 'WARM',
        output: 'hello',
        timings: { queue_ms: 0.1, activate_ms: 0, run_ms: 0.4 },
        connection_reused: true,
        replayed: false,
      },
    ],
  });

const eventFields = {
  request_id: z.string(),
  sequence: count('1, 2, … within the task; also the id of the event.'),
};

export const startEvent = z
  .object({
    ...eventFields,
    conversation_id: z.string(),
    instance_id: z.string(),
    agent: z.string(),
    tier,
    time: timestamp,
  })
  .meta({ id: 'StartEvent', description: 'event: start. The agent runs now.' });

export const chunkEvent = z
  .object({
    ...eventFields,
    text: z.string().meta({ description: 'A piece of text …' }).optional(),
    json: any('… or any other JSON.').optional(),
    kind: z.enum(['TEXT', 'REASONING', 'DATA']),
  })
  .meta({ id: 'ChunkEvent', description: 'event: chunk. A piece of the answer, before its end.' });

export const resultEvent = executeResponse
  .extend({ sequence: eventFields.sequence })
  .meta({ id: 'ResultEvent', description: 'event: result. The end: an ExecuteResponse.' });

export const errorEvent = z
  .object({
    ...eventFields,
    code: count('Number of google.rpc.Code.'),
    reason: z.string(),
    message: z.string(),
    retry_after_ms: count('When a retry can help: after how long.').optional(),
    metadata: z.record(z.string(), z.string()).optional(),
  })
  .meta({
    id: 'ErrorEvent',
    description: 'event: error. The end: the task failed after its first event.',
  });
