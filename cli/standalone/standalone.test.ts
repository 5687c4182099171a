import { mkdtempSync, readdirSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { createFakeTerminal } from '../../test/fakes/fake-terminal.ts';
import { systemRandom } from '../../platform/random.ts';
import { Closers } from './closers.ts';
import { hostAndPort } from '../../platform/host-and-port.ts';
import { checkListenAddresses, reachableHost } from './listen-addresses.ts';
import { makePool, poolNameOf } from './made-pool.ts';
import { PoolNews, type TellablePool } from './pool-news.ts';
import { readyText, type ReadyFacts } from './ready-text.ts';
import { openSecrets, readSecrets } from './secrets.ts';
import { styleFor } from '../output/style.ts';
import { listenForStop } from './stop-signals.ts';

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'agentpool-unit-'));
});
afterEach(() => {
  rmSync(folder, { recursive: true, force: true });
});

describe('where a server listens', () => {
  it.each([
    ['127.0.0.1', undefined, true],
    ['localhost', undefined, true],
    ['::1', undefined, true],
    ['127.1.2.3', undefined, true],
    ['0.0.0.0', undefined, false],
    ['::', undefined, false],
    ['192.168.1.4', undefined, false],
    ['localhost.example.org', undefined, false],
    ['0.0.0.0', 'tokens.json', true],
  ])('%s with tokens %s: allowed %s', (host, tokens, isAllowed) => {
    const check = (): void => {
      checkListenAddresses({
        host,
        http: 8080,
        grpc: 9090,
        ...(tokens === undefined ? {} : { tokens }),
      });
    };
    if (isAllowed) expect(check).not.toThrow();
    else expect(check).toThrow(/without --tokens/);
  });

  it('one port cannot be both', () => {
    expect(() => {
      checkListenAddresses({ host: 'localhost', http: 1, grpc: 1 });
    }).toThrow(/a port of its own/);
  });

  it.each([
    ['127.0.0.1', '127.0.0.1:80', '127.0.0.1'],
    ['::', '[::]:80', '::1'],
    ['0.0.0.0', '0.0.0.0:80', '127.0.0.1'],
  ])('%s is written %s, and reached as %s', (host, written, reached) => {
    expect([hostAndPort(host, 80), reachableHost(host)]).toEqual([written, reached]);
  });
});

describe('a made-up pool', () => {
  it.each([
    ['agent.ts', 'agent'],
    ['/a/b/My_Agents.v2.ts', 'my-agents-v2'],
    ['___.ts', 'agents'],
    [`${'x'.repeat(80)}.js`, 'x'.repeat(63)],
  ])('for %s is named %s', (path, name) => {
    expect(poolNameOf(path)).toBe(name);
  });

  it('gives the agents what .env beside the module says', async () => {
    writeFileSync(join(folder, '.env'), 'KEY=value # comment\nQUOTED="a b"\n');
    const { pool } = await makePool(join(folder, 'agent.ts'), { replicas: 2 });
    expect(pool.spec.runtime).toMatchObject({
      agentModule: './agent.ts',
      env: [
        { name: 'KEY', value: 'value' },
        { name: 'QUOTED', value: 'a b' },
      ],
    });
    expect(pool.spec.replicas).toBe(2);
  });

  it('needs no .env', async () => {
    expect((await makePool(join(folder, 'agent.ts'), {})).pool.spec.runtime.env).toEqual([]);
  });
});

describe('the secret of a data folder', () => {
  it('is made once, for its owner only, and gives each pool keys of its own', async () => {
    const secrets = await openSecrets(folder, systemRandom);
    const again = await readSecrets(folder);
    expect(again.runtimeKey('a~b')).toBe(secrets.runtimeKey('a~b'));
    expect(statSync(join(folder, 'secret')).mode & 0o777).toBe(0o600);
    expect(
      new Set([secrets.runtimeKey('a~b'), secrets.runtimeKey('a~c'), secrets.storeToken('a~b')])
        .size,
    ).toBe(3);
  });

  it('are one for all who start at once, and leave no draft', async () => {
    const all = await Promise.all([1, 2, 3].map(() => openSecrets(folder, systemRandom)));
    expect(new Set(all.map((one) => one.storeToken('*'))).size).toBe(1);
    expect(readdirSync(folder)).toEqual(['secret']);
  });

  it.each([[''], ['only half of it']])('are refused when their file is cut: %j', async (text) => {
    writeFileSync(join(folder, 'secret'), text);
    await expect(openSecrets(folder, systemRandom)).rejects.toThrow(
      /secret is cut: it has \d+ of 44/,
    );
  });

  it('tells what a token opens', async () => {
    const secrets = await openSecrets(folder, systemRandom);
    for (const scope of ['a~b', '*'])
      expect(secrets.scopeOf(secrets.storeToken(scope))).toBe(scope);
    const [, mac = ''] = secrets.storeToken('a~b').split(' ');
    for (const forged of ['', 'a~b', '*', `* ${mac}`, `a~c ${mac}`, `a~b ${mac}x`])
      expect(secrets.scopeOf(forged)).toBeUndefined();
  });
});

