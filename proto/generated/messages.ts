// Written by `npm run gen` from proto/agentpool; do not edit.
import type { handleBidiStreamingCall, handleServerStreamingCall, handleUnaryCall } from '@grpc/grpc-js';

/** What may be given where a message is sent: every field can be left out. */
export type Init<T> = T extends Uint8Array
  ? Uint8Array
  : T extends string | number | boolean | null | undefined
    ? T
    : T extends readonly (infer Item)[]
      ? readonly Init<Item>[]
      : { readonly [Key in keyof T]?: Init<T[Key]> | undefined };

export interface Timestamp {
  seconds: number;
  nanos: number;
}

export type AgentPoolServiceHandlers = {
  Execute: handleUnaryCall<ExecuteRequest, Init<ExecuteResponse>>;
  ExecuteStream: handleServerStreamingCall<ExecuteRequest, Init<ExecuteEvent>>;
  Connect: handleBidiStreamingCall<ConnectRequest, Init<ExecuteEvent>>;
  Broadcast: handleServerStreamingCall<BroadcastRequest, Init<BroadcastAnswer>>;
  Submit: handleUnaryCall<ExecuteRequest, Init<Task>>;
  GetTask: handleUnaryCall<TaskRef, Init<Task>>;
  ListTasks: handleUnaryCall<ListTasksRequest, Init<ListTasksResponse>>;
  CancelTask: handleUnaryCall<TaskRef, Init<Task>>;
  Attach: handleServerStreamingCall<AttachRequest, Init<ExecuteEvent>>;
  Answer: handleUnaryCall<AnswerRequest, Init<Task>>;
  Acquire: handleUnaryCall<AcquireRequest, Init<Lease>>;
  Renew: handleUnaryCall<RenewRequest, Init<Lease>>;
  Release: handleUnaryCall<ReleaseRequest, Init<ReleaseResponse>>;
  ListAgents: handleUnaryCall<ListAgentsRequest, Init<ListAgentsResponse>>;
  ListConversations: handleUnaryCall<ListConversationsRequest, Init<ListConversationsResponse>>;
  GetConversation: handleUnaryCall<GetConversationRequest, Init<Conversation>>;
  DeleteConversation: handleUnaryCall<GetConversationRequest, Init<DeleteConversationResponse>>;
};

export type Tier = 'TIER_UNSPECIFIED' | 'TIER_HOT' | 'TIER_WARM' | 'TIER_COLD';

export type Priority = 'PRIORITY_UNSPECIFIED' | 'PRIORITY_CRITICAL' | 'PRIORITY_HIGH' | 'PRIORITY_NORMAL' | 'PRIORITY_LOW';

export type InstanceState = 'INSTANCE_STATE_UNSPECIFIED' | 'INSTANCE_STATE_CREATED' | 'INSTANCE_STATE_INITIALIZING' | 'INSTANCE_STATE_READY' | 'INSTANCE_STATE_BUSY' | 'INSTANCE_STATE_PAUSED' | 'INSTANCE_STATE_ERROR' | 'INSTANCE_STATE_TERMINATED';

export type TaskState = 'TASK_STATE_UNSPECIFIED' | 'TASK_STATE_QUEUED' | 'TASK_STATE_RUNNING' | 'TASK_STATE_WAITING' | 'TASK_STATE_SUCCEEDED' | 'TASK_STATE_FAILED' | 'TASK_STATE_CANCELLED';

export type Retry = 'RETRY_UNSPECIFIED' | 'RETRY_SAFE' | 'RETRY_NEVER';

export type OnDisconnect = 'ON_DISCONNECT_UNSPECIFIED' | 'ON_DISCONNECT_CANCEL' | 'ON_DISCONNECT_CONTINUE';

export interface ExecuteRequest {
  pool: string;
  tenant: string;
  project: string;
  agent: string;
  conversation_id: string;
  request_id: string;
  priority: Priority;
  options: Options | null;
  metadata: Record<string, string>;
  text?: string;
  json?: Buffer;
  json_utf8?: Buffer;
  parts?: Buffer;
  lease_id: string;
  input?: 'text' | 'json' | 'json_utf8' | 'parts';
}

export interface Parts {
  parts: Part[];
}

export interface Part {
  text?: string;
  json?: Buffer;
  blob?: Blob;
  part?: 'text' | 'json' | 'blob';
}

export interface Blob {
  mime_type: string;
  data?: Buffer;
  uri?: string;
  content?: 'data' | 'uri';
}

export interface Options {
  prefer_warm?: boolean;
  max_wait_ms: number;
  timeout_ms: number;
  retry: Retry;
  on_disconnect: OnDisconnect;
}

export interface Timings {
  queue_ms: number;
  activate_ms: number;
  run_ms: number;
}

