/** One-off questions to a runtime, each over a connection of its own with a short deadline: does its event loop live, let go, be bound. */
import {
  Client,
  credentials as grpcCredentials,
  type ChannelCredentials,
  type MethodDefinition,
  type ServiceError,
  status,
} from '@grpc/grpc-js';
import type { ProjectKey } from '../../core/identifiers.ts';
import { agentRuntimeService } from '../../proto/internal-service.ts';
import { appErrorOf } from '../../proto/status.ts';
import type { Clock } from '../clock.ts';
import { singleUseChannelOptions } from '../grpc/grpc-options.ts';
import { isRefused, keyMetadata } from './grpc-link-dial.ts';
import type { PeerClient } from './task-link.ts';

const MESSAGE_BYTES_MAX = 64 * 1024;
/** An owner that agreed to yield answers a little after its time is over at the latest. */
const YIELD_GRACE_MS = 500;

export interface GrpcPeerOptions {
  /** The pool's runtime key. */
  readonly key: string;
  readonly credentials?: ChannelCredentials;
}

/** The runtime's peer client, and the operator's way to bind a standby. */
export interface GrpcPeer extends PeerClient {
  /** Rejects with the runtime's AppError, or OWNER_UNREACHABLE / DEADLINE when it cannot be asked. */
  bind(
    address: string,
    binding: { readonly project: ProjectKey; readonly bindingId: string },
    timeoutMs: number,
  ): Promise<void>;
}

export function createGrpcPeer(options: GrpcPeerOptions, clock: Clock): GrpcPeer {
  const ask = askerOf(options, clock);
  return {
    async ping(address, timeoutMs) {
      try {
        await ask(address, agentRuntimeService.Ping, {}, timeoutMs);
        return 'alive';
      } catch (error) {
        return silenceOf(error as ServiceError);
      }
    },
    async yieldProject(address, project, withinMs) {
      try {
        const { released } = await ask(
          address,
          agentRuntimeService.YieldProject,
          { project, withinMs },
          withinMs + YIELD_GRACE_MS,
        );
        return released;
      } catch {
        return false;
      }
    },
    async bind(address, binding, timeoutMs) {
      try {
        await ask(address, agentRuntimeService.Bind, binding, timeoutMs);
      } catch (error) {
        throw appErrorOf(error as ServiceError);
      }
    },
  };
}

/** A refusal of ours (a wrong key, say) is an answer too: the event loop lives. */
function silenceOf(error: ServiceError): 'alive' | 'refused' | 'silent' {
  if (isRefused(error)) return 'refused';
  return error.code === status.UNAVAILABLE ||
    error.code === status.DEADLINE_EXCEEDED ||
    error.code === status.CANCELLED
    ? 'silent'
    : 'alive';
}

type Ask = <Request, Response>(
  address: string,
  method: MethodDefinition<Request, Response>,
  request: Request,
  timeoutMs: number,
) => Promise<Response>;

/** One unary call over a connection of its own; rejects with grpc-js' ServiceError. */
function askerOf(
  { key, credentials = grpcCredentials.createInsecure() }: GrpcPeerOptions,
  clock: Clock,
): Ask {
  return (address, method, request, timeoutMs) => {
    const client = new Client(address, credentials, singleUseChannelOptions(MESSAGE_BYTES_MAX));
    const { path, requestSerialize, responseDeserialize } = method;
    const deadline = clock.wallMs() + timeoutMs;
    return new Promise((resolve, reject) => {
      client.makeUnaryRequest(
        path,
        requestSerialize,
        responseDeserialize,
        request,
        keyMetadata(key),
        { deadline },
        (error, response) => {
          client.close();
          if (response === undefined) reject(error ?? new Error('no answer'));
          else resolve(response);
        },
      );
    });
  };
}
