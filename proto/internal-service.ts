/** The service between gateways and runtimes for grpc-js, its messages in camelCase as proto/generated/internal-messages.ts types them. */
import type { MethodDefinition } from '@grpc/grpc-js';
import protobuf, { type INamespace } from 'protobufjs/light.js';
import { INTERNAL_JSON } from './generated/internal.ts';
import type {
  BindRequest,
  BindResponse,
  ControlRequest,
  ControlResponse,
  DataRequest,
  DataResponse,
  Init,
  PingRequest,
  PingResponse,
  YieldProjectRequest,
  YieldProjectResponse,
} from './generated/internal-messages.ts';

const PACKAGE = 'agentpool.internal.v1';
const root = protobuf.Root.fromJSON(JSON.parse(INTERNAL_JSON) as INamespace);

/** Fields that were not sent are read as their default; messages and optional fields as null. */
export const agentRuntimeService = {
  Control: stream<ControlRequest, ControlResponse>('Control'),
  Data: stream<DataRequest, DataResponse>('Data'),
  Bind: unary<BindRequest, BindResponse>('Bind'),
  Ping: unary<PingRequest, PingResponse>('Ping'),
  YieldProject: unary<YieldProjectRequest, YieldProjectResponse>('YieldProject'),
};

/** Compiles what reads and writes all messages: else that is done when the first of each is sent, some 10 ms of CPU together while somebody waits. */
export function compileInternalMessages(): void {
  const messages = root.lookup(PACKAGE);
  if (!(messages instanceof protobuf.Namespace)) throw new Error(`no package ${PACKAGE}`);
  for (const type of messages.nestedArray) if (type instanceof protobuf.Type) type.setup();
}

type Definition<Request, Response> = MethodDefinition<Init<Request>, Response>;

function stream<Request extends object, Response extends object>(
  name: string,
): Definition<Request, Response> {
  return definitionOf(name, true);
}

function unary<Request extends object, Response extends object>(
  name: string,
): Definition<Request, Response> {
  return definitionOf(name, false);
}

function definitionOf<Request extends object, Response extends object>(
  name: string,
  isStream: boolean,
): Definition<Request, Response> {
  const request = root.lookupType(`${PACKAGE}.${name}Request`);
  const response = root.lookupType(`${PACKAGE}.${name}Response`);
  return {
    path: `/${PACKAGE}.AgentRuntimeService/${name}`,
    requestStream: isStream,
    responseStream: isStream,
    requestSerialize: (message) => encode(request, message),
    requestDeserialize: (bytes) => request.decode(bytes) as object as Init<Request>,
    responseSerialize: (message) => encode(response, message),
    responseDeserialize: (bytes) => response.decode(bytes) as object as Response,
  };
}

function encode(type: protobuf.Type, message: object): Buffer {
  const bytes = type.encode(message).finish();
  return Buffer.isBuffer(bytes) ? bytes : Buffer.from(bytes);
}
