/**
 * An installation as Kubernetes would make it, without Kubernetes: Redis, an internal certificate authority, folders of mounted
 * Secrets, runtimes and gateways as plain processes on loopback. The test is the operator: it publishes the pool.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, readFileSync } from 'node:fs';
import type { AgentPoolSpecInput } from '../../api/agent-pool.ts';
import { systemClock } from '../../platform/clock.ts';
import { createLog } from '../../platform/log.ts';
import { systemRandom } from '../../platform/random.ts';
import { openRedisStore, type RedisStore } from '../../platform/store/redis/redis-store.ts';
import type { RuntimeRecord } from '../../platform/store/store.ts';
import { GATEWAY_IDENTITY, runtimeIdentity } from '../../platform/tls/identities.ts';
import type { KeyPairPem } from '../../platform/tls/issue-certificate.ts';
import { poolRuntimeKey } from '../../platform/tls/pool-key.ts';
import { issueFor, makeAuthority, tlsFiles, writeSecret } from '../builders/certificates.ts';
import { spec } from '../builders/pool-builders.ts';
import { freePort, RedisServer } from './redis-server.ts';
import { BIN } from './server.ts';
import { until } from './until.ts';
import { AGENTS, createWorkspace, type Workspace } from './workspace.ts';

export const POOL = 'default~main';
export const INSTALLATION_KEY = 'an installation key for tests, long enough';
const REVISION = 'r1';
const WIDE = { memoryMb: 128, maxConcurrentRequests: 100, requestsPerMinute: 1_000_000 };

/** What an agent sees of the pod around it. */
const LOOK = `export default [
  {
    name: 'look',
    process: (_task: unknown, context: { readonly secrets: object }) => ({
      secrets: context.secrets,
      variables: Object.keys(process.env).filter((name) => name.startsWith('AGENTPOOL_')),
    }),
  },
`;

export interface PodProcess {
  readonly name: string;
  readonly port: number;
  readonly probePort: number;
  readonly metricsPort: number;
  readonly child: ChildProcess;
  stderr(): string;
  lastWords(): string;
  exited(): Promise<number | null>;
}

export class Installation {
  readonly workspace: Workspace = createWorkspace();
  readonly redis: RedisServer;
  readonly store: RedisStore;
  authority: KeyPairPem = makeAuthority('internal');
  readonly #children = new Set<ChildProcess>();

  private constructor(redis: RedisServer, store: RedisStore) {
    this.redis = redis;
    this.store = store;
  }

  static async start(): Promise<Installation> {
    const redis = await RedisServer.start();
    const store = await openRedisStore({
      access: { url: redis.url },
      clock: systemClock,
      random: systemRandom,
      log: createLog('silent', 'test'),
    });
    const installation = new Installation(redis, store);
    installation.workspace.write('agents/agents.ts', AGENTS.replace('export default [', LOOK));
    writeSecret(installation.folder('store'), { url: redis.url });
    await installation.writeLink();
    await installation.writeRuntimeSecret();
    return installation;
  }

  folder(name: string): string {
    return this.workspace.path(name);
  }

  /** What a gateway is inside; another `authority` or `key` makes a stranger of it. */
  async writeLink(
    name = 'link',
    over: { readonly authority?: KeyPairPem; readonly key?: string } = {},
  ): Promise<string> {
    const authority = over.authority ?? this.authority;
    const pair = await issueFor(authority, GATEWAY_IDENTITY);
    return writeSecret(this.folder(name), {
      ...tlsFiles(pair),
      // It trusts our runtimes, whatever they think of it.
      'ca.crt': [...new Set([authority, this.authority])]
        .map(({ certificate }) => certificate)
        .join(''),
      key: over.key ?? INSTALLATION_KEY,
    });
  }

  /** What the operator gives the pool's runtimes. */
  async writeRuntimeSecret(name = 'runtime-secret'): Promise<string> {
    const pair = await issueFor(this.authority, runtimeIdentity(POOL));
    return writeSecret(this.folder(name), {
      ...tlsFiles(pair, this.authority),
      key: poolRuntimeKey(INSTALLATION_KEY, POOL),
      'store-url': this.redis.url,
    });
  }

  async publish(input: AgentPoolSpecInput = {}): Promise<void> {
    const tiers = { hot: { quota: WIDE }, warm: { quota: WIDE }, cold: { quota: WIDE } };
    await this.store.putPool({
      key: POOL,
      generation: 1,
      spec: spec({ tiers, ...input }),
      status: { conditions: [], tiers: [] },
      revision: REVISION,
    });
  }

  /** As the kubelet starts a container: environment, folders, nothing on standard input. */
  async startRuntime(
    name: string,
    over: {
      readonly env?: Readonly<Record<string, string>>;
      readonly port?: number;
      readonly secret?: string;
    } = {},
  ): Promise<PodProcess> {
    const [port, probePort, metricsPort] = [
      over.port ?? (await freePort()),
      await freePort(),
      await freePort(),
    ];
    const work = this.folder(`run-${name}`);
    mkdirSync(work, { recursive: true });
    const lastWords = this.folder(`last-words-${name}`);
    const child = spawn(
      process.execPath,
      [BIN, 'runtime', '--secret', over.secret ?? this.folder('runtime-secret'), '--work', work]
        .concat(['--tenants', this.folder('tenants')])
        .concat(['--last-words', lastWords, '--port', `${port}`])
        .concat(['--probe-port', `${probePort}`, '--metrics-port', `${metricsPort}`]),
      {
        cwd: this.folder('agents'),
        stdio: ['ignore', 'ignore', 'pipe'],
        env: {
          PATH: process.env['PATH'] ?? '',
          AGENTPOOL_NAMESPACE: 'default',
          AGENTPOOL_POOL: 'main',
          AGENTPOOL_ROLE: 'shared',
          AGENTPOOL_REVISION: REVISION,
          AGENTPOOL_MODULE: './agents.ts',
          AGENTPOOL_RUNTIME: name,
          AGENTPOOL_POD_IP: '127.0.0.1',
          ...over.env,
        },
      },
    );
    this.#children.add(child);
    let stderr = '';
    child.stderr.setEncoding('utf8').on('data', (text: string) => (stderr += text));
    return {
      name,
      port,
      probePort,
      metricsPort,
      child,
      stderr: () => stderr,
      lastWords: () => readFileSync(lastWords, 'utf8'),
      async exited() {
        if (child.exitCode === null && child.signalCode === null) await once(child, 'exit');
        return child.exitCode;
      },
    };
  }

  /** Resolves with what it says of itself once it serves. */
  async serving(runtime: PodProcess): Promise<RuntimeRecord> {
    const { name, child } = runtime;
    const record = async () => {
      if (child.exitCode !== null) throw new Error(`it ended:\n${runtime.stderr()}`);
      const all = await this.store.listRuntimes();
      return all.find((one) => one.name === name && one.ready);
    };
    return until(`the runtime ${name} serves`, record, 30_000);
  }

  async stop(): Promise<void> {
    for (const child of this.#children) child.kill('SIGKILL');
    await this.store.close();
    await this.redis.stop();
    this.workspace.remove();
  }
}
