/** Runtimes as child processes of this one. Enforces no memory limit of a whole runtime; leaves no process behind. */
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { plainVariables } from '../../../api/cluster-fields.ts';
import type { PoolKey, ProjectKey } from '../../../core/identifiers.ts';
import type { Clock } from '../../../platform/clock.ts';
import type { ControlTarget, RuntimeControl } from '../../../platform/link/grpc-runtime-control.ts';
import type { Log } from '../../../platform/log.ts';
import type {
  Driver,
  DrivenRuntime,
  RuntimeName,
  RuntimeRef,
  RuntimeRequest,
} from '../../pool/driver.ts';
import { childEnvironment } from './child-environment.ts';
import { launchLine, type RuntimeAccess } from './launch.ts';
import type { LivenessLimits } from './liveness.ts';
import { PidFiles } from './pid-files.ts';
import { reap } from './reap.ts';
import { startRuntime, type RunningRuntime } from './running-runtime.ts';

export interface ProcessDriverOptions {
  /** For notes about children; survives this process. */
  readonly dataFolder: string;
  /** For the runtimes' sockets: short (a socket's path has 100 bytes at most), readable by this user only. */
  readonly socketFolder: string;
  /** The bundled runtime program, and what node is told before it. */
  readonly program: { readonly path: string; readonly nodeArgs: readonly string[] };
  readonly workerPath?: string;
  readonly access: (pool: PoolKey) => RuntimeAccess;
  readonly connect: (target: ControlTarget) => RuntimeControl;
  /** The parent's environment; children get the few variables that any program needs. */
  readonly environment: Readonly<Record<string, string | undefined>>;
  readonly logLevel: string;
  /** What children print, line by line. */
  readonly onLine: (line: string, runtime: RuntimeName) => void;
  readonly liveness: LivenessLimits;
  readonly clock: Clock;
  readonly log: Log;
}

export interface ProcessDriver extends Driver {
  /** Drains all children, kills those that have not ended within `graceMs`, resolves when none is left. */
  stop(graceMs: number): Promise<void>;
}

const BIND_TIMEOUT_MS = 5_000;
const SOCKET_BYTES_MAX = 100;

/** First ends what an earlier process left behind: until then nothing of its may be claimed. */
export async function startProcessDriver(options: ProcessDriverOptions): Promise<ProcessDriver> {
  const files = new PidFiles(join(options.dataFolder, 'runtimes'));
  mkdirSync(options.socketFolder, { recursive: true, mode: 0o700 });
  await reap(files, options.clock, options.log);
  return new ChildProcesses(options, files);
}

class ChildProcesses implements ProcessDriver {
  readonly kind = 'process';
  readonly enforces = { hotLimits: false };
  readonly #options: ProcessDriverOptions;
  readonly #files: PidFiles;
  readonly #runtimes = new Map<RuntimeName, RunningRuntime>();
  readonly #watchers = new Set<(pool: PoolKey) => void>();
  readonly #goneWaiters = new Set<() => void>();
  #isStopping = false;

  constructor(options: ProcessDriverOptions, files: PidFiles) {
    this.#options = options;
    this.#files = files;
  }

  async create(request: RuntimeRequest): Promise<void> {
    if (this.#isStopping) throw new Error('the driver stops, no runtime is started any more');
    if (this.#runtimes.has(request.name)) return;
    const { program, workerPath, access, environment, logLevel, clock, onLine } = this.#options;
    const socket = this.#socketOf(request.name);
    const { key } = access(request.pool);
    const listen = `unix:${socket}`;
    const runtime = startRuntime(
      {
        request,
        socket,
        start: {
          command: process.execPath,
          args: [...program.nodeArgs, program.path],
          env: childEnvironment(environment, plainVariables(request.template.spec)),
          input: launchLine({
            request,
            access: access(request.pool),
            listen,
            logLevel,
            ...(workerPath === undefined ? {} : { workerPath }),
          }),
        },
        files: this.#files,
        control: this.#options.connect({ address: listen, key }),
        liveness: this.#options.liveness,
      },
      {
        changed: () => this.#changed(request.pool),
        line: (line) => onLine(line, request.name),
        forgotten: () => this.#forget(request.name),
      },
      clock,
    );
    this.#runtimes.set(request.name, runtime);
    this.#changed(request.pool);
  }

  async bind({ name }: RuntimeRef, project: ProjectKey): Promise<void> {
    const runtime = this.#runtimes.get(name);
    if (runtime === undefined) throw new Error(`there is no runtime ${name} to bind`);
    await runtime.bind(project, BIND_TIMEOUT_MS);
  }

  async drain({ name }: RuntimeRef, withinMs: number): Promise<void> {
    this.#runtimes.get(name)?.drain(withinMs);
  }

  async remove({ name }: RuntimeRef): Promise<void> {
    this.#runtimes.get(name)?.remove();
  }

  async list(pool: PoolKey): Promise<readonly DrivenRuntime[]> {
    return [...this.#runtimes.values()].map((one) => one.view()).filter((one) => one.pool === pool);
  }

  async listPools(): Promise<readonly PoolKey[]> {
    return [...new Set([...this.#runtimes.values()].map((one) => one.view().pool))];
  }

  watch(onChange: (pool: PoolKey) => void): () => void {
    this.#watchers.add(onChange);
    return () => this.#watchers.delete(onChange);
  }

  async stop(graceMs: number): Promise<void> {
    this.#isStopping = true;
    for (const runtime of this.#runtimes.values()) runtime.drain(graceMs);
    for (;;) {
      for (const runtime of [...this.#runtimes.values()])
        if (runtime.view().phase.at === 'exited') runtime.remove();
      if (this.#runtimes.size === 0) return;
      await new Promise<void>((resolve) => this.#goneWaiters.add(resolve));
    }
  }

  #changed(pool: PoolKey): void {
    for (const watcher of this.#watchers) watcher(pool);
    for (const waiter of this.#goneWaiters) waiter();
    this.#goneWaiters.clear();
  }

  #forget(name: RuntimeName): void {
    const pool = this.#runtimes.get(name)?.view().pool;
    this.#runtimes.delete(name);
    if (pool !== undefined) this.#changed(pool);
  }

  /** Names are long and paths are bounded: the random end of the name tells it from all others. */
  #socketOf(name: RuntimeName): string {
    const path = join(this.#options.socketFolder, `${name.slice(name.lastIndexOf('-') + 1)}.sock`);
    if (Buffer.byteLength(path) > SOCKET_BYTES_MAX)
      throw new Error(`the path of a socket is too long: ${path}; use a shorter folder`);
    return path;
  }
}
