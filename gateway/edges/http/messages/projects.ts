/** The messages of projects, their tiers and their conversations. */
import { z } from 'zod';
import {
  any,
  count,
  identifier,
  nextPageToken,
  optionalIdentifier,
  pageSize,
  pageToken,
  pool,
  project,
  tenant,
  tier,
  timestamp,
  uint32,
} from './shared-fields.ts';

export const projectPath = z.strictObject({ tenant, project });
export const poolQuery = z.strictObject({ pool });
export const projectQuery = z.strictObject({
  pool,
  tenant: optionalIdentifier('Only of this tenant.'),
  page_size: pageSize,
  page_token: pageToken,
});

export const projectTier = z
  .object({
    desired: tier.meta({ description: 'The tier that the rules give it.' }),
    current: tier
      .meta({
        description:
          'The tier of the live instance, where there is one and it was asked; lists do not ask.',
      })
      .optional(),
    source: z.string().meta({ description: 'Override, Project (of the manifest) or Default.' }),
    reason: z.string(),
    since: timestamp.optional(),
    expires: timestamp.meta({ description: 'When the override ends by itself.' }).optional(),
  })
  .meta({ id: 'ProjectTier' });

export const tierRequest = z
  .strictObject({
    tier,
    ttl_seconds: uint32(
      'How long the override lasts; 0 or left out: 3,600 where the manifest names the project, else until it is ended.',
    ).default(0),
  })
  .meta({ id: 'SetProjectTierRequest', examples: [{ tier: 'HOT', ttl_seconds: 3_600 }] });

export const projectMessage = z
  .object({
    ref: z.object({ pool: z.string(), tenant: z.string(), project: z.string() }),
    tier: projectTier,
    instance_id: z.string().meta({ description: 'Of the live instance; empty: there is none.' }),
    stored_bytes: count('State, turns and results in the store.'),
    last_used: timestamp.optional(),
    paused: z.boolean(),
  })
  .meta({ id: 'Project' });
export const projectList = z
  .object({ projects: z.array(projectMessage), next_page_token: nextPageToken })
  .meta({ id: 'ListProjectsResponse' });

export const conversationPath = projectPath.extend({
  id: identifier('Id of the conversation.').meta({
    description: 'Id of the conversation.',
    examples: ['c-1'],
  }),
});
export const conversationListQuery = z.strictObject({
  pool,
  page_size: pageSize,
  page_token: pageToken,
});
export const conversationQuery = z.strictObject({
  pool,
  turns: uint32('How many turns; left out or 0: 100.').default(0),
  before: z
    .number()
    .int()
    .min(0)
    .meta({ description: 'Only turns with a smaller index; left out or 0: the newest.' })
    .default(0),
});

const turn = z
  .object({
    index: count('1, 2, … in the conversation.'),
    role: z.enum(['user', 'assistant']),
    content: any('What was said: a string or any other JSON.'),
    time: timestamp,
    request_id: z.string(),
  })
  .meta({ id: 'Turn' });

export const conversationSummary = z
  .object({
    id: z.string(),
    agent: z.string(),
    turn_count: count('Turns ever said; the oldest may be gone.'),
    updated: timestamp,
  })
  .meta({ id: 'ConversationSummary' });
export const conversation = conversationSummary
  .extend({ turns: z.array(turn) })
  .meta({ id: 'Conversation' });
export const conversationList = z
  .object({ conversations: z.array(conversationSummary), next_page_token: nextPageToken })
  .meta({ id: 'ListConversationsResponse' });
