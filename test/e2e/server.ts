/**
 * Starts the real command in processes of its own, reads the addresses that it prints, and proves on the way out that nothing is
 * left. End-to-end tests, kill runs and benchmarks use it; it knows nothing of what the server does inside.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { ProcessFamily, type ProcessView } from './process-family.ts';
import { until } from './until.ts';

export const REPOSITORY = fileURLToPath(new URL('../..', import.meta.url));
export const BIN = `${REPOSITORY}cli/agentpool.js`;

const OUTPUT_CHARACTERS_MAX = 1_000_000;
/** Of a start on a busy machine. */
const READY_WITHIN_MS = 60_000;
const STOP_WITHIN_MS = 40_000;
const GONE_WITHIN_MS = 5_000;

export interface Exit {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
}

export interface StartOptions {
  /** Beyond those of the server's kind. */
  readonly args?: readonly string[];
  readonly env?: Readonly<Record<string, string>>;
  readonly cwd?: string;
  /** Another one than the checkout's. */
  readonly bin?: string;
  readonly readyWithinMs?: number;
}

export interface Server {
  readonly pid: number;
  /** `http://127.0.0.1:12345`; empty when it serves no HTTP. */
  readonly http: string;
  /** `127.0.0.1:12345`; empty when it serves no gRPC. */
  readonly grpc: string;
  readonly data: string;
  /** From the start of the process to the line that says that it is ready. */
  readonly readyMs: number;
  readonly exited: Promise<Exit>;
  /** The last million characters. */
  stdout(): string;
  stderr(): string;
  /** Living processes that it started (runtimes and what is around them), orphans included. */
  children(): readonly ProcessView[];
  signal(name: NodeJS.Signals): void;
  /** SIGTERM; resolves when it and all that it started are gone, and fails when something stays. */
  stop(): Promise<Exit>;
  /** SIGKILL for the server alone: what becomes of its children is for the caller to look at. */
  kill(): Promise<Exit>;
  /** SIGKILL for it and everything that it started; never fails. */
  destroy(): Promise<void>;
}

const running = new Set<Server>();

/** `agentpool standalone` on free ports. */
export function startStandalone(
  place: { readonly manifests: readonly string[]; readonly data: string },
  options: StartOptions = {},
): Promise<Server> {
  const files = place.manifests.flatMap((file) => ['-f', file]);
  return start(['standalone', ...files, '--data', place.data, ...FREE_PORTS], place.data, options);
}

/** `agentpool dev`: a module without a manifest. */
export function startDev(
  module: string,
  data: string,
  options: StartOptions = {},
): Promise<Server> {
  return start(['dev', module, '--data', data, ...FREE_PORTS], data, options);
}

/** `agentpool gateway`: another gateway on the data folder of a running server. */
export function startGateway(data: string, options: StartOptions = {}): Promise<Server> {
  return start(['gateway', '--data', data, ...FREE_PORTS], data, options);
}

/** `agentpool gateway` in a cluster: `args` name the folders of its Secrets. */
export function startClusterGateway(
  args: readonly string[],
  options: StartOptions = {},
): Promise<Server> {
  return start(['gateway', ...args, ...FREE_PORTS], '', options);
}

const FREE_PORTS = ['--http', '0', '--grpc', '0'];

/** For `afterEach`: ends whatever a failed test left running. */
export async function destroyAll(): Promise<void> {
  await Promise.all([...running].map((server) => server.destroy()));
}

export interface Finished extends Exit {
  readonly stdout: string;
  readonly stderr: string;
  readonly ms: number;
}

/** Runs a command to its end, killed when it takes longer than `withinMs`. */
export async function runAgentpool(
  args: readonly string[],
  options: Omit<StartOptions, 'args' | 'readyWithinMs'> & {
    readonly input?: string;
    readonly withinMs?: number;
  } = {},
): Promise<Finished> {
  const startedMs = performance.now();
  const child = spawnBin(args, options);
  const output = collect(child);
  child.stdin?.end(options.input ?? '');
  const timer = setTimeout(() => child.kill('SIGKILL'), options.withinMs ?? READY_WITHIN_MS);
  const exit = await exitOf(child);
  clearTimeout(timer);
  const ms = performance.now() - startedMs;
  return { ...exit, stdout: output.stdout(), stderr: output.stderr(), ms };
}

