/** A pool of one counting agent in the cluster of KUBECONFIG, and its callers over HTTP: what promotion is measured with. */
import { dirname } from 'node:path';
import { Cluster } from '../../test/cluster/cluster.ts';
import { type Installation, install } from '../../test/cluster/product/installation.ts';
import { BoundRuntimes } from './bound-runtimes.ts';

const NAME = 'bench';
const AGENTS = `export default {
  name: 'counter',
  async process(task, context) {
    return { count: await context.state.update('count', (n = 0) => n + 1) };
  },
};
`;
const TENANT = 'acme';
const OF_POOL = `agentpool.dev/pool=${NAME}`;
const READY_WITHIN_MS = 240_000;

export interface Answer {
  readonly tier: string;
  readonly elapsedMs: number;
}

export class InstalledPool {
  readonly #cluster: Cluster;
  readonly #installation: Installation;
  readonly #bound: BoundRuntimes;

  private constructor(cluster: Cluster, installation: Installation, bound: BoundRuntimes) {
    this.#cluster = cluster;
    this.#installation = installation;
    this.#bound = bound;
  }

  /** @throws where KUBECONFIG is not that of a `cluster:up`. */
  static async create(spec: object): Promise<InstalledPool> {
    const kubeconfig = process.env['KUBECONFIG'];
    if (kubeconfig === undefined)
      throw new Error('set KUBECONFIG to that of `npm run cluster:up -- --name bench`');
    const cluster = new Cluster(dirname(kubeconfig));
    const installation = await install(cluster);
    const bound = await BoundRuntimes.follow(cluster);
    const pool = new InstalledPool(cluster, installation, bound);
    const metadata = { name: NAME };
    await cluster.kubectl.apply([
      { apiVersion: 'v1', kind: 'ConfigMap', metadata, data: { 'agents.ts': AGENTS } },
      { apiVersion: 'agentpool.dev/v1alpha1', kind: 'AgentPool', metadata, spec },
    ]);
    return pool;
  }

  static readonly MODULE = { configMapRef: { name: NAME, key: 'agents.ts' } };

  /** Resolves when so many pods of the role are ready and, of dedicated ones, stand by: and no other pod of the role is there. */
  async untilReady(role: 'shared' | 'dedicated', count: number): Promise<void> {
    const endMs = performance.now() + READY_WITHIN_MS;
    const selector = `${OF_POOL},agentpool.dev/role=${role}`;
    for (;;) {
      const pods = await this.#cluster.kubectl.list('pods', 'default', selector);
      const ready = pods.filter(({ metadata, status }) => {
        const isBound = Object.keys(metadata.annotations ?? {}).some((key) =>
          key.includes('project'),
        );
        const { conditions = [] } = (status ?? {}) as { conditions?: Condition[] };
        const isReady = conditions.some((one) => one.type === 'Ready' && one.status === 'True');
        return isReady && !isBound && metadata['deletionTimestamp'] === undefined;
      });
      if (ready.length === count && pods.length === count) return;
      if (performance.now() > endMs)
        throw new Error(`${ready.length} of ${count} ${role} pods are ready, of ${pods.length}`);
      await sleep(500);
    }
  }

  /** Resolves when a runtime of the project's own is ready: not before it is to be HOT. */
  untilBound(project: string): Promise<unknown> {
    return this.#bound.until(`default~${NAME}~${TENANT}~${project}`);
  }

  async execute(project: string): Promise<Answer> {
    const startedMs = performance.now();
    const body = { pool: NAME, tenant: TENANT, project, agent: 'counter', input: null };
    const { tier = '' } = (await this.#call('POST', 'execute', body)) as { readonly tier?: string };
    return { tier, elapsedMs: performance.now() - startedMs };
  }

  async setTier(project: string, tier: 'HOT' | 'WARM'): Promise<void> {
    await this.#call('PUT', `projects/${TENANT}/${project}/tier?pool=${NAME}`, { tier });
  }

  async remove(): Promise<void> {
    await this.#bound.end();
    await this.#installation.remove();
  }

  async #call(method: string, path: string, body: object): Promise<unknown> {
    const { url, token } = this.#installation;
    const response = await fetch(`${url}/api/v1/${path}`, {
      method,
      headers: { 'content-type': 'application/json', authorization: `Bearer ${token}` },
      body: JSON.stringify(body),
      signal: AbortSignal.timeout(30_000),
    });
    const text = await response.text();
    if (!response.ok) throw new Error(`${method} ${path}: ${response.status} ${text}`);
    return JSON.parse(text);
  }
}

interface Condition {
  readonly type: string;
  readonly status: string;
}

export function sleep(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
