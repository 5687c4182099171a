/**
 * The services of the public contract for grpc-js, in the opaque form (JSON values and parts as bytes), and its true descriptors for
 * reflection. Everything comes from proto/generated: no .proto file is read at run time.
 */
import type { ServiceDefinition } from '@grpc/grpc-js';
import {
  fromJSON,
  type AnyDefinition,
  type MessageTypeDefinition,
  type Options,
  type PackageDefinition,
} from '@grpc/proto-loader';
import { CONTRACT_JSON } from './generated/contract.ts';
import { FILE_DESCRIPTORS_BASE64 } from './generated/file-descriptors.ts';

/**
 * How messages look in JavaScript, as proto/generated/messages.ts types them: names in snake_case like the HTTP JSON, 64-bit integers
 * as numbers (ours stay far below 2^53), enums by name, unset fields with their default, and each oneof's case under its own name.
 * An enum number that this version does not know stays a number.
 */
export const LOADER_OPTIONS = {
  keepCase: true,
  longs: Number,
  enums: String,
  defaults: true,
  oneofs: true,
} as const satisfies Options;

export const AGENT_POOL_SERVICE = 'agentpool.v1.AgentPoolService';
export const POOL_ADMIN_SERVICE = 'agentpool.v1.PoolAdminService';

const contract = fromJSON(
  JSON.parse(CONTRACT_JSON) as Parameters<typeof fromJSON>[0],
  LOADER_OPTIONS,
);

/** Served by `AgentPoolServiceHandlers` of proto/generated/messages.ts. */
export const agentPoolService = serviceIn(AGENT_POOL_SERVICE);
/** Served by `PoolAdminServiceHandlers`. */
export const poolAdminService = serviceIn(POOL_ADMIN_SERVICE);

/** Serialisers of one message of the contract (`Execute…`, `Pool` …), for an edge that is not gRPC. */
export function messageIn(name: string): MessageTypeDefinition<object, object> {
  const definition = contract[`agentpool.v1.${name}`];
  if (definition === undefined || !isMessage(definition))
    throw new Error(`no message ${name} in agentpool.v1`);
  return definition;
}

/** For `@grpc/reflection`: the contract as it is written, payload types included. */
export function reflectionPackage(): PackageDefinition {
  const files = FILE_DESCRIPTORS_BASE64.map((file) => Buffer.from(file, 'base64'));
  return Object.fromEntries(
    Object.entries(contract).map(([name, definition]) => [
      name,
      isMessage(definition) ? { ...definition, fileDescriptorProtos: files } : definition,
    ]),
  );
}

function isMessage(definition: AnyDefinition): definition is MessageTypeDefinition<object, object> {
  return 'serialize' in definition && typeof definition.serialize === 'function';
}

function serviceIn(name: string): ServiceDefinition {
  const definition = contract[name];
  if (definition === undefined || isMessage(definition) || 'format' in definition)
    throw new Error(`no service ${name} in the contract`);
  return definition;
}
