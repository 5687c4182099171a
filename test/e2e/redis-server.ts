/** A real redis-server for tests, on a Unix socket in a folder of its own; installs the Debian package where it is missing and may. */
import { execFileSync, spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { createServer, type AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Redis } from 'ioredis';

export type RedisSettings = Readonly<Record<string, string>>;

const START_MS_MAX = 10_000;

let isInstalled: boolean | undefined;

/** Those that would outlive this process. */
const running = new Set<ChildProcess>();
process.once('exit', () => {
  for (const child of running) child.kill('SIGKILL');
});

/** @throws what to do where there is none and it cannot be installed. */
function assertInstalled(): void {
  isInstalled ??= find();
  if (isInstalled) return;
  if (process.getuid?.() !== 0)
    throw new Error(
      'these tests need redis-server 7 on the PATH: install it (Debian: redis-server)',
    );
  process.stderr.write('redis-server is missing: installing the Debian package\n');
  const install = ['install', '-y', '--no-install-recommends', 'redis-server'];
  execFileSync('apt-get', install, {
    stdio: ['ignore', 'ignore', 'inherit'],
    // The package would start a server of its own.
    env: { ...process.env, RUNLEVEL: '1', DEBIAN_FRONTEND: 'noninteractive' },
  });
  isInstalled = true;
}

function find(): boolean {
  try {
    execFileSync('redis-server', ['--version'], { stdio: 'ignore' });
    return true;
  } catch {
    return false;
  }
}

export class RedisServer {
  readonly folder: string;
  readonly #settings: RedisSettings;
  #child: ChildProcess | undefined;
  #output = '';

  private constructor(folder: string, settings: RedisSettings) {
    this.folder = folder;
    this.#settings = settings;
  }

  /** @param settings as in redis.conf, or made with the server's folder; no persistence and no TCP unless they say so. */
  static async start(
    settings: RedisSettings | ((folder: string) => RedisSettings) = {},
  ): Promise<RedisServer> {
    assertInstalled();
    const folder = mkdtempSync(join(tmpdir(), 'agentpool-redis-'));
    const made = typeof settings === 'function' ? settings(folder) : settings;
    const server = new RedisServer(folder, made);
    await server.start().catch(async (error: unknown) => {
      await server.stop();
      throw error;
    });
    return server;
  }

  get socketPath(): string {
    return join(this.folder, 's');
  }

  get url(): string {
    return `unix:${this.socketPath}`;
  }

  get pid(): number {
    return this.#child?.pid ?? 0;
  }

  /** Again, with what is on the disk. */
  async start(): Promise<void> {
    const settings = {
      port: '0',
      unixsocket: this.socketPath,
      dir: this.folder,
      save: '',
      ...this.#settings,
    };
    const args = Object.entries(settings).flatMap(([name, value]) => [`--${name}`, value]);
    const child = spawn('redis-server', args, { stdio: ['ignore', 'pipe', 'pipe'] });
    child.stdout.on('data', (chunk: Buffer) => (this.#output += chunk.toString()));
    child.stderr.on('data', (chunk: Buffer) => (this.#output += chunk.toString()));
    this.#child = child;
    running.add(child);
    child.once('exit', () => running.delete(child));
    const giveUpAtMs = Date.now() + START_MS_MAX;
    while (!(await this.#answers())) {
      if (child.exitCode !== null || Date.now() > giveUpAtMs)
        throw new Error(`redis-server did not start:\n${this.#output}`);
      await new Promise((resolve) => setTimeout(resolve, 10));
    }
  }

  signal(signal: NodeJS.Signals): void {
    this.#child?.kill(signal);
  }

  /** Resolves when the process has gone; its data stay. */
  async kill(signal: NodeJS.Signals = 'SIGKILL'): Promise<void> {
    const child = this.#child;
    if (child === undefined || child.exitCode !== null || child.signalCode !== null) return;
    const gone = once(child, 'exit');
    child.kill('SIGCONT');
    child.kill(signal);
    await gone;
  }

  async stop(): Promise<void> {
    await this.kill();
    rmSync(this.folder, { recursive: true, force: true });
  }

  /** A plain client, as who may do everything. */
  async admin<T>(use: (redis: Redis) => Promise<T>): Promise<T> {
    const redis = new Redis({ path: this.socketPath, lazyConnect: true, protocol: 2 });
    redis.on('error', () => undefined);
    try {
      await redis.connect();
      return await use(redis);
    } finally {
      redis.disconnect();
    }
  }

  async #answers(): Promise<boolean> {
    const redis = new Redis({
      path: this.socketPath,
      lazyConnect: true,
      retryStrategy: () => null,
      enableReadyCheck: false,
    });
    redis.on('error', () => undefined);
    try {
      await redis.connect();
    } catch {
      return false;
    }
    try {
      return (await redis.info('persistence')).includes('loading:0');
    } catch {
      return false;
    } finally {
      redis.disconnect();
    }
  }
}

export async function freePort(): Promise<number> {
  const server = createServer();
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  server.close();
  await once(server, 'close');
  return port;
}
