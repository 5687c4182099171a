/** docs/reference/metrics.md: every metric, as gateway and runtimes register it. */
import { createHostMetrics } from '../../agent-runtime/host/metrics.ts';
import { GatewayMetrics } from '../../gateway/metrics.ts';
import { OperatorMetrics } from '../../operator/metrics.ts';
import { KubeMetrics } from '../../platform/kube/metrics.ts';
import type { MetricOptions, Metrics } from '../../platform/metrics/registry.ts';
import { code, HEAD, table } from './markdown.ts';

interface Registered extends MetricOptions {
  readonly type: string;
}

const INTRODUCTION = `# Metrics

\`GET /metrics\` of a gateway needs the role operator, where there are tokens. Times are in seconds, sizes in bytes.

In a cluster each process shows what it has counted itself, the operator (port 8081) and runtimes (port 9464) without a token; \`serviceMonitor.enabled\` of the chart has all of them
scraped. A figure of a pool is the sum over its processes.

On one machine the server's page has the figures of its runtimes, too, as has that of each further gateway on its data folder: scrape one for the runtimes', or take the
maximum over gateways, not the sum.

\`GET /api/v1/pool/metrics\` is for people: this gateway's figures, and those of all runtimes that it has a link to, added up. They fall when a runtime ends.`;

const CLOSING = `## Labels

| label | values |
|---|---|
| \`namespace\`, \`pool\` | of the pool; empty on requests that named no pool that there is |
| \`tier\` | \`HOT\`, \`WARM\`, \`COLD\` |
| \`status\` | \`success\`; \`error\`: the task ran and failed; \`rejected\`: it was not taken on; \`cancelled\` |
| \`state\` of instances | \`CREATED\`, \`INITIALIZING\`, \`READY\`, \`BUSY\`, \`PAUSED\`, \`ERROR\`, \`TERMINATED\` |
| \`result\` | \`hit\`, \`miss\` |
| \`outcome\` | \`committed\`, \`refused\`, \`unknown\` |
| \`runtime\` | the incarnation: the one label whose values change with each start |

\`agent_pool_quarantined_projects\` above 0, \`agent_pool_commits_total{outcome="refused"}\` growing while no runtime was lost, and
\`agent_pool_instance_moves_refused_total\` above 0 are worth an alert; the [runbook](../runbook.md) says what to do.

The process that is scraped adds \`process_*\` and \`nodejs_*\` of itself, as prom-client names them.`;

export function metricsReference(): string {
  const rows = (found: readonly Registered[]): string =>
    table(
      ['name', 'type', 'labels', ''],
      found.map(({ name, type, labels, help }) => [
        code(name),
        type,
        labels.map(code).join(', '),
        help,
      ]),
    );
  return [
    HEAD + INTRODUCTION,
    '## Of a gateway',
    rows(registeredBy(registerGateway)),
    '## Of the operator',
    rows(registeredBy(registerOperator)),
    '## Of the runtimes',
    rows(registeredBy(registerRuntime)),
    CLOSING,
  ]
    .join('\n\n')
    .concat('\n');
}

/** Names of all metrics, for tests. */
export function metricNames(): readonly string[] {
  return [registerGateway, registerOperator, registerRuntime]
    .flatMap(registeredBy)
    .map(({ name }) => name);
}

function registerGateway(metrics: Metrics): void {
  new GatewayMetrics(metrics).observe(metrics, {
    queueDepths: () => [],
    links: () => [],
    quarantined: () => [],
    breakers: () => [],
  });
}

function registerOperator(metrics: Metrics): void {
  new OperatorMetrics(metrics);
  new KubeMetrics(metrics);
}

function registerRuntime(metrics: Metrics): void {
  createHostMetrics(metrics, { pool: 'default~pool', incarnation: 'runtime' }, () => ({
    instances: [],
    memoryBytes: 0,
    cpuPercent: 0,
    queued: 0,
  }));
}

/** What is registered with a registry that only takes notes. */
function registeredBy(register: (metrics: Metrics) => void): Registered[] {
  const found: Registered[] = [];
  const note =
    <Metric>(type: string, metric: Metric) =>
    (options: MetricOptions): Metric => {
      found.push({ ...options, type });
      return metric;
    };
  const ignore = (): void => undefined;
  register({
    counter: note('counter', { add: ignore }),
    gauge: note('gauge', { set: ignore, remove: ignore, reset: ignore }),
    histogram: note('histogram', { observe: ignore }),
    summary: note('summary', { observe: ignore }),
    snapshot: async () => [],
    text: async () => '',
    contentType: '',
  });
  return found;
}