function spawnBin(
  args: readonly string[],
  { env, cwd, bin = BIN }: Pick<StartOptions, 'env' | 'cwd' | 'bin'>,
): ChildProcess {
  return spawn(process.execPath, [bin, ...args], {
    cwd: cwd ?? REPOSITORY,
    env: { PATH: process.env['PATH'] ?? '', HOME: process.env['HOME'] ?? '/', ...env },
    stdio: 'pipe',
    // A session of its own marks its descendants, and keeps a Ctrl-C of the terminal away from them.
    detached: true,
  });
}

interface Output {
  stdout(): string;
  stderr(): string;
}

function collect(child: ChildProcess): Output {
  let stdout = '';
  let stderr = '';
  child.stdout?.setEncoding('utf8').on('data', (text: string) => {
    stdout = (stdout + text).slice(-OUTPUT_CHARACTERS_MAX);
  });
  child.stderr?.setEncoding('utf8').on('data', (text: string) => {
    stderr = (stderr + text).slice(-OUTPUT_CHARACTERS_MAX);
  });
  return { stdout: () => stdout, stderr: () => stderr };
}

function exitOf(child: ChildProcess): Promise<Exit> {
  return new Promise((resolve, reject) => {
    child.once('error', reject);
    child.once('close', (code, signal) => {
      resolve({ code, signal });
    });
  });
}

async function start(
  args: readonly string[],
  data: string,
  options: StartOptions,
): Promise<Server> {
  const startedMs = performance.now();
  const child = spawnBin([...args, ...(options.args ?? [])], options);
  const pid = child.pid ?? -1;
  const output = collect(child);
  const family = new ProcessFamily(pid);
  // `exit`, not `close`: an orphan that holds the pipes must not look like a living server.
  const exited = new Promise<Exit>((resolve) => {
    child.once('exit', (code, signal) => {
      resolve({ code, signal });
    });
  });
  let exit: Exit | undefined;
  void exited.then((how) => {
    exit = how;
  });
  const isReady = (): boolean => {
    if (exit !== undefined) return true;
    return /^AgentPool .*\bready\b/m.test(output.stdout());
  };
  const server = serverOn({ child, pid, family, output, exited, data, startedMs });
  running.add(server);
  await until('the server is ready', isReady, options.readyWithinMs ?? READY_WITHIN_MS).catch(
    async (error: unknown) => {
      await server.destroy();
      throw new Error(`the server is not ready:\n${output.stdout()}${output.stderr()}`, {
        cause: error,
      });
    },
  );
  if (exit === undefined) {
    family.look();
    const readyMs = performance.now() - startedMs;
    return Object.assign(server, { readyMs, ...addressesIn(output.stdout()) });
  }
  running.delete(server);
  throw new Error(
    `the server ended with ${JSON.stringify(exit)}:\n${output.stdout()}${output.stderr()}`,
  );
}

function addressesIn(text: string): { readonly http: string; readonly grpc: string } {
  return {
    http: /^\s*HTTP\s+(https?:\/\/\S+)/m.exec(text)?.[1] ?? '',
    grpc: /^\s*gRPC\s+(\S+:\d+)/m.exec(text)?.[1] ?? '',
  };
}

interface Parts {
  readonly child: ChildProcess;
  readonly pid: number;
  readonly family: ProcessFamily;
  readonly output: Output;
  readonly exited: Promise<Exit>;
  readonly data: string;
  readonly startedMs: number;
}

function serverOn({ child, pid, family, output, exited, data }: Parts): Server {
  const leave = async (signal: NodeJS.Signals, withinMs: number): Promise<Exit> => {
    family.look();
    child.kill(signal);
    const timer = setTimeout(() => child.kill('SIGKILL'), withinMs);
    const exit = await exited;
    clearTimeout(timer);
    running.delete(server);
    return exit;
  };
  const server: Server = {
    pid,
    http: '',
    grpc: '',
    data,
    readyMs: 0,
    exited,
    ...output,
    children: () => family.look(),
    signal: (name) => child.kill(name),
    async stop() {
      const exit = await leave('SIGTERM', STOP_WITHIN_MS);
      const isGone = (): boolean => family.look().length === 0;
      await until('all that the server started is gone', isGone, GONE_WITHIN_MS).finally(() => {
        endAll(family);
      });
      return exit;
    },
    kill: () => leave('SIGKILL', STOP_WITHIN_MS),
    async destroy() {
      await leave('SIGKILL', STOP_WITHIN_MS);
      endAll(family);
    },
  };
  return server;
}

function endAll(family: ProcessFamily): void {
  for (const { pid } of family.look()) {
    try {
      process.kill(pid, 'SIGKILL');
    } catch {
      // It ended by itself meanwhile.
    }
  }
}
