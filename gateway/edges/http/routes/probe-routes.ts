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
  readonly pools: Pick<Pools, 'metricsText' | 'scrapedText'> & PoolsHealth;
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
    metricsRoute(metricsContentType, {
      path: '/metrics',
      operationId: 'metrics',
      summary: 'Metrics for Prometheus',
      description:
        'Of this gateway; in a cluster runtimes have pages of their own, elsewhere theirs are among them.',
      text: () => pools.scrapedText(),
    }),
    metricsRoute(metricsContentType, {
      path: '/api/v1/pool/metrics',
      operationId: 'getMetrics',
      summary: 'Metrics of this gateway and of the runtimes',
      description: 'Of the runtimes that answer the sum.',
      text: () => pools.metricsText(),
    }),
  ];
}

interface MetricsPage {
  readonly path: string;
  readonly operationId: string;
  readonly summary: string;
  readonly description: string;
  readonly text: () => Promise<string>;
}

function metricsRoute(contentType: string, { text, description, ...page }: MetricsPage): Route {
  return defineRoute({
    method: 'GET',
    tag: 'Probes',
    ...page,
    description: `${description} Needs the role operator, where there are tokens.`,
    answers: { 200: { description: 'Prometheus text.', content: { 'text/plain': {} } } },
    reasons: [],
    handle: async (_input, { principal }) => {
      authorize(principal, 'GetStats');
      return { type: 'raw', status: 200, contentType, body: await text() };
    },
  });
}