export interface Usage {
  input_tokens: number;
  output_tokens: number;
}

export interface ExecuteResponse {
  request_id: string;
  conversation_id: string;
  instance_id: string;
  agent: string;
  tier: Tier;
  text?: string;
  json?: Buffer;
  json_utf8?: Buffer;
  parts?: Buffer;
  timings: Timings | null;
  usage: Usage | null;
  connection_reused: boolean;
  replayed: boolean;
  output?: 'text' | 'json' | 'json_utf8' | 'parts';
}

export interface ExecuteEvent {
  request_id: string;
  start?: Start;
  chunk?: Chunk;
  tool?: ToolCall;
  result?: ExecuteResponse;
  error?: TaskError;
  input_required?: InputRequired;
  go_away?: GoAway;
  sequence: number;
  event?: 'start' | 'chunk' | 'tool' | 'result' | 'error' | 'input_required' | 'go_away';
}

export interface Start {
  conversation_id: string;
  instance_id: string;
  agent: string;
  tier: Tier;
  time: Timestamp | null;
}

export type ChunkKind = 'CHUNK_KIND_UNSPECIFIED' | 'CHUNK_KIND_TEXT' | 'CHUNK_KIND_REASONING' | 'CHUNK_KIND_DATA';

export interface Chunk {
  text?: string;
  json?: Buffer;
  json_utf8?: Buffer;
  kind: ChunkKind;
  content?: 'text' | 'json' | 'json_utf8';
}

export interface ToolCall {
  id: string;
  name: string;
  input: Buffer;
  output: Buffer;
  seconds: number;
  done: boolean;
}

export interface TaskError {
  code: number;
  message: string;
  reason: string;
  retry_after_ms: number;
  metadata: Record<string, string>;
}

export interface InputRequired {
  ask_id: string;
  prompt: string;
  schema: Buffer;
  expires: Timestamp | null;
}

export interface GoAway {
  deadline: Timestamp | null;
}

export interface ConnectRequest {
  execute?: ExecuteRequest;
  cancel?: CancelRequest;
  answer?: AnswerRequest;
  request?: 'execute' | 'cancel' | 'answer';
}

export interface CancelRequest {
  request_id: string;
}

export interface BroadcastRequest {
  pool: string;
  targets: Target[];
  text?: string;
  json?: Buffer;
  json_utf8?: Buffer;
  timeout_ms: number;
  metadata: Record<string, string>;
  request_id: string;
  priority: Priority;
  input?: 'text' | 'json' | 'json_utf8';
}

export interface Target {
  tenant: string;
  project: string;
  agent: string;
  conversation_id: string;
}

export interface BroadcastAnswer {
  target: Target | null;
  result?: ExecuteResponse;
  error?: TaskError;
  answer?: 'result' | 'error';
}

export interface TaskRef {
  pool: string;
  tenant: string;
  project: string;
  request_id: string;
}

export interface Task {
  ref: TaskRef | null;
  state: TaskState;
  agent: string;
  conversation_id: string;
  attempt: number;
  created: Timestamp | null;
  finished: Timestamp | null;
  result: ExecuteResponse | null;
  error: TaskError | null;
  waiting_for: InputRequired[];
}

export interface ListTasksRequest {
  pool: string;
  tenant: string;
  project: string;
  state: TaskState;
  page_size: number;
  page_token: string;
}

export interface ListTasksResponse {
  tasks: Task[];
  next_page_token: string;
}

export interface AttachRequest {
  ref: TaskRef | null;
  after_sequence: number;
}

export interface AnswerRequest {
  ref: TaskRef | null;
  ask_id: string;
  json: Buffer;
}

export interface AcquireRequest {
  pool: string;
  tenant: string;
  project: string;
  ttl_ms: number;
}

export interface RenewRequest {
  lease_id: string;
  ttl_ms: number;
}

export interface Lease {
  lease_id: string;
  instance_id: string;
  tier: Tier;
  address: string;
  expires: Timestamp | null;
}

export interface ReleaseRequest {
  lease_id: string;
}

export interface ReleaseResponse {
}

export interface ListAgentsRequest {
  pool: string;
}

export interface Agent {
  name: string;
  description: string;
  input_schema: Buffer;
  output_schema: Buffer;
}

export interface ListAgentsResponse {
  agents: Agent[];
}

export interface ListConversationsRequest {
  pool: string;
  tenant: string;
  project: string;
  page_size: number;
  page_token: string;
}

export interface ListConversationsResponse {
  conversations: Conversation[];
  next_page_token: string;
}

export interface GetConversationRequest {
  pool: string;
  tenant: string;
  project: string;
  conversation_id: string;
  turns: number;
  before: number;
}

