/** What clients of a gateway in a cluster meet: TLS with certificates that are exchanged, tokens of a file and tokens that Kubernetes knows, tenant by tenant. */
import type { IncomingMessage, ServerResponse } from 'node:http';
import { Agent, createServer, request, type Server as HttpsServer } from 'node:https';
import type { AddressInfo, Socket } from 'node:net';
import { connect } from 'node:tls';
import { ChannelCredentials } from '@grpc/grpc-js';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { issueFor, makeAuthority, tlsFiles, writeSecret } from '../builders/certificates.ts';
import { GrpcClient, messagesOf, refusalOf } from './grpc-calls.ts';
import { Installation } from './installation.ts';
import { destroyAll, type Server, startClusterGateway } from './server.ts';
import { until } from './until.ts';

const HOST = 'agents.example.com';
const TASK = { tenant: 'acme', project: 'docs', agent: 'echo', text: 'hello' };
const authority = makeAuthority('of the clients');
const ca = authority.certificate;

/** Answers TokenReviews: any token whose payload names a pod of a namespace. Everything else of an API server is missing. */
class ReviewServer {
  isAway = false;
  asked = 0;
  #server: HttpsServer | undefined;

  async start(): Promise<string> {
    const { certificate, key } = await issueFor(authority, 'localhost');
    const server = createServer({ cert: certificate, key }, (incoming, outgoing) => {
      if (this.isAway) incoming.socket.destroy();
      else this.#answer(incoming, outgoing);
    });
    this.#server = server;
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    return `https://localhost:${(server.address() as AddressInfo).port}`;
  }

  #answer(incoming: IncomingMessage, outgoing: ServerResponse): void {
    let body = '';
    incoming.setEncoding('utf8').on('data', (text: string) => (body += text));
    incoming.on('end', () => {
      this.asked += 1;
      const review = JSON.parse(body) as { spec: { token: string; audiences: string[] } };
      const [, payload = ''] = review.spec.token.split('.');
      const { sub, aud } = JSON.parse(Buffer.from(payload, 'base64url').toString()) as Record<
        'sub' | 'aud',
        string
      >;
      const status = review.spec.audiences.includes(aud)
        ? { authenticated: true, audiences: [aud], user: { username: sub, groups: [] } }
        : { authenticated: false };
      outgoing.writeHead(201, { 'content-type': 'application/json' });
      outgoing.end(JSON.stringify({ ...review, metadata: {}, status }));
    });
  }

  stop(): void {
    this.#server?.close();
    this.#server?.closeAllConnections();
  }
}

const tokenOf = (namespace: string, name: string, aud = 'agentpool'): string => {
  const part = (value: object): string => Buffer.from(JSON.stringify(value)).toString('base64url');
  return `${part({ alg: 'none' })}.${part({ sub: `system:serviceaccount:${namespace}:${name}`, aud })}.sig`;
};

let installation: Installation;
let reviews: ReviewServer;
let gateway: Server;
let client: GrpcClient;

async function writeClientTls(): Promise<void> {
  const pair = await issueFor(authority, HOST, 'localhost');
  writeSecret(installation.folder('tls'), tlsFiles(pair));
}

beforeAll(async () => {
  installation = await Installation.start();
  await installation.publish();
  await writeClientTls();
  reviews = new ReviewServer();
  const server = await reviews.start();
  const entry = (name: string, of: object) => [{ name, [name]: of }];
  installation.workspace.write(
    'kubeconfig',
    JSON.stringify({
      'current-context': 'context',
      clusters: entry('cluster', {
        server,
        'certificate-authority-data': Buffer.from(ca).toString('base64'),
      }),
      users: entry('user', { token: 'of the gateway' }),
      contexts: entry('context', { cluster: 'cluster', user: 'user' }),
    }),
  );
  installation.workspace.write(
    'tokens.json',
    JSON.stringify([{ token: 'static', subject: 'ann', tenants: ['acme'], role: 'caller' }]),
  );
  installation.workspace.write(
    'rules.json',
    JSON.stringify([{ namespace: 'shop', tenants: ['acme'], role: 'caller' }]),
  );
  const runtime = await installation.startRuntime('main-s1');
  gateway = await startClusterGateway(
    ['--store', installation.folder('store'), '--link', installation.folder('link')]
      .concat(['--tls', installation.folder('tls'), '--tokens', installation.folder('tokens.json')])
      .concat(['--token-review', installation.folder('rules.json')]),
    { env: { KUBECONFIG: installation.folder('kubeconfig') } },
  );
  await installation.serving(runtime);
  client = new GrpcClient(
    gateway.grpc.replace('127.0.0.1', 'localhost'),
    ChannelCredentials.createSsl(Buffer.from(ca)),
  );
}, 60_000);

afterAll(async () => {
  await destroyAll();
  reviews.stop();
  await installation.stop();
  client.close();
});

