/** A pool of the agent `counter` in a namespace of its own, and what the tests ask about it. */
import { expect } from '@jest/globals';
import { until } from '../../e2e/until.ts';
import type { Cluster } from '../cluster.ts';
import type { KubeObject, Kubectl } from '../control/kubectl.ts';
import { type TestNamespace, createNamespace } from '../test-cluster.ts';
import { isReady } from '../test-pods.ts';
import { RELEASE, RESTRICTED } from './installation.ts';

export const AGENTS = `export default {
  name: 'counter',
  async process(task, context) {
    return { count: await context.state.update('count', (n = 0) => n + 1) };
  },
};
`;
const READY_WITHIN_MS = 90_000;

export interface Condition {
  readonly type: string;
  readonly status: string;
  readonly reason: string;
  readonly message: string;
}

interface PoolStatus {
  readonly observedGeneration?: number;
  readonly readyReplicas?: number;
  readonly conditions?: readonly Condition[];
}

export class TestPool {
  readonly name: string;
  readonly namespace: string;
  readonly #kubectl: Kubectl;
  readonly #home: TestNamespace;

  private constructor(kubectl: Kubectl, name: string, home: TestNamespace) {
    this.#kubectl = kubectl;
    this.name = name;
    this.namespace = home.name;
    this.#home = home;
  }

  /**
   * @param spec laid over that of the pool.
   * @param given its namespace, else it gets one of its own; it goes with the pool.
   */
  static async create(
    { kubectl }: Pick<Cluster, 'kubectl'>,
    name: string,
    spec: object = {},
    given?: TestNamespace,
  ): Promise<TestPool> {
    const home = given ?? (await createNamespace(kubectl, name, RESTRICTED));
    const pool = new TestPool(kubectl, name, home);
    const metadata = { name, namespace: home.name };
    await kubectl.apply([
      { apiVersion: 'v1', kind: 'ConfigMap', metadata, data: { 'agents.ts': AGENTS } },
      {
        apiVersion: 'agentpool.dev/v1alpha1',
        kind: 'AgentPool',
        metadata,
        spec: {
          runtime: {
            moduleFrom: { configMapRef: { name, key: 'agents.ts' } },
            resources: { requests: { cpu: '20m', memory: '128Mi' }, limits: { memory: '1Gi' } },
          },
          limits: { taskTimeoutSeconds: 20 },
          // The load is a test's, not a tenant's.
          tiers: { warm: { quota: { requestsPerMinute: 100_000 } } },
          deletionPolicy: 'Delete',
          ...spec,
        },
      },
    ]);
    await pool.untilReady();
    return pool;
  }

  /** As callers name it. */
  get path(): string {
    return `${this.namespace}/${this.name}`;
  }

  async patch(spec: object): Promise<void> {
    const patch = JSON.stringify({ spec });
    const target = ['agentpool', this.name, '-n', this.namespace];
    await this.#kubectl.run(['patch', ...target, '--type=merge', '--patch', patch]);
  }

  /** Its Secret is not watched: it is there again when a runtime needs it. */
  async replacePods(): Promise<void> {
    const selector = `agentpool.dev/pool=${this.name}`;
    await this.#kubectl.run(['delete', 'pods', '-n', this.namespace, '-l', selector]);
  }

  async scale(replicas: number): Promise<void> {
    await this.patch({ replicas });
  }

  async writeAgents(text: string = AGENTS): Promise<void> {
    const patch = JSON.stringify({ data: { 'agents.ts': text } });
    const target = ['configmap', this.name, '-n', this.namespace];
    await this.#kubectl.run(['patch', ...target, '--type=merge', '--patch', patch]);
  }

  /** Of what it is told now. */
  async untilReady(replicas?: number): Promise<void> {
    await this.untilStatus('all ready', (status) => {
      const ready = conditionOf(status, 'Ready')?.status === 'True';
      return ready && (replicas === undefined || status.readyReplicas === replicas);
    });
  }

