/**
 * Operators as real processes on a real API server and Redis, without nodes: the test plays the kubelet (statuses of pods) and the
 * runtimes (their records in the store). Everything is taken away by `stop`.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { systemClock } from '../../platform/clock.ts';
import { createLog } from '../../platform/log.ts';
import { systemRandom } from '../../platform/random.ts';
import { openRedisStore, type RedisStore } from '../../platform/store/redis/redis-store.ts';
import { OPERATOR_IDENTITY } from '../../platform/tls/identities.ts';
import { issueFor, makeAuthority, tlsFiles, writeSecret } from '../builders/certificates.ts';
import { type ApiServer, type ApiServerOptions, startApiServer } from '../cluster/api-server.ts';
import type { KubeObject } from '../cluster/control/kubectl.ts';
import { RedisServer } from '../e2e/redis-server.ts';
import { BIN } from '../e2e/server.ts';
import { until } from '../e2e/until.ts';
import { createWorkspace, type Workspace } from '../e2e/workspace.ts';

/** On a busy machine. */
const PODS_WITHIN_MS = 40_000;
const START_WITHIN_MS = 30_000;
const LOG_CHARACTERS = 4_000;
const ROOT = fileURLToPath(new URL('../..', import.meta.url));
export const RELEASE_NAMESPACE = 'agentpool';
export const OPERATOR_USER = 'system:serviceaccount:agentpool:agentpool-operator';
export interface StartOptions {
  readonly bin?: string;
  /** Of another user than the operator's own. */
  readonly kubeconfig?: string;
}

const LEASE_TTL_MS = 10 * 60_000;

export interface OperatorProcess {
  readonly child: ChildProcess;
  /** `http://127.0.0.1:12345`. */
  readonly url: string;
  log(): string;
  signal(name: NodeJS.Signals): void;
  /** Resolves when it is gone. */
  end(name?: NodeJS.Signals): Promise<number | null>;
}

export class ClusterOperators {
  readonly api: ApiServer;
  readonly redis: RedisServer;
  readonly store: RedisStore;
  readonly workspace: Workspace = createWorkspace();
  /** A file: of the operator. */
  readonly kubeconfig: string;
  readonly #operators = new Set<OperatorProcess>();

  private constructor(api: ApiServer, redis: RedisServer, store: RedisStore, kubeconfig: string) {
    this.api = api;
    this.redis = redis;
    this.store = store;
    this.kubeconfig = kubeconfig;
  }

  static async start(options: ApiServerOptions = {}): Promise<ClusterOperators> {
    const api = await startApiServer(options);
    const { kubectl } = api;
    await kubectl.run(['apply', '-k', `${ROOT}manifests`]);
    await kubectl.run(['wait', 'crd/agentpools.agentpool.dev', '--for=condition=Established']);
    const redis = await RedisServer.start();
    const store = await openRedisStore({
      access: { url: redis.url },
      clock: systemClock,
      random: systemRandom,
      log: createLog('silent', 'test'),
    });
    const kubeconfig = await api.kubeconfigFor('operator', { user: OPERATOR_USER });
    const world = new ClusterOperators(api, redis, store, kubeconfig);
    await world.#writeSecrets();
    return world;
  }

