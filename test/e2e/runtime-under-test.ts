/** One real runtime process, bundled as in production, with a store and a link of the test's own: no operator, no gateway. */
import { spawn, type ChildProcessWithoutNullStreams } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { agentPoolSpecSchema, type AgentPoolSpecInput } from '../../api/agent-pool.ts';
import { bundleAgentModule } from '../../platform/bundle/bundle-agent-module.ts';
import { bundleRuntime } from '../../platform/bundle/bundle-runtime.ts';
import { systemClock } from '../../platform/clock.ts';
import type { TaskHeader } from '../../platform/link/frames.ts';
import { createGrpcDial } from '../../platform/link/grpc-link-dial.ts';
import { connectRuntimeControl } from '../../platform/link/grpc-runtime-control.ts';
import { createRuntimeLink } from '../../platform/link/link-client.ts';
import { LINK_TIMES } from '../../platform/link/link-limits.ts';
import type { RuntimeLink } from '../../platform/link/task-link.ts';
import { silentLog } from '../../platform/log.ts';
import { systemRandom } from '../../platform/random.ts';
import { MemoryStore } from '../../platform/store/memory-store.ts';
import { StoreServer } from '../../platform/store/store-server.ts';
import { TaskRecorder, type TaskEnd } from '../fakes/task-recorder.ts';
import { until } from './until.ts';

const ROOT = fileURLToPath(new URL('../..', import.meta.url));
const KEY = 'key-of-the-pool';
const TOKEN = 'token-of-the-store';
const POOL = 'default~main';
const INCARNATION = 'runtime-1';
export const PROJECT = `${POOL}~acme~one`;

export interface RuntimeOptions {
  /** Source of the agent module. */
  readonly agents: string;
  readonly spec?: AgentPoolSpecInput;
  readonly role?: 'shared' | 'dedicated';
}

/** The world around the process; `close` ends all of it. */
export class RuntimeUnderTest {
  readonly store = new MemoryStore(systemClock);
  readonly #folder: string;
  readonly #server: StoreServer;
  readonly #child: ChildProcessWithoutNullStreams;
  readonly #exited: Promise<unknown>;
  #link: RuntimeLink | undefined;
  stdout = '';
  stderr = '';

  private constructor(
    world: { readonly folder: string; readonly server: StoreServer; readonly store: MemoryStore },
    child: ChildProcessWithoutNullStreams,
  ) {
    this.#folder = world.folder;
    this.#server = world.server;
    this.store = world.store;
    this.#child = child;
    this.#exited = once(child, 'exit');
    child.stdout.on('data', (bytes: Buffer) => (this.stdout += bytes.toString()));
    child.stderr.on('data', (bytes: Buffer) => (this.stderr += bytes.toString()));
  }

  static async start(options: RuntimeOptions): Promise<RuntimeUnderTest> {
    const folder = await mkdtemp(join(tmpdir(), 'apr-'));
    const store = new MemoryStore(systemClock);
    const spec = agentPoolSpecSchema.parse(options.spec ?? {});
    await store.putPool({ key: POOL, generation: 1, spec, status: undefined, revision: 'rev1' });
    const storePath = join(folder, 'store', 's.sock');
    const access = (token: string): string | undefined => (token === TOKEN ? POOL : undefined);
    const server = await StoreServer.listen(storePath, {
      store,
      access,
      clock: systemClock,
      log: silentLog,
    });
    await writeFile(join(folder, 'agents.ts'), options.agents);
    const module = await bundleAgentModule({
      module: './agents.ts',
      from: folder,
      outFolder: folder,
    });
    const { runtime = '', worker = '' } = await bundleRuntime({
      root: ROOT,
      entries: { runtime: 'agent-runtime/main.ts', worker: 'agent-runtime/worker/entry.ts' },
      minify: false,
      cacheFolder: join(ROOT, 'node_modules', '.cache', 'agentpool'),
    });
    const child = spawn(process.execPath, [runtime], {
      detached: true,
      env: { PATH: '/usr/bin:/bin' },
    });
    const launch = {
      namespace: 'default',
      pool: 'main',
      incarnation: INCARNATION,
      role: options.role ?? 'shared',
      revision: 'rev1',
      listen: `unix:${join(folder, 'r.sock')}`,
      key: KEY,
      store: { path: storePath, token: TOKEN },
      modulePath: module.file,
      logLevel: 'info',
      workerPath: worker,
    };
    child.stdin.write(`${JSON.stringify(launch)}\n`);
    return new RuntimeUnderTest({ folder, server, store }, child);
  }