export interface Conversation {
  id: string;
  agent: string;
  turn_count: number;
  turns: Turn[];
  updated: Timestamp | null;
}

export interface Turn {
  index: number;
  role: string;
  content: Buffer;
  time: Timestamp | null;
  request_id: string;
}

export interface DeleteConversationResponse {
}

export type PoolAdminServiceHandlers = {
  ListPools: handleUnaryCall<ListPoolsRequest, Init<ListPoolsResponse>>;
  GetStats: handleUnaryCall<GetStatsRequest, Init<PoolStats>>;
  ListInstances: handleUnaryCall<ListInstancesRequest, Init<ListInstancesResponse>>;
  GetInstance: handleUnaryCall<GetInstanceRequest, Init<Instance>>;
  CreateInstance: handleUnaryCall<CreateInstanceRequest, Init<Instance>>;
  DeleteInstance: handleUnaryCall<DeleteInstanceRequest, Init<DeleteInstanceResponse>>;
  PauseInstance: handleUnaryCall<PauseInstanceRequest, Init<Instance>>;
  ResumeInstance: handleUnaryCall<ResumeInstanceRequest, Init<Instance>>;
  ListProjects: handleUnaryCall<ListProjectsRequest, Init<ListProjectsResponse>>;
  DeleteProject: handleUnaryCall<ProjectRef, Init<DeleteProjectResponse>>;
  SetProjectTier: handleUnaryCall<SetProjectTierRequest, Init<ProjectTier>>;
  ClassifyProject: handleUnaryCall<ProjectRef, Init<ProjectTier>>;
  RestartPool: handleUnaryCall<RestartPoolRequest, Init<RestartPoolResponse>>;
  Drain: handleUnaryCall<DrainRequest, Init<DrainResponse>>;
  Watch: handleServerStreamingCall<WatchRequest, Init<Change>>;
};

export interface ListPoolsRequest {
}

export interface ListPoolsResponse {
  pools: Pool[];
}

export interface Pool {
  name: string;
  namespace: string;
  spec: Buffer;
  status: Buffer;
}

export interface GetStatsRequest {
  pool: string;
}

export interface PoolStats {
  instances: number;
  instances_by_tier: Record<string, number>;
  instances_by_state: Record<string, number>;
  queue_depth: number;
  requests_succeeded: number;
  requests_failed: number;
  hit_rate: number;
  connections: Connection[];
}

export interface Connection {
  runtime: string;
  state: string;
  requests: number;
  since: Timestamp | null;
}

export interface Instance {
  id: string;
  pool: string;
  tenant: string;
  project: string;
  tier: Tier;
  state: InstanceState;
  runtime: string;
  created: Timestamp | null;
  last_used: Timestamp | null;
  requests: number;
  memory_bytes: number;
  cpu_percent: number;
  message: string;
  epoch: number;
}

export interface ListInstancesRequest {
  pool: string;
  tier: Tier;
  state: InstanceState;
  tenant: string;
  page_size: number;
  page_token: string;
  project: string;
}

export interface ListInstancesResponse {
  instances: Instance[];
  next_page_token: string;
}

export interface GetInstanceRequest {
  id: string;
}

export interface CreateInstanceRequest {
  pool: string;
  tenant: string;
  project: string;
  tier: Tier;
}

export interface DeleteInstanceRequest {
  id: string;
  force: boolean;
}

export interface DeleteInstanceResponse {
}

export interface PauseInstanceRequest {
  id: string;
  force: boolean;
}

export interface ResumeInstanceRequest {
  id: string;
}

export interface ProjectRef {
  pool: string;
  tenant: string;
  project: string;
}

export interface ListProjectsRequest {
  pool: string;
  tenant: string;
  page_size: number;
  page_token: string;
}

export interface ListProjectsResponse {
  projects: Project[];
  next_page_token: string;
}

export interface Project {
  ref: ProjectRef | null;
  tier: ProjectTier | null;
  instance_id: string;
  stored_bytes: number;
  last_used: Timestamp | null;
  paused: boolean;
}

export interface DeleteProjectResponse {
}

export interface SetProjectTierRequest {
  pool: string;
  tenant: string;
  project: string;
  tier: Tier;
  ttl_seconds: number;
}

export interface ProjectTier {
  desired: Tier;
  current: Tier;
  source: string;
  reason: string;
  since: Timestamp | null;
  expires: Timestamp | null;
}

export interface RestartPoolRequest {
  pool: string;
  tenant: string;
}

export interface RestartPoolResponse {
  instances: number;
}

export interface DrainRequest {
  runtime: string;
}

export interface DrainResponse {
  projects: number;
}

export interface WatchRequest {
  pool: string;
}

export interface Change {
  instance: Instance | null;
  reason: string;
  time: Timestamp | null;
}