  async stop(): Promise<void> {
    await Promise.all([...this.#operators].map((one) => one.end('SIGKILL')));
    await this.store.close();
    await this.redis.stop();
    await this.api.stop();
    this.workspace.remove();
  }

  async startOperator(
    name = 'operator-0',
    more: readonly string[] = [],
    { bin = BIN, kubeconfig = this.kubeconfig }: StartOptions = {},
  ): Promise<OperatorProcess> {
    const folder = (what: string): string => this.workspace.path(what);
    const args = ['--store', folder('store'), '--link', folder('link'), '--link-ca', folder('ca')];
    const child = spawn(
      process.execPath,
      [
        bin,
        'operator',
        ...args,
        '--http',
        '127.0.0.1:0',
        '--runtime-image',
        'agents:default',
        ...more,
      ],
      {
        env: {
          ...process.env,
          KUBECONFIG: kubeconfig,
          POD_NAME: name,
          POD_NAMESPACE: RELEASE_NAMESPACE,
        },
        stdio: ['ignore', 'pipe', 'pipe'],
      },
    );
    let output = '';
    let log = '';
    child.stdout.on('data', (chunk: Buffer) => (output += chunk.toString()));
    child.stderr.on('data', (chunk: Buffer) => (log += chunk.toString()));
    const isGone = (): boolean => child.exitCode !== null || child.signalCode !== null;
    const end = async (signal: NodeJS.Signals = 'SIGTERM'): Promise<number | null> => {
      if (!isGone()) {
        const gone = once(child, 'exit');
        if (signal === 'SIGKILL') child.kill('SIGCONT');
        child.kill(signal);
        await gone;
      }
      return child.exitCode;
    };
    const address = await until(
      'the operator says its address',
      () => {
        if (isGone()) throw new Error(`the operator ended: ${log}`);
        return /HTTP (\S+)/.exec(output)?.[1];
      },
      START_WITHIN_MS,
    );
    const operator: OperatorProcess = {
      child,
      url: `http://${address}`,
      log: () => log,
      signal: (signal) => void child.kill(signal),
      end,
    };
    this.#operators.add(operator);
    return operator;
  }

  /** A kubeconfig file of a user who may do what the operator may, and whom the audit log tells apart from others. */
  async operatorUser(name: string): Promise<string> {
    const { kubectl } = this.api;
    const user = `--user=${name}`;
    const role = ['--clusterrole=agentpool-operator', user];
    await kubectl.run(['create', 'clusterrolebinding', name, ...role]);
    const own = ['-n', RELEASE_NAMESPACE, '--role=agentpool-operator', user];
    await kubectl.run(['create', 'rolebinding', name, ...own]);
    const groups = [`system:serviceaccounts:${RELEASE_NAMESPACE}`];
    return this.api.kubeconfigFor(name, { user: name, groups });
  }

  /** Pods of a pool that are not being deleted, by name. */
  async pods(pool: string, namespace = 'default'): Promise<readonly KubeObject[]> {
    const pods = await this.api.kubectl.list('pods', namespace, `agentpool.dev/pool=${pool}`);
    return pods.filter(({ metadata }) => metadata['deletionTimestamp'] === undefined);
  }

  /** Resolves with so many pods of the pool; rejects with what there is instead, and what the operators said last. */
  async untilPods(pool: string, count: number): Promise<readonly KubeObject[]> {
    let found: readonly KubeObject[] = [];
    const asked = async () => {
      found = await this.pods(pool);
      return found.length === count ? found : undefined;
    };
    try {
      return await until(`${count} pods of ${pool}`, asked, PODS_WITHIN_MS);
    } catch (error) {
      const logs = [...this.#operators].map((one) => one.log().slice(-LOG_CHARACTERS));
      throw new Error(`${String(error)}; there are ${found.length}. ${logs.join('\n')}`, {
        cause: error,
      });
    }
  }

  /**
   * What the kubelet and the runtime itself would say once it serves.
   * @param bound the project that the runtime says it has taken.
   */
  async serve(pod: KubeObject, bound?: string): Promise<void> {
    const { name, namespace = 'default', labels = {} } = pod.metadata;
    await this.setStatus(pod, {
      phase: 'Running',
      podIP: '10.0.0.1',
      podIPs: [{ ip: '10.0.0.1' }],
      conditions: [
        { type: 'Ready', status: 'True' },
        { type: 'ContainersReady', status: 'True' },
      ],
      containerStatuses: [
        {
          name: 'runtime',
          image: 'i',
          imageID: 'i',
          ready: true,
          restartCount: 0,
          state: { running: {} },
        },
      ],
    });
    await this.store.heartbeat(
      {
        incarnation: `${name}.test`,
        name,
        pool: `${namespace}~${labels['agentpool.dev/pool']}`,
        address: '10.0.0.1:50051',
        role: labels['agentpool.dev/role'] === 'dedicated' ? 'dedicated' : 'shared',
        revision: labels['agentpool.dev/revision'] ?? '',
        protocolMin: 1,
        protocolMax: 1,
        maxConcurrentTasks: 10,
        agents: [],
        ready: true,
        draining: false,
        instances: { HOT: 0, WARM: 0, COLD: 0 },
        blanks: 0,
        ...(bound === undefined ? {} : { bound }),
      },
      LEASE_TTL_MS,
    );
  }

  async setStatus({ metadata }: KubeObject, status: object): Promise<void> {
    const { name, namespace = 'default' } = metadata;
    const patch = JSON.stringify({ status });
    await this.api.kubectl.run([
      ...['patch', 'pod', name, '-n', namespace],
      ...['--subresource=status', '--type=merge', '-p', patch],
    ]);
  }

  async #writeSecrets(): Promise<void> {
    const authority = makeAuthority('internal');
    const pair = await issueFor(authority, OPERATOR_IDENTITY);
    const key = 'an installation key for tests, long enough';
    writeSecret(this.workspace.path('store'), { url: this.redis.url });
    writeSecret(this.workspace.path('link'), { ...tlsFiles(pair, authority), key });
    writeSecret(this.workspace.path('ca'), {
      'tls.crt': authority.certificate,
      'tls.key': authority.key,
    });
  }
}
