// Written by `npm run gen` from proto/agentpool; do not edit.
import type { handleBidiStreamingCall, handleUnaryCall } from '@grpc/grpc-js';

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

export type AgentRuntimeServiceHandlers = {
  Control: handleBidiStreamingCall<ControlRequest, Init<ControlResponse>>;
  Data: handleBidiStreamingCall<DataRequest, Init<DataResponse>>;
  Bind: handleUnaryCall<BindRequest, Init<BindResponse>>;
  Ping: handleUnaryCall<PingRequest, Init<PingResponse>>;
  YieldProject: handleUnaryCall<YieldProjectRequest, Init<YieldProjectResponse>>;
};

export interface ControlRequest {
  frames: ToRuntime[];
}

export interface ControlResponse {
  frames: FromRuntime[];
}

export interface DataRequest {
  frames: ToRuntime[];
}

export interface DataResponse {
  frames: FromRuntime[];
}

export interface ToRuntime {
  hello?: Hello;
  ping?: PingFrame;
  task?: Task;
  input?: Slice;
  cancel?: Cancel;
  window?: Window;
  call?: Call;
  frame?: 'hello' | 'ping' | 'task' | 'input' | 'cancel' | 'window' | 'call';
}

export interface FromRuntime {
  welcome?: Welcome;
  pong?: Pong;
  grant?: Grant;
  window?: Window;
  parked?: Parked;
  started?: Started;
  chunk?: Chunk;
  result?: Result;
  output?: Slice;
  failed?: Failed;
  elsewhere?: Elsewhere;
  moved?: Moved;
  reply?: Reply;
  draining?: Draining;
  frame?: 'welcome' | 'pong' | 'grant' | 'window' | 'parked' | 'started' | 'chunk' | 'result' | 'output' | 'failed' | 'elsewhere' | 'moved' | 'reply' | 'draining';
}

export interface Hello {
  gateway: string;
  protocolMin: number;
  protocolMax: number;
}

export interface Welcome {
  incarnation: string;
  revision: string;
  protocol: number;
}

export interface PingFrame {
  nonce: number;
  demand: number;
}

export interface Pong {
  nonce: number;
}

export interface Grant {
  tasks: number;
}

export interface Window {
  task: number;
  bytes: number;
}

export interface Parked {
  task: number;
}

export interface Draining {
}

export interface Task {
  task: number;
  header: TaskHeader | null;
  body: Buffer;
  more: boolean;
}

export interface Slice {
  task: number;
  body: Buffer;
  more: boolean;
}

export interface Cancel {
  task: number;
  reason: string;
}

export interface Call {
  call: number;
  requestJson: string;
}

export interface Reply {
  call: number;
  answerJson?: string;
  error: TaskError | null;
}

export interface TaskHeader {
  project: string;
  requestId: string;
  agent: string;
  conversationId: string;
  newConversation: boolean;
  attempt: number;
  priority: string;
  remainingMs: number;
  queueMs: number;
  queuedMs: number;
  metadata: Record<string, string>;
  principal: Principal | null;
  arm: string;
  digest: string;
  leaseId?: string;
  stream: boolean;
  onDisconnect: string;
  takeover: Takeover | null;
  traceparent?: string;
  sentOn: boolean;
}

export interface Principal {
  subject: string;
  role: string;
}

export interface Takeover {
  incarnation: string;
  epoch: number;
  refused: boolean;
}

export interface Started {
  task: number;
  conversationId: string;
  instanceId: string;
  agent: string;
  tier: string;
  wallMs: number;
}

export interface Chunk {
  task: number;
  arm: string;
  kind: string;
  body: Buffer;
  more: boolean;
}

export interface Result {
  task: number;
  header: ResultHeader | null;
  body: Buffer;
  more: boolean;
}

export interface ResultHeader {
  conversationId: string;
  instanceId: string;
  agent: string;
  tier: string;
  arm: string;
  timings: Timings | null;
  replayed: boolean;
  hit: boolean;
}

export interface Timings {
  queueMs: number;
  activateMs: number;
  runMs: number;
}

export interface Failed {
  task: number;
  error: TaskError | null;
}

export interface TaskError {
  reason: string;
  code: string;
  message: string;
  field?: string;
  retryAfterMs?: number;
  metadata: Record<string, string>;
}

export interface Elsewhere {
  task: number;
  owner: Owner | null;
  epoch: number;
}

export interface Owner {
  incarnation: string;
  address: string;
  epoch: number;
}

export interface Moved {
  project: string;
  epoch: number;
  to: Target | null;
}

export interface Target {
  incarnation: string;
  address: string;
}

export interface BindRequest {
  project: string;
}

export interface BindResponse {
}

export interface PingRequest {
}

export interface PingResponse {
  incarnation: string;
}

export interface YieldProjectRequest {
  project: string;
  withinMs: number;
}

export interface YieldProjectResponse {
  released: boolean;
}
