/** The processes of a cluster without Kubernetes: Redis, runtimes and gateways over mutual TLS, what they refuse, and what they survive. */
import { connect } from 'node:tls';
import * as grpc from '@grpc/grpc-js';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { systemClock } from '../../platform/clock.ts';
import { channelTls } from '../../platform/grpc/grpc-tls.ts';
import {
  askRuntime,
  keyMetadata,
  openClient,
  type RuntimeAccess,
} from '../../platform/link/grpc-runtime-client.ts';
import { GATEWAY_IDENTITY, runtimeIdentity } from '../../platform/tls/identities.ts';
import { poolRuntimeKey } from '../../platform/tls/pool-key.ts';
import { agentRuntimeService } from '../../proto/internal-service.ts';
import { issueFor, makeAuthority } from '../builders/certificates.ts';
import { grpcHealth } from './grpc-health.ts';
import { call, execute, type TaskAnswer } from './http-calls.ts';
import { Installation, INSTALLATION_KEY, type PodProcess, POOL } from './installation.ts';
import { destroyAll, type Server, startClusterGateway } from './server.ts';
import { until } from './until.ts';

let installation: Installation;
let runtime: PodProcess;
let gateways: readonly [Server, Server];

const gatewayArgs = (link = 'link'): readonly string[] => [
  ...['--store', installation.folder('store')],
  ...['--link', installation.folder(link)],
];
const count = async (gateway: Server, project = 'docs'): Promise<number> =>
  ((await execute(gateway, { agent: 'counter', input: '', project })).output as { count: number })
    .count;

beforeAll(async () => {
  installation = await Installation.start();
  await installation.publish({ tenants: [{ name: 'acme', secretRef: { name: 'of-acme' } }] });
  installation.workspace.write('tenants/61636d65.api-key', 'of acme');
  installation.workspace.write('tenants/6f74686572.api-key', 'of other, which has no secretRef');
  runtime = await installation.startRuntime('main-s1');
  gateways = await Promise.all([
    startClusterGateway(gatewayArgs()),
    startClusterGateway(gatewayArgs()),
  ]);
  await installation.serving(runtime);
}, 60_000);

afterAll(async () => {
  await destroyAll();
  await installation.stop();
});

describe('two gateways and a runtime', () => {
  it('serve a project with one owner', async () => {
    const [one, two] = gateways;
    const counts = await Promise.all([one, two, one, two].map((gateway) => count(gateway)));
    expect(counts.sort()).toEqual([1, 2, 3, 4]);
    const answers = await Promise.all(
      gateways.map((gateway) => execute(gateway, { agent: 'counter', input: '' })),
    );
    expect(new Set(answers.map(({ instance_id }) => instance_id)).size).toBe(1);
  });

  it('serve the kubelet and Prometheus beside', async () => {
    const page = await fetch(`http://127.0.0.1:${runtime.metricsPort}/metrics`);
    expect(await page.text()).toContain('agent_pool_instances_total');
    const probes = `127.0.0.1:${runtime.probePort}`;
    expect(await grpcHealth(probes, 'liveness')).toBe('SERVING');
    expect(await grpcHealth(probes, 'readiness')).toBe('SERVING');
    await expect(ask({ key: 'k' }, runtime.probePort)).rejects.toMatchObject({
      code: grpc.status.UNIMPLEMENTED,
    });
  });
});

