/** Conversations of a project: list, read, erase. */
import type { z } from 'zod';
import type { ConversationSummary, Turn } from '../../../../platform/store/store.ts';
import type { Conversations } from '../../../service/conversations.ts';
import { timestampText } from '../messages/shared-fields.ts';
import {
  conversation,
  conversationList,
  conversationListQuery,
  conversationPath,
  conversationQuery,
  type conversationSummary,
  poolQuery,
  projectPath,
} from '../messages/projects.ts';
import { defineRoute, json, jsonAnswer, NO_CONTENT, type Route } from './route.ts';

const PATH = '/api/v1/projects/{tenant}/{project}/conversations';
const ONE = `${PATH}/{id}`;

export function conversationRoutes(
  conversations: Pick<Conversations, 'list' | 'get' | 'delete'>,
): readonly Route[] {
  return [...readingRoutes(conversations), deletingRoute(conversations)];
}

function readingRoutes(conversations: Pick<Conversations, 'list' | 'get'>): readonly Route[] {
  return [
    defineRoute({
      method: 'GET',
      path: PATH,
      operationId: 'listConversations',
      tag: 'Projects',
      summary: 'Conversations of a project',
      pathSchema: projectPath,
      querySchema: conversationListQuery,
      answers: { 200: jsonAnswer('In the order of ids, without turns.', conversationList) },
      reasons: ['UNKNOWN_POOL'],
      handle: async ({ path, query }, { principal }) => {
        const { pool, page_size: pageSize, page_token: pageToken } = query;
        const page = await conversations.list(
          principal,
          { ...path, pool },
          { pageSize, pageToken },
        );
        return json(200, {
          conversations: page.items.map(summaryMessage),
          next_page_token: page.nextPageToken,
        });
      },
    }),
    defineRoute({
      method: 'GET',
      path: ONE,
      operationId: 'getConversation',
      tag: 'Projects',
      summary: 'What was said',
      pathSchema: conversationPath,
      querySchema: conversationQuery,
      answers: {
        200: jsonAnswer(
          'The newest turns, oldest first; at most 8 MiB of them, but always one: the rest comes with `before` the first index.',
          conversation,
        ),
      },
      reasons: ['UNKNOWN_POOL', 'UNKNOWN_CONVERSATION'],
      handle: async ({ path: { id, ...ref }, query }, { principal }) => {
        const { pool, ...window } = query;
        const found = await conversations.get(
          principal,
          { ...ref, pool, conversationId: id },
          window,
        );
        return json(200, { ...summaryMessage(found), turns: found.turns.map(turnMessage) });
      },
    }),
  ];
}

function deletingRoute(conversations: Pick<Conversations, 'delete'>): Route {
  return defineRoute({
    method: 'DELETE',
    path: ONE,
    operationId: 'deleteConversation',
    tag: 'Projects',
    summary: 'Erase a conversation with its state',
    pathSchema: conversationPath,
    querySchema: poolQuery,
    answers: { 204: { description: 'It is gone.' } },
    reasons: [
      'UNKNOWN_POOL',
      'UNKNOWN_CONVERSATION',
      'QUEUE_TIMEOUT',
      'SUSPENDED',
      'OWNER_UNREACHABLE',
    ],
    handle: async ({ path: { id, ...ref }, query }, { principal }) => {
      await conversations.delete(principal, {
        ...ref,
        pool: query.pool,
        conversationId: id,
      });
      return NO_CONTENT;
    },
  });
}

function summaryMessage({
  id,
  agent,
  turnCount,
  updatedMs,
}: ConversationSummary): z.output<typeof conversationSummary> {
  return { id, agent, turn_count: turnCount, updated: timestampText(updatedMs) };
}

function turnMessage({
  index,
  role,
  json: content,
  timeMs,
  requestId,
}: Turn): z.output<typeof conversation>['turns'][number] {
  return {
    index,
    role,
    content: JSON.parse(content) as unknown,
    time: timestampText(timeMs),
    request_id: requestId,
  };
}
