/** One-off questions between runtimes of a pool, each over a connection of its own with a short deadline: does its event loop live, let go. */
import type { MethodDefinition, ServiceError } from '@grpc/grpc-js';
import { agentRuntimeService } from '../../proto/internal-service.ts';
import type { Clock } from '../clock.ts';
import { singleUseChannelOptions } from '../grpc/grpc-options.ts';
import {
  askRuntime,
  keyMetadata,
  lifeOf,
  openClient,
  type RuntimeAccess,
} from './grpc-runtime-client.ts';
import type { PeerClient } from './task-link.ts';

const MESSAGE_BYTES_MAX = 64 * 1024;
/** An owner that agreed to yield answers a little after its time is over at the latest. */
const YIELD_GRACE_MS = 500;

export function createGrpcPeer(access: RuntimeAccess, clock: Clock): PeerClient {
  const ask = async <Request, Response>(
    address: string,
    method: MethodDefinition<Request, Response>,
    request: Request,
    timeoutMs: number,
  ): Promise<Response> => {
    const client = openClient(address, access, singleUseChannelOptions(MESSAGE_BYTES_MAX));
    const call = { metadata: keyMetadata(access.key), deadlineMs: clock.wallMs() + timeoutMs };
    return askRuntime(client, method, request, call).finally(() => client.close());
  };
  return {
    async ping(address, timeoutMs) {
      try {
        await ask(address, agentRuntimeService.Ping, {}, timeoutMs);
        return 'alive';
      } catch (error) {
        return lifeOf(error as ServiceError);
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
  };
}
