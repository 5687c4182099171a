/** What the gRPC handlers need of the gateway. */
import type { Clock } from '../../platform/clock.ts';
import type { Log } from '../../platform/log.ts';
import type { Access } from '../access/access.ts';
import type { GatewayService } from '../service/gateway-service.ts';

export interface GrpcEdge {
  readonly access: Access;
  readonly clock: Clock;
  readonly log: Log;
  readonly service: GatewayService;
}