  get address(): string {
    return `unix:${join(this.#folder, 'r.sock')}`;
  }

  get pid(): number {
    return this.#child.pid ?? 0;
  }

  /** Resolves when the process has said so in the store. */
  async ready(): Promise<void> {
    await until('the runtime is ready', async () => {
      if (this.#child.exitCode !== null)
        throw new Error(`it has ended: ${this.stdout}${this.stderr}`);
      const [record] = await this.store.listRuntimes();
      return record?.ready === true;
    });
    this.#link = createRuntimeLink(
      { gateway: 'test', incarnation: INCARNATION, address: this.address, times: LINK_TIMES },
      {
        dial: createGrpcDial({ key: KEY }, systemRandom),
        clock: systemClock,
        random: systemRandom,
        events: SILENT,
      },
    );
    await until('the link is open', () => this.#link?.state === 'ready');
  }

  /** Runs one task to its end. */
  async run(
    requestId: string,
    input: string,
    header: Partial<TaskHeader> = {},
  ): Promise<TaskEnd & { readonly text: string; readonly chunks: number }> {
    const recorder = this.begin(requestId, input, header);
    const end = await recorder.done;
    const text = end.type === 'finished' ? new TextDecoder().decode(end.body) : '';
    return { ...end, text, chunks: recorder.chunks.length };
  }

  begin(requestId: string, input: string, header: Partial<TaskHeader> = {}): TaskRecorder {
    const recorder = new TaskRecorder();
    const task: TaskHeader = {
      project: PROJECT,
      requestId,
      agent: '',
      conversationId: 'c1',
      newConversation: false,
      attempt: 1,
      priority: 'NORMAL',
      remainingMs: 20_000,
      queueMs: 10_000,
      queuedMs: 0,
      metadata: {},
      principal: { subject: 'tester', role: 'caller' },
      arm: 'text',
      digest: input,
      stream: true,
      onDisconnect: 'CANCEL',
      ...header,
    };
    recorder.task = this.#link?.run(task, new TextEncoder().encode(input), recorder);
    return recorder;
  }

  call(request: Parameters<RuntimeLink['call']>[0]): Promise<unknown> {
    return this.#link?.call(request, 20_000) ?? Promise.reject(new Error('no link'));
  }

  bind(project: string): Promise<void> {
    const control = connectRuntimeControl({ address: this.address, key: KEY }, systemClock);
    return control.bind(project, 5_000).finally(() => control.close());
  }

  signal(signal: NodeJS.Signals): void {
    this.#child.kill(signal);
  }

  /** What happens when the parent dies: the pipe closes. */
  closeStdin(): void {
    this.#child.stdin.end();
  }

  async exit(): Promise<{ readonly code: number | null; readonly signal: string | null }> {
    await this.#exited;
    return { code: this.#child.exitCode, signal: this.#child.signalCode };
  }

  async close(): Promise<void> {
    this.#link?.close();
    this.#child.kill('SIGKILL');
    await this.#exited;
    await this.#server.close();
    await this.store.close();
    await rm(this.#folder, { recursive: true, force: true });
  }
}

const SILENT = {
  stateChanged: (): void => undefined,
  creditChanged: (): void => undefined,
  moved: (): void => undefined,
  draining: (): void => undefined,
};