describe('a token', () => {
  const pod = tokenOf('shop', 'bot');

  it.each([
    ['of the file', 'static'],
    ['of a pod', pod],
  ])('%s lets in on every surface, for its tenants only', async (_name, token) => {
    const foreign = { ...TASK, tenant: 'other' };
    expect(await client.unary('Execute', TASK, { token })).toMatchObject({ text: 'hello' });
    const events = await messagesOf(client.stream('ExecuteStream', TASK, { token }));
    expect(events.at(-1)).toMatchObject({ event: 'result' });
    const duplex = client.connect({ token });
    duplex.write({ execute: { ...foreign, request_id: 'r' } });
    duplex.end();
    expect(await messagesOf(duplex)).toMatchObject([{ error: { reason: 'FORBIDDEN' } }]);
    const refusals = [
      client.unary('Execute', foreign, { token }),
      messagesOf(client.stream('ExecuteStream', foreign, { token })),
      client.unary('Acquire', { tenant: 'other', project: 'docs' }, { token }),
      client.unary('ListPools', {}, { token }),
    ];
    for (const refusal of await Promise.all(refusals.map(refusalOf)))
      expect(refusal).toMatchObject({ code: 'PERMISSION_DENIED' });
    expect((await post(TASK, token)).status).toBe(200);
    expect((await post(foreign, token)).status).toBe(403);
  });

  it.each([
    ['nobody issued', 'guess'],
    ['of a namespace without a rule', tokenOf('other', 'bot')],
    ['for another audience', tokenOf('shop', 'bot', 'vault')],
  ])('that %s lets nobody in', async (_name, token) => {
    expect(await refusalOf(client.unary('Execute', TASK, { token }))).toMatchObject({
      code: 'UNAUTHENTICATED',
    });
    expect((await post(TASK, token)).status).toBe(401);
  });

  it('is asked about once', async () => {
    const { asked } = reviews;
    await Promise.all(
      Array.from({ length: 20 }, () => client.unary('Execute', TASK, { token: pod })),
    );
    expect(reviews.asked).toBe(asked);
  });

  it('that nobody can be asked about is unavailable, not wrong; the others work on', async () => {
    reviews.isAway = true;
    const token = tokenOf('shop', 'late');
    expect(await refusalOf(client.unary('Execute', TASK, { token }))).toMatchObject({
      code: 'UNAVAILABLE',
      reason: 'ACCESS_UNAVAILABLE',
    });
    expect((await post(TASK, token)).status).toBe(503);
    for (const known of ['static', pod])
      expect(await client.unary('Execute', TASK, { token: known })).toMatchObject({
        text: 'hello',
      });
    reviews.isAway = false;
    expect(await client.unary('Execute', TASK, { token })).toMatchObject({ text: 'hello' });
  });
});

describe('the certificate for clients', () => {
  it('is exchanged for new connections on both ports; open ones go on', async () => {
    const before = await Promise.all([gateway.grpc, gateway.http].map(serialOf));
    const agent = new Agent({ keepAlive: true, maxSockets: 1, ca });
    const socket = (await post(TASK, 'static', agent)).socket;
    await writeClientTls();
    const isNew = async (address: string, index: number) =>
      (await serialOf(address)) !== before[index];
    await until('new connections see it', async () =>
      (await Promise.all([gateway.grpc, gateway.http].map(isNew))).every(Boolean),
    );
    expect(await client.unary('Execute', TASK, { token: 'static' })).toMatchObject({
      text: 'hello',
    });
    const again = await post(TASK, 'static', agent);
    expect([again.status, again.socket]).toEqual([200, socket]);
    agent.destroy();
  });

  it('that is broken changes nothing', async () => {
    const before = await serialOf(gateway.grpc);
    writeSecret(installation.folder('tls'), { 'tls.crt': 'no certificate' });
    await until('it is told', () => gateway.stderr().includes('secret files cannot be used'));
    expect(await serialOf(gateway.grpc)).toBe(before);
    await writeClientTls();
    await until('the next one counts', async () => (await serialOf(gateway.grpc)) !== before);
  });
});

function portOf(address: string): number {
  return Number(address.slice(address.lastIndexOf(':') + 1));
}

/** Of the certificate that is shown to a new connection. */
async function serialOf(address: string): Promise<string> {
  const protocols = address.startsWith('https') ? ['http/1.1'] : ['h2'];
  const socket = connect({
    ...{ host: '127.0.0.1', port: portOf(address), ca, servername: HOST, ALPNProtocols: protocols },
  });
  await new Promise((resolve, reject) =>
    socket.once('secureConnect', resolve).once('error', reject),
  );
  const { serialNumber } = socket.getPeerCertificate();
  socket.destroy();
  return serialNumber;
}

interface Posted {
  readonly status: number | undefined;
  readonly socket: Socket;
}

function post(task: object, token: string, agent = new Agent({ ca })): Promise<Posted> {
  const { text, ...rest } = task as { text: string };
  return new Promise((resolve, reject) => {
    const sent = request(
      {
        ...{ host: '127.0.0.1', port: portOf(gateway.http), servername: HOST, agent },
        ...{ method: 'POST', path: '/api/v1/execute' },
        headers: { 'content-type': 'application/json', authorization: `Bearer ${token}` },
      },
      (answer) => {
        const { socket } = answer;
        answer.resume().on('end', () => resolve({ status: answer.statusCode, socket }));
      },
    );
    sent.on('error', reject).end(JSON.stringify({ ...rest, input: text }));
  });
}
