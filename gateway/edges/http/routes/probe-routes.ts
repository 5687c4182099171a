/** For machines: is the process alive, can it serve, what has it counted. */
import { z } from 'zod';
import { authorize } from '../../../access/roles.ts';
import type { Pools } from '../../../service/pools.ts';
import { healthOf, type PoolsHealth } from './health.ts';
import { defineRoute, json, jsonAnswer, type Route } from './route.ts';

const alive = z.object({ status: z.literal('ok') });
const readiness = z.object({
  status: z.enum(['ok', 'unavailable']),
  missing: z.array(z.string()).meta({ description: 'What is not there yet.' }),
});

export interface ProbeOptions {
  readonly pools: Pick<Pools, 'metricsText'> & PoolsHealth;
  /** Of the text for Prometheus. */
  readonly metricsContentType: string;
}

export function probeRoutes({ pools, metricsContentType }: ProbeOptions): readonly Route[] {
  return [
    defineRoute({
      method: 'GET',
      path: '/healthz',
      operationId: 'healthz',
      tag: 'Probes',
      summary: 'The process is alive',
      isOpen: true,
      answers: { 200: jsonAnswer('It is.', alive) },
      reasons: [],
      handle: async () => json(200, { status: 'ok' }),
    }),
    defineRoute({
      method: 'GET',
      path: '/readyz',
      operationId: 'readyz',
      tag: 'Probes',
      summary: 'Tasks can be served',
      description:
        'The store was read, and of the pools that are not suspended at least one has a ready runtime.',
      isOpen: true,
      answers: {
        200: jsonAnswer('They can.', readiness),
        503: jsonAnswer('They cannot: `missing` says why.', readiness),
      },
      reasons: [],
      handle: async () => {
        if (pools.isReady) return json(200, { status: 'ok', missing: [] });
        const missing = healthOf(pools)
          .checks.filter(({ ok }) => !ok)
          .map(({ name, message }) => `${name}: ${message}`);
        return json(503, { status: 'unavailable', missing });
      },
    }),
    ...['/metrics', '/api/v1/pool/metrics'].map((path, index) =>
      defineRoute({
        method: 'GET',
        path,
        operationId: index === 0 ? 'metrics' : 'getMetrics',
        tag: 'Probes',
        summary: 'Metrics of this gateway and of the runtimes',
        description: 'Needs the role operator, where there are tokens.',
        answers: { 200: { description: 'Prometheus text.', content: { 'text/plain': {} } } },
        reasons: [],
        handle: async (_input, { principal }) => {
          authorize(principal, 'GetStats');
          return {
            type: 'raw',
            status: 200,
            contentType: metricsContentType,
            body: await pools.metricsText(),
          };
        },
      }),
    ),
  ];
}
