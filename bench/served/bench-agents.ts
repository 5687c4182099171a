/** The agents that benchmarks run, and the manifests that serve them: quotas so wide that no limit is what is measured. */

/** `initialize` is there and empty: what the goals are stated for. */
export const BENCH_AGENTS = `
interface Context {
  readonly state: { update(key: string, change: (old?: number) => number): Promise<number> };
}
const initialize = async (): Promise<void> => undefined;
export default [
  { name: 'noop', initialize, process: async () => null },
  { name: 'echo', initialize, process: async (task: { input: unknown }) => task.input },
  {
    name: 'counter',
    initialize,
    process: async (_task: unknown, context: Context) => ({
      count: await context.state.update('count', (n = 0) => n + 1),
      pid: process.pid,
    }),
  },
];
`;

const QUOTA = (memoryMb: number): string =>
  `{memoryMb: ${memoryMb}, maxConcurrentRequests: 1000, requestsPerMinute: 10000000}`;

export interface PoolOptions {
  readonly isolation?: 'WorkerThread' | 'Shared';
  readonly defaultTier?: 'HOT' | 'WARM' | 'COLD';
  readonly replicas?: number;
  readonly maxInstances?: number;
  /** Further lines under `tiers.warm`. */
  readonly warm?: string;
  readonly cold?: string;
  readonly hot?: string;
  /** Further lines of the spec. */
  readonly spec?: string;
}

export function benchManifest(options: PoolOptions = {}): string {
  const { isolation = 'WorkerThread', defaultTier = 'WARM', replicas = 1 } = options;
  const { maxInstances = 1_000, hot = '', warm = '', cold = '', spec = '' } = options;
  const part = (name: string, quotaMb: number, lines: string): string =>
    [
      `    ${name}:`,
      `      quota: ${QUOTA(quotaMb)}`,
      ...lines
        .split('\n')
        .filter(Boolean)
        .map((line) => `      ${line}`),
    ].join('\n');
  return `apiVersion: agentpool.dev/v1alpha1
kind: AgentPool
metadata: {name: bench}
spec:
  runtime: {agentModule: ./agents.ts, isolation: ${isolation}, maxConcurrentTasks: 10000}
  replicas: ${replicas}
  maxInstances: ${maxInstances}
  queue: {depthMax: 100000, parkedPerProjectMax: 1000}
  tiers:
    default: ${defaultTier}
${part('hot', 512, hot)}
${part('warm', 128, warm)}
${part('cold', 128, cold)}
${spec}`.trimEnd();
}

export function projectNames(count: number, prefix = 'p'): readonly string[] {
  return Array.from({ length: count }, (_, index) => `${prefix}${index}`);
}
