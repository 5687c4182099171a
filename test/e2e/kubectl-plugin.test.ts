import { type ChildProcess, spawn } from 'node:child_process';
import { mkdirSync, statSync } from 'node:fs';
import { createServer as createHttpServer, type ServerResponse } from 'node:http';
import { type AddressInfo, createServer, type Server, type Socket } from 'node:net';
import { text } from 'node:stream/consumers';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { type FakeCluster, FakeKubectl } from './fake-kubectl.ts';
import { REPOSITORY } from './server.ts';
import { until } from './until.ts';
import { createWorkspace, type Workspace } from './workspace.ts';

let workspace: Workspace;
let servers: Server[] = [];
let plugins: ChildProcess[] = [];

beforeEach(() => {
  workspace = createWorkspace();
  mkdirSync(workspace.path('tmp'));
});

afterEach(() => {
  for (const plugin of plugins) plugin.kill('SIGKILL');
  for (const server of servers) server.close();
  [plugins, servers] = [[], []];
  workspace.remove();
});

async function listen(server: Server): Promise<number> {
  servers.push(server);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return (server.address() as AddressInfo).port;
}

type Environment = Readonly<Record<string, string>>;

function start(kubectl: FakeKubectl, args: readonly string[], environment: Environment = {}) {
  const own = { TMPDIR: workspace.path('tmp'), HOME: workspace.path('home') };
  const plugin = spawn(process.execPath, [`${REPOSITORY}cli/kubectl-agentpool.js`, ...args], {
    env: { ...kubectl.env, ...own, ...environment },
    // SIGQUIT leaves a core there, where the machine keeps them.
    cwd: workspace.path('.'),
  });
  plugins.push(plugin);
  const ended = new Promise<number | string>((resolve) => {
    plugin.once('exit', (code, signal) => {
      resolve(code ?? signal ?? '');
    });
  });
  const said = Promise.all([text(plugin.stdout), text(plugin.stderr)]);
  return { plugin, ended, said };
}

async function runToEnd(
  cluster: FakeCluster,
  args: readonly string[],
  environment: Environment = {},
) {
  const kubectl = new FakeKubectl(workspace, cluster);
  const { plugin, ended, said } = start(kubectl, args, environment);
  plugin.stdin.end();
  const [stdout, stderr] = await said;
  return { code: await ended, stdout, stderr, calls: kubectl.calls() };
}

const isRunning = (pid: number): boolean => {
  try {
    return process.kill(pid, 0);
  } catch {
    return false;
  }
};

const SIGNALS = [
  ['SIGINT', 130],
  ['SIGTERM', 143],
  ['SIGHUP', 129],
  ['SIGQUIT', 131],
] as const;

describe('a signal', () => {
  it.each(SIGNALS)('%s ends a command, its port and its folder: %i', async (signal, code) => {
    const sockets: Socket[] = [];
    // Says nothing: the client waits for the end of its handshake.
    const port = await listen(createServer((socket) => sockets.push(socket.on('error', () => 0))));
    const kubectl = new FakeKubectl(workspace, { port, hasTls: true });
    const { plugin, ended } = start(kubectl, ['get', 'pools']);
    await until('the client calls', () => sockets.length > 0);
    const [folder = ''] = workspace.list('tmp');
    expect(statSync(workspace.path(`tmp/${folder}`)).mode & 0o777).toBe(0o700);
    expect(workspace.list(`tmp/${folder}`)).toEqual(['ca.crt']);
    const forwarder = await kubectl.forwarder();
    plugin.kill(signal);
    expect({ code: await ended, left: workspace.list('tmp') }).toEqual({ code, left: [] });
    await until('the port is closed', () => !isRunning(forwarder));
    for (const socket of sockets) socket.destroy();
  });

  it.each(SIGNALS)('%s ends it while it waits for the port: %i', async (signal, code) => {
    const kubectl = new FakeKubectl(workspace, { port: 1, hasTls: true, isStuck: true });
    const { plugin, ended } = start(kubectl, ['get', 'pools']);
    const forwarder = await kubectl.forwarder();
    plugin.kill(signal);
    expect({ code: await ended, left: workspace.list('tmp') }).toEqual({ code, left: [] });
    await until('nobody forwards', () => !isRunning(forwarder));
  });

  it('SIGINT cancels an answer of chat, which goes on by the same port', async () => {
    const waiting: ServerResponse[] = [];
    const server = createHttpServer((request, response) => {
      if (request.method === 'GET') {
        response.end(JSON.stringify({ pools: [{ namespace: 'shop', name: 'own' }] }));
        return;
      }
      response.setHeader('content-type', 'text/event-stream');
      response.flushHeaders();
      if (waiting.push(response) > 1)
        response.end('event: result\ndata: {"output": "hello", "conversation_id": "c"}\n\n');
    });
    const kubectl = new FakeKubectl(workspace, { port: await listen(server) });
    const { plugin, ended, said } = start(kubectl, ['chat', '-t', 'acme', '-P', 'docs']);
    plugin.stdin.write('first\n');
    await until('it is asked', () => waiting.length === 1);
    plugin.kill('SIGINT');
    await until('the answer is cancelled', () => waiting[0]?.closed === true);
    plugin.stdin.end('second\n');
    expect(await said).toEqual(['hello\n', '(cancelled)\n']);
    expect(await ended).toBe(0);
  });
});

