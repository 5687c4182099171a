/** The gateway's HTTP edge, whole: every route over the service, listening, with an orderly end. */
import type { Clock } from '../../../platform/clock.ts';
import type { Log } from '../../../platform/log.ts';
import type { Random } from '../../../platform/random.ts';
import type { TlsSource } from '../../../platform/tls/tls-material.ts';
import type { Access } from '../../access/access.ts';
import type { GatewayService } from '../../service/gateway-service.ts';
import { HttpEdge } from './http-edge.ts';
import { conversationRoutes } from './routes/conversation-routes.ts';
import { executeRoute } from './routes/execute-route.ts';
import { instanceRoutes } from './routes/instance-routes.ts';
import { leaseRoutes } from './routes/lease-routes.ts';
import { poolRoutes } from './routes/pool-routes.ts';
import { probeRoutes } from './routes/probe-routes.ts';
import { projectRoutes } from './routes/project-routes.ts';
import type { Route } from './routes/route.ts';
import { ENVELOPE_BYTES_MAX } from './wire/server-options.ts';

/** What the routes ask of the service. */
export interface HttpService {
  readonly tasks: Pick<GatewayService['tasks'], 'start'>;
  readonly leases: Parameters<typeof leaseRoutes>[0];
  readonly conversations: Parameters<typeof conversationRoutes>[0];
  readonly instances: Parameters<typeof instanceRoutes>[0];
  readonly projects: Parameters<typeof projectRoutes>[0];
  readonly pools: Parameters<typeof poolRoutes>[0] &
    Pick<GatewayService['pools'], 'metricsText' | 'scrapedText'>;
}

export interface HttpGatewayOptions {
  readonly service: HttpService;
  readonly access: Access;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
  readonly host: string;
  /** 0: any free one. */
  readonly port: number;
  /** Absent: plain. */
  readonly tls?: TlsSource;
  /** The largest input of any pool, asked for each request. */
  readonly requestBytesMax: () => number;
  /** Of the product. */
  readonly version: string;
  /** Of the metrics' text. */
  readonly metricsContentType: string;
}

export interface HttpGateway {
  /** That was taken. */
  readonly port: number;
  /** Serves as before, but each connection ends with its next answer. */
  leave(): void;
  /** Takes no more requests; those in flight have this long to end. */
  stop(graceMs: number): Promise<void>;
}

/** Rejects when the address cannot be had. */
export async function startHttpGateway(options: HttpGatewayOptions): Promise<HttpGateway> {
  const edge = await createHttpEdge(options);
  const port = await edge.listen();
  return { port, leave: () => edge.leave(), stop: (graceMs) => edge.close(graceMs) };
}

/** Ready to listen. */
export function createHttpEdge(options: HttpGatewayOptions): Promise<HttpEdge> {
  const { requestBytesMax } = options;
  // As on gRPC: escapes of JSON may double an input; what is still too large then is told by the stages.
  return HttpEdge.create({
    ...options,
    routes: routesOf(options),
    bodyBytesMax: () => 2 * requestBytesMax() + ENVELOPE_BYTES_MAX,
  });
}

/** The table; the documentation adds its own. */
export function routesOf({
  service,
  random,
  metricsContentType,
}: HttpGatewayOptions): readonly Route[] {
  return [
    executeRoute({ tasks: service.tasks, random }),
    ...leaseRoutes(service.leases),
    ...poolRoutes(service.pools),
    ...instanceRoutes(service.instances),
    ...projectRoutes(service.projects),
    ...conversationRoutes(service.conversations),
    ...probeRoutes({ pools: service.pools, metricsContentType }),
  ];
}