describe('taking down', () => {
  it('follows its order, goes on after a failure, and tells the first', async () => {
    const closers = new Closers(['first', 'second', 'third']);
    const closed: string[] = [];
    closers.add('third', () => void closed.push('third'));
    closers.add('first', () => {
      closed.push('first');
      throw new Error('stuck');
    });
    await expect(closers.closeAll()).rejects.toThrow('stuck');
    expect(closed).toEqual(['first', 'third']);
    await closers.closeAll();
    expect(closed).toHaveLength(2);
  });

  it('a second signal ends the process at once', async () => {
    const terminal = createFakeTerminal();
    const stop = listenForStop(terminal);
    terminal.press('SIGTERM');
    expect(await stop.told).toBe('SIGTERM');
    expect(() => {
      terminal.press('SIGINT');
    }).toThrow('exit 130');
  });
});

describe('news of pools', () => {
  const pool = (reason: string, message: string, failureStack?: string): TellablePool => ({
    ref: { namespace: 'default', name: 'a' },
    events: [
      {
        type: 'Normal',
        reason: 'RolloutStarted',
        message: 'r2',
        count: 1,
        firstTime: '',
        lastTime: '',
      },
    ],
    status: {
      conditions: [{ type: 'Degraded', status: reason === '' ? 'False' : 'True', reason, message }],
    },
    ...(failureStack === undefined ? {} : { failureStack }),
  });

  it('tells each thing once: what changed after the start, and what fails, with its stack for the author', () => {
    const terminal = createFakeTerminal();
    const news = new PoolNews(terminal, { withStacks: true, timeText: () => '12:00' });
    news.skip([{ ...pool('', ''), events: [] }]);
    for (const now of [
      pool('', ''),
      pool('', ''),
      pool('AgentModuleInvalid', 'boom', 'at agent.ts:1'),
      pool('AgentModuleInvalid', 'boom', 'at agent.ts:1'),
      pool('', ''),
    ])
      news.tell([now]);
    expect(terminal.stderr()).toBe(
      '12:00 default/a RolloutStarted: r2\n12:00 default/a AgentModuleInvalid: boom\nat agent.ts:1\n12:00 default/a nothing fails any more\n',
    );
  });
});

describe('the text of a server that is ready', () => {
  const facts: ReadyFacts = {
    seconds: 1.234,
    pools: [{ name: 'default/a', agents: ['guide', 'counter'], isSuspended: false }],
    http: 'http://127.0.0.1:8080',
    grpc: '127.0.0.1:9090',
    dataFolder: '/var/lib/agentpool',
    isInMemory: false,
    tokens: undefined,
    editFiles: ['/x/pool.yaml'],
  };
  const style = styleFor({ hasColours: false });

  it('names agents, addresses, data, access, and what to try and edit', () => {
    const text = readyText(facts, style);
    for (const part of [
      'ready after 1.2 s',
      'agents: guide, counter',
      'http://127.0.0.1:8080',
      '127.0.0.1:9090',
      '/var/lib/agentpool',
      'curl -s',
      'grpcurl -plaintext',
      '"tier":"WARM"',
      '/x/pool.yaml',
    ])
      expect(text).toContain(part);
    expect(text).not.toContain('"pool":');
  });

  it.each([
    [
      'a pool where there are several',
      { pools: [...facts.pools, { name: 'default/b', agents: [], isSuspended: true }] },
      '"pool":"default/a"',
    ],
    ['a token where one is asked for', { tokens: '/x/tokens.json' }, 'authorization: Bearer TOKEN'],
    ['that memory does not last', { isInMemory: true }, 'ends with this process'],
  ])('names %s', (_what, changed, part) => {
    expect(readyText({ ...facts, ...changed }, style)).toContain(part);
  });
});