it('takes all away where its client cannot be started', async () => {
  const gone = workspace.path('gone/node');
  const preload = workspace.write('gone.cjs', `process.execPath = ${JSON.stringify(gone)};`);
  const kubectl = new FakeKubectl(workspace, { port: 1, hasTls: true });
  const { ended, said } = start(kubectl, ['get', 'pools'], {
    NODE_OPTIONS: `--require ${preload}`,
  });
  const [, stderr] = await said;
  expect(stderr).toBe(`agentpool: the client cannot be started: spawn ${gone} ENOENT\n`);
  expect({ code: await ended, left: workspace.list('tmp') }).toEqual({ code: 1, left: [] });
  const forwarder = await kubectl.forwarder();
  await until('the port is closed', () => !isRunning(forwarder));
});

describe('the gateway', () => {
  /** Remembers with which token it was asked. */
  async function gateway(): Promise<{ readonly port: number; readonly asked: string[] }> {
    const asked: string[] = [];
    const server = createHttpServer((request, response) => {
      asked.push(request.headers.authorization ?? '-');
      response.end(JSON.stringify({ pools: [] }));
    });
    return { port: await listen(server), asked };
  }

  it.each<[string, Environment, object]>([
    ['', { TOKEN: 'theirs' }, { elsewhere: [], here: ['Bearer theirs'] }],
    ['', { SERVER: 'elsewhere', TOKEN: 'theirs' }, { elsewhere: ['Bearer theirs'], here: [] }],
    [' --context test', { TOKEN: 'theirs' }, { elsewhere: [], here: ['Bearer theirs'] }],
    ...[' --context test', ' --kubeconfig k.yaml', ' --release-namespace agentpool'].map(
      (flag): [string, Environment, object] => [
        flag,
        { SERVER: 'elsewhere', TOKEN: 'theirs' },
        { elsewhere: [], here: ['Bearer t'] },
      ],
    ),
  ])('of get pools%s with %j: %j', async (flags, { SERVER, ...rest }, asked) => {
    const [elsewhere, here] = [await gateway(), await gateway()];
    const variables = {
      ...rest,
      ...(SERVER === undefined ? {} : { SERVER: `127.0.0.1:${elsewhere.port}` }),
    };
    const { code } = await runToEnd(
      { port: here.port },
      `get pools${flags}`.split(' '),
      Object.fromEntries(
        Object.entries(variables).map(([name, value]) => [`AGENTPOOL_${name}`, value]),
      ),
    );
    expect({ elsewhere: elsewhere.asked, here: here.asked, code }).toEqual({ ...asked, code: 0 });
  });

  it.each(['--context test', '--kubeconfig=k.yaml', '--release-namespace agentpool'])(
    'is not guessed between --server and %s',
    async (flag) => {
      const { code, stderr, calls } = await runToEnd({ port: 1 }, [
        ...['get', 'pools', '--server', '127.0.0.1:1'],
        ...flag.split(' '),
      ]);
      const name = flag.split(/[ =]/)[0] ?? '';
      expect(stderr).toBe(
        `agentpool: --server and ${name} are two places: one is a gateway, the other says in which cluster to find it\nLeave one of them out.\n`,
      );
      expect([code, calls]).toEqual([2, []]);
    },
  );
});

describe('the namespace', () => {
  const POOLS = [
    { namespace: 'shop', name: 'own' },
    { namespace: 'default', name: 'other' },
  ];

  async function gateway(): Promise<number> {
    return listen(
      createHttpServer((_request, response) => {
        response.end(JSON.stringify({ pools: POOLS }));
      }),
    );
  }

  it.each<[string, string[], string[]]>([
    ['get pools', ['shop/own'], []],
    ['get pools -A', ['default/other', 'shop/own'], []],
    ['get pools -n default', ['default/other'], []],
    ['-n default get pools', ['default/other'], []],
    ['-n=default get pools', ['default/other'], []],
    ['get pools --context test', ['default/other'], ['--context', 'test']],
    ['--context=test get pools -n shop', ['shop/own'], ['--context', 'test']],
    ['get pools --kubeconfig=k.yaml', ['shop/own'], ['--kubeconfig', 'k.yaml']],
  ])('of kubectl agentpool %s: %j', async (line, pools, flags) => {
    const { code, stdout, stderr, calls } = await runToEnd(
      { port: await gateway() },
      line.split(' '),
    );
    const [, ...rows] = stdout.trimEnd().split('\n');
    const names = rows.map((row) => row.split(' ')[0]).toSorted();
    expect({ code, stderr, names }).toEqual({ code: 0, stderr: '', names: pools });
    for (const call of calls) expect(call.split(' ').slice(0, flags.length)).toEqual(flags);
  });

  it.each([
    ['get pools', 'shop/own'],
    ['get pools --context test', 'default/other'],
    ['get pools --context prod -n default', 'default/other'],
    ['-n shop get pools --context test', 'shop/own'],
    ['-n default --context prod get pools', 'default/other'],
  ])('of kubectl agentpool %s with AGENTPOOL_NAMESPACE=shop: %s', async (line, pool) => {
    const { stdout } = await runToEnd({ port: await gateway() }, line.split(' '), {
      AGENTPOOL_NAMESPACE: 'shop',
    });
    const [, ...rows] = stdout.trimEnd().split('\n');
    expect(rows.map((row) => row.split(' ')[0])).toEqual([pool]);
  });

  it('of a context that there is not: says which there are, and what to do', async () => {
    const { code, stderr } = await runToEnd({ port: 1 }, ['get', 'pools', '--context', 'nope']);
    expect(stderr).toContain('no context is named nope in ~/.kube/config; there is prod, test\n');
    expect(code).toBe(2);
  });

  it('is none of help, which needs no cluster', async () => {
    const { code, stdout, calls } = await runToEnd({ port: 1 }, ['get', 'pools', '--help']);
    expect(stdout).toContain('--all-namespaces');
    expect([code, calls]).toEqual([0, []]);
  });
});
