/** The methods of AgentPoolService that are no tasks: leases, agents, conversations. */
import type {
  AgentPoolServiceHandlers,
  Conversation,
  Init,
  Lease,
  Turn,
} from '../../proto/generated/messages.ts';
import { encodeValue } from '../../proto/value-codec.ts';
import { timestampOf } from '../../proto/timestamp.ts';
import type { LeaseView } from '../../platform/link/frames.ts';
import type { ConversationSummary, Turn as StoredTurn } from '../../platform/store/store.ts';
import type { GrpcEdge } from './grpc-edge.ts';
import { TIER_NAMES } from './grpc-task-messages.ts';
import { unaryOn } from './grpc-unary.ts';

type Handlers = Pick<
  AgentPoolServiceHandlers,
  | 'Acquire'
  | 'Renew'
  | 'Release'
  | 'ListAgents'
  | 'ListConversations'
  | 'GetConversation'
  | 'DeleteConversation'
>;

/** @param address of this gateway, as leases tell it. */
export function projectHandlers(edge: GrpcEdge, address: () => string): Handlers {
  const unary = unaryOn(edge);
  const { conversations, leases, pools } = edge.service;
  return {
    Acquire: unary(async (principal, request) =>
      leaseOf(await leases.acquire(principal, request, request.ttl_ms), address()),
    ),
    Renew: unary(async (principal, { lease_id, ttl_ms }) =>
      leaseOf(await leases.renew(principal, lease_id, ttl_ms), address()),
    ),
    Release: unary(async (principal, { lease_id }) => {
      await leases.release(principal, lease_id);
      return {};
    }),
    ListAgents: unary(async (principal, { pool }) => ({
      agents: pools.agents(principal, pool).map(({ name, description, input, output }) => ({
        name,
        description,
        input_schema: schemaOf(input),
        output_schema: schemaOf(output),
      })),
    })),
    ListConversations: unary(async (principal, request) => {
      const page = await conversations.list(principal, request, {
        pageSize: request.page_size,
        pageToken: request.page_token,
      });
      return { conversations: page.items.map(conversationOf), next_page_token: page.nextPageToken };
    }),
    GetConversation: unary(async (principal, request) => {
      const conversation = await conversations.get(
        principal,
        { ...request, conversationId: request.conversation_id },
        request,
      );
      return { ...conversationOf(conversation), turns: conversation.turns.map(turnOf) };
    }),
    DeleteConversation: unary(async (principal, request) => {
      await conversations.delete(principal, {
        ...request,
        conversationId: request.conversation_id,
      });
      return {};
    }),
  };
}

function leaseOf(
  { leaseId, instanceId, tier, expiresAtMs }: LeaseView,
  address: string,
): Init<Lease> {
  return {
    lease_id: leaseId,
    instance_id: instanceId,
    tier: TIER_NAMES[tier],
    address,
    expires: timestampOf(expiresAtMs),
  };
}

function conversationOf({
  id,
  agent,
  turnCount,
  updatedMs,
}: ConversationSummary): Init<Conversation> {
  return { id, agent, turn_count: turnCount, updated: timestampOf(updatedMs) };
}

function turnOf({ index, role, json, timeMs, requestId }: StoredTurn): Init<Turn> {
  return {
    index,
    role,
    content: encodeValue(JSON.parse(json)),
    time: timestampOf(timeMs),
    request_id: requestId,
  };
}

function schemaOf(schema: unknown): Uint8Array | undefined {
  return schema === undefined ? undefined : encodeValue(schema);
}
