/** Users of Redis as the chart makes them: for each pool where it is switched on, and what the bundled Redis keeps over a restart. */
import { type ChildProcess, spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { beforeAll, describe, expect, it } from '@jest/globals';
import { Redis } from 'ioredis';
import { tools } from '../cluster/tools/tools.ts';
import { RedisServer } from '../e2e/redis-server.ts';
import { until } from '../e2e/until.ts';
import { find, podOf, type Rendered, renderChart as render, secretText } from './rendered-chart.ts';

beforeAll(() => tools(), 600_000);

interface Container {
  readonly command: readonly string[];
  readonly args: readonly string[];
}

const containerOf = (owner: Rendered): Container => {
  const { containers } = podOf(owner).spec as { readonly containers: readonly Container[] };
  return containers[0] as Container;
};

describe('a user of Redis for each pool', () => {
  it.each([
    [{}, true],
    [{ 'redis.secretName': 'mine' }, false],
    [{ 'redis.url': 'redis://elsewhere:6379/0' }, false],
    [{ 'redis.secretName': 'mine', 'redis.poolUsers': true }, true],
    [{ 'redis.poolUsers': false }, false],
  ])('is made with %j: %s', async (values, isMade) => {
    const { args } = containerOf(find(await render(values), 'Deployment', 'agentpool-operator'));
    expect(args.includes('--pool-users')).toBe(isMade);
  });

  it('is not made by a word that says nothing', async () => {
    await expect(render({ 'redis.poolUsers': 'On' })).rejects.toThrow(/poolUsers/);
  });
});

describe('the bundled Redis', () => {
  /** As its pod, with its folders elsewhere. */
  class Bundled {
    readonly folder = mkdtempSync(join(tmpdir(), 'agentpool-bundled-'));
    readonly #command: readonly string[];
    #child: ChildProcess | undefined;

    constructor(objects: readonly Rendered[]) {
      const { stringData } = find(objects, 'Secret', 'agentpool-redis') as {
        readonly stringData?: Readonly<Record<string, string>>;
      };
      for (const name of ['data', 'etc']) mkdirSync(join(this.folder, name));
      const place = (text: string): string =>
        text
          .replaceAll('/data', join(this.folder, 'data'))
          .replaceAll('/etc/redis', join(this.folder, 'etc'));
      for (const [name, text] of Object.entries(stringData ?? {}))
        writeFileSync(join(this.folder, 'etc', name), place(text));
      const more = `port 0\nunixsocket ${this.socket}\n`;
      writeFileSync(join(this.folder, 'etc/redis.conf'), more, { flag: 'a' });
      this.#command = containerOf(find(objects, 'StatefulSet', 'agentpool-redis')).command.map(
        place,
      );
    }

    get socket(): string {
      return join(this.folder, 's');
    }

    async start(): Promise<void> {
      const [program = '', ...args] = this.#command;
      this.#child = spawn(program, args, { stdio: 'ignore' });
      await until('Redis answers', () => this.as({}, () => true).catch(isRefused));
    }

    async kill(): Promise<void> {
      const child = this.#child;
      if (child === undefined || child.exitCode !== null) return;
      const gone = once(child, 'exit');
      child.kill('SIGKILL');
      await gone;
    }

    async as<T>(
      user: { readonly username?: string; readonly password?: string },
      use: (redis: Redis) => T | Promise<T>,
    ): Promise<T> {
      const redis = new Redis({
        ...{ path: this.socket, lazyConnect: true, protocol: 2, enableReadyCheck: false },
        ...{ retryStrategy: () => null, maxRetriesPerRequest: 0, ...user },
      });
      redis.on('error', () => undefined);
      try {
        await redis.connect();
        await redis.ping();
        return await use(redis);
      } finally {
        redis.disconnect();
      }
    }
  }

  const isRefused = (error: unknown): boolean => /NOAUTH/.test(String(error));

  it('lets in who has its password, and keeps the users of pools over a restart', async () => {
    // Installs Redis where there is none.
    await (await RedisServer.start()).stop();
    const objects = await render();
    const password = secretText(find(objects, 'Secret', 'agentpool-store'), 'password');
    const bundled = new Bundled(objects);
    try {
      await bundled.start();
      await bundled.as({ password }, async (redis) => {
        await redis.call('ACL', 'SETUSER', 'agentpool:a~b', 'on', '>pool', '~x', '+get', '+ping');
        await redis.call('ACL', 'SAVE');
      });
      await bundled.kill();
      await bundled.start();
      const pool = { username: 'agentpool:a~b', password: 'pool' };
      expect(await bundled.as(pool, (redis) => redis.get('x'))).toBeNull();
      await expect(bundled.as(pool, (redis) => redis.get('y'))).rejects.toThrow(/NOPERM/);
      expect(await bundled.as({ password }, (redis) => redis.call('ACL', 'USERS'))).toHaveLength(2);
      const digest = createHash('sha256').update(password).digest('hex');
      const kept = readFileSync(join(bundled.folder, 'data/users.acl'), 'utf8');
      expect(kept.split('\n')[0]).toBe(`user default on #${digest} ~* &* +@all`);
      expect(kept).not.toContain(password);
    } finally {
      await bundled.kill();
      rmSync(bundled.folder, { recursive: true });
    }
  }, 60_000);
});