  async untilReason(type: string, reason: string): Promise<Condition> {
    const status = await this.untilStatus(
      `${type} for ${reason}`,
      (found) => conditionOf(found, type)?.reason === reason,
    );
    return conditionOf(status, type)!;
  }

  async untilStatus(what: string, holds: (status: PoolStatus) => boolean): Promise<PoolStatus> {
    const found = await this.#kubectl.until(
      `${this.name}: ${what}`,
      ['agentpool', this.name, this.namespace],
      ({ metadata, status }) => {
        const { generation } = metadata as { readonly generation?: number };
        const now = (status ?? {}) as PoolStatus;
        return now.observedGeneration === generation && holds(now);
      },
      READY_WITHIN_MS,
    );
    return found['status'] as PoolStatus;
  }

  /** All of them, also those that end. */
  pods(): Promise<readonly KubeObject[]> {
    return this.#kubectl.list('pods', this.namespace, `agentpool.dev/pool=${this.name}`);
  }

  /** Those that are to stay. */
  async livePods(): Promise<readonly KubeObject[]> {
    return (await this.pods()).filter(
      ({ metadata }) => metadata['deletionTimestamp'] === undefined,
    );
  }

  /** Exactly so many pods, all ready, and none that is ending. */
  async untilPods(count: number): Promise<readonly KubeObject[]> {
    const what = `${this.name} has ${count} pods, all ready`;
    return until(
      what,
      async () => {
        const pods = await this.pods();
        return pods.length === count && pods.every(isReady) && pods;
      },
      READY_WITHIN_MS,
    );
  }

  /** Those pods, and no others: nothing took one away. */
  async untilStill(before: readonly KubeObject[]): Promise<void> {
    const now = namesOf(await this.untilPods(before.length));
    const were = namesOf(before);
    if (now.join() !== were.join())
      throw new Error(`${now.join()} instead of ${were.join()}\n${await this.#story()}`);
  }

  /** What the API server and the operators say of it. */
  async #story(): Promise<string> {
    const columns =
      'AT:.metadata.creationTimestamp,OF:.involvedObject.name,WHY:.reason,WHAT:.message';
    const all = ['-n', this.namespace];
    const logs = ['-n', RELEASE, '-l', 'app.kubernetes.io/component=operator', '--tail=300'];
    const said = await Promise.all([
      this.#kubectl.run(['get', 'pods', ...all, '-o', 'wide']),
      this.#kubectl.run(['get', 'events', ...all, '-o', `custom-columns=${columns}`]),
      this.#kubectl.run(['logs', ...logs]),
    ]);
    return said.join('\n');
  }

  /** Names of all Secrets, budgets and policies in its namespace. */
  async belongings(): Promise<readonly string[]> {
    const kinds = 'secrets,poddisruptionbudgets,networkpolicies';
    const found = await this.#kubectl.list(kinds, this.namespace);
    return found.map(({ kind, metadata }) => `${kind} ${metadata.name}`).toSorted();
  }

  async remove(): Promise<void> {
    const target = ['agentpool', this.name, '-n', this.namespace];
    await this.#kubectl.run(['delete', ...target, '--timeout=50s', '--ignore-not-found']);
    await this.#home.remove();
  }
}

export const namesOf = (pods: readonly KubeObject[]): readonly string[] =>
  pods.map(({ metadata }) => metadata.name).toSorted();

function conditionOf({ conditions = [] }: PoolStatus, type: string): Condition | undefined {
  return conditions.find((one) => one.type === type);
}

/** What every pool with runtimes has. */
export function expectBelongings(found: readonly string[], name: string): void {
  expect(found).toEqual([
    `NetworkPolicy ${name}-runtimes`,
    `PodDisruptionBudget ${name}-dedicated`,
    `PodDisruptionBudget ${name}-shared`,
    `Secret ${name}-agentpool-runtime`,
  ]);
}