it('count what they did once: pages of all processes can be added up', async () => {
  await count(gateways[0], 'counted');
  const pages = [
    ...gateways.map(({ http }) => `${http}/metrics`),
    `http://127.0.0.1:${runtime.metricsPort}/metrics`,
  ];
  const texts = await Promise.all(pages.map(async (page) => (await fetch(page)).text()));
  const counts = (family: string): readonly boolean[] =>
    texts.map((text) => new RegExp(`^${family}\\{`, 'm').test(text));
  expect(counts('agent_pool_commits_total')).toEqual([false, false, true]);
  expect(counts('agent_pool_requests_total')).toEqual([true, true, false]);
  const sum = await fetch(`${gateways[1].http}/api/v1/pool/metrics`);
  expect(await sum.text()).toMatch(/^agent_pool_commits_total\{/m);
});

describe('agents', () => {
  it('have the secrets of their tenant, and nothing of the pod', async () => {
    const outputs = [];
    for (const tenant of ['acme', 'other'])
      outputs.push((await execute(gateways[0], { agent: 'look', input: '', tenant })).output);
    expect(outputs).toEqual([
      { secrets: { 'api-key': 'of acme' }, variables: [] },
      { secrets: {}, variables: [] },
    ]);
  });
});

describe('a runtime', () => {
  const key = poolRuntimeKey(INSTALLATION_KEY, POOL);
  const access = async (over: {
    readonly key?: string;
    readonly authority?: ReturnType<typeof makeAuthority>;
    readonly serverName?: string;
  }): Promise<RuntimeAccess> => {
    const pair = await issueFor(over.authority ?? installation.authority, GATEWAY_IDENTITY);
    const current = { ...pair, ca: installation.authority.certificate };
    return {
      key: over.key ?? key,
      tls: {
        channels: channelTls({ current, onChange: () => () => undefined }),
        serverName: over.serverName ?? runtimeIdentity(POOL),
      },
    };
  };

  it('answers who has its key and a certificate of the authority', async () => {
    expect(await ask(await access({}), runtime.port)).toMatchObject({
      incarnation: expect.stringMatching(/^main-s1[.]/),
    });
  });

  it("refuses another pool's key", async () => {
    const other = poolRuntimeKey(INSTALLATION_KEY, 'default~other');
    await expect(ask(await access({ key: other }), runtime.port)).rejects.toMatchObject({
      code: grpc.status.UNAUTHENTICATED,
    });
  });

  it('refuses a certificate of another authority, or none, and plain text', async () => {
    const ca = Buffer.from(installation.authority.certificate);
    const without: RuntimeAccess = {
      key,
      tls: {
        channels: { credentials: () => grpc.ChannelCredentials.createSsl(ca) },
        serverName: runtimeIdentity(POOL),
      },
    };
    for (const stranger of [await access({ authority: makeAuthority('other') }), without, { key }])
      await expect(ask(stranger, runtime.port)).rejects.toMatchObject({
        code: grpc.status.UNAVAILABLE,
      });
  });

  it('is not talked to under the name of another pool', async () => {
    const other = await access({ serverName: runtimeIdentity('default~other') });
    await expect(ask(other, runtime.port)).rejects.toMatchObject({
      code: grpc.status.UNAVAILABLE,
    });
  });
});

describe('a gateway', () => {
  it.each([
    ['of another installation by its key', { key: 'another installation key, long enough' }],
    ['of another installation by its authority', { authority: makeAuthority('other') }],
  ])('%s reaches no runtime', async (_name, over) => {
    await installation.writeLink('stranger', over);
    const stranger = await startClusterGateway(gatewayArgs('stranger'));
    const body = { tenant: 'acme', project: 'docs', agent: 'echo', input: 'x', timeout_ms: 3_000 };
    const { status } = await call(stranger, '/api/v1/execute', {
      body: { ...body, options: { timeout_ms: 3_000 } },
    });
    expect(status).toBeGreaterThanOrEqual(400);
    await stranger.destroy();
  });

  it.each([
    ['a missing file', 'nowhere', /nowhere.key is missing or empty/],
    ['a short key', 'short', /short: key must have at least 32 characters/],
  ])('does not start with %s and says so in one sentence', async (_name, folder, says) => {
    if (folder === 'short') await installation.writeLink(folder, { key: 'short' });
    await expect(startClusterGateway(gatewayArgs(folder))).rejects.toThrow(says);
  });
});

describe('certificates', () => {
  it('are exchanged under load, and nobody notices', async () => {
    const before = await serialOf(runtime.port);
    let isOver = false;
    const load = Promise.all(
      gateways.map(async (gateway, index) => {
        for (let done = 0; !isOver || done < 50; done += 1) await count(gateway, `load-${index}`);
      }),
    );
    await Promise.all([installation.writeRuntimeSecret(), installation.writeLink()]);
    await until(
      'the new certificate is shown',
      async () => (await serialOf(runtime.port)) !== before,
    );
    const late = await startClusterGateway(gatewayArgs());
    expect(await count(late, 'late')).toBe(1);
    isOver = true;
    await load;
    await late.stop();
  });
});

describe('a runtime that is killed', () => {
  it('is followed by another under its name, which need not wait for the lease', async () => {
    const counted = await count(gateways[0]);
    const before = await installation.serving(runtime);
    runtime.child.kill('SIGKILL');
    await runtime.exited();
    // Longer than a start takes on a machine that is busy.
    await installation.store.heartbeat(before, 60_000);
    runtime = await installation.startRuntime(runtime.name);
    const readyMs = performance.now();
    const answer = await until('the next task is served', () => count(gateways[1]), 30_000);
    expect(answer).toBe(counted + 1);
    expect(performance.now() - readyMs).toBeLessThan(25_000);
    const after = await installation.serving(runtime);
    expect(after.name).toBe(before.name);
    expect(after.incarnation).not.toBe(before.incarnation);
  });

  it('is drained by SIGTERM: what runs ends, what comes goes to another', async () => {
    const second = await installation.startRuntime('main-s2');
    const other = await installation.serving(second);
    const slow = execute(gateways[0], { agent: 'slow', input: { chunks: 10, everyMs: 100 } });
    await until('it runs', async () => {
      const { body } = await call<{ instances: { state: string }[] }>(
        gateways[0],
        '/api/v1/pool/instances',
      );
      return body.instances.some(({ state }) => state === 'BUSY');
    });
    const { owner } = (await installation.store.readProject('default~main~acme~docs')) ?? {};
    const [leaving, staying] =
      owner?.incarnation === other.incarnation ? [second, runtime] : [runtime, second];
    leaving.child.kill('SIGTERM');
    const next = count(gateways[1], 'fresh');
    expect(((await slow) satisfies TaskAnswer).output).toEqual({ chunks: 10 });
    expect(await next).toBe(1);
    expect(await leaving.exited()).toBe(0);
    expect((await installation.store.listRuntimes()).map(({ name }) => name)).toEqual([
      staying.name,
    ]);
    runtime = staying;
  });
});

describe('an agent module that does not load', () => {
  it.each([
    ['is not there', './none.ts', /none.ts not found/],
    ['throws', './throws.ts', /thrown on import/],
    ['does not parse', './broken.ts', /broken.ts:1/],
  ])('because it %s is the last thing that the container says', async (_name, module, says) => {
    installation.workspace.write('agents/throws.ts', "throw new Error('thrown on import')");
    installation.workspace.write('agents/broken.ts', 'export default {');
    const env = { AGENTPOOL_MODULE: module };
    const broken = await installation.startRuntime(`broken-${module.slice(2, 6)}`, { env });
    expect(await broken.exited()).toBe(3);
    expect(JSON.parse(broken.lastWords())).toMatchObject({
      reason: 'AgentModuleInvalid',
      message: expect.stringMatching(says),
    });
  });
});

async function ask(access: RuntimeAccess, port: number): Promise<unknown> {
  const client = openClient(`127.0.0.1:${port}`, access, { 'grpc.use_local_subchannel_pool': 1 });
  const question = { metadata: keyMetadata(access.key), deadlineMs: systemClock.wallMs() + 5_000 };
  return askRuntime(client, agentRuntimeService.Ping, {}, question).finally(() => client.close());
}

/** Of the certificate that is shown to a new connection. */
async function serialOf(port: number): Promise<string> {
  const { certificate: cert, key } = await issueFor(installation.authority, GATEWAY_IDENTITY);
  const socket = connect({
    ...{ host: '127.0.0.1', port, cert, key, ca: installation.authority.certificate },
    servername: runtimeIdentity(POOL),
    ALPNProtocols: ['h2'],
  });
  await new Promise((resolve, reject) =>
    socket.once('secureConnect', resolve).once('error', reject),
  );
  const { serialNumber } = socket.getPeerCertificate();
  socket.destroy();
  return serialNumber;
}
