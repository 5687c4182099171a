/** When a write leaves, over a server that holds back its answers; and what is read of an answer. */
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { getEventListeners, once } from 'node:events';
import { createServer, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { systemClock as clock } from '../clock.ts';
import type { Credentials } from './credentials.ts';
import { type HttpCall, HttpTransport, type HttpTransportOptions } from './http-transport.ts';

/** Over one connection to a server of the test. */
function transportTo(
  server: Server,
  {
    credentials = async () => ({ headers: {}, tls: {} }),
    ...more
  }: Partial<
    Pick<HttpTransportOptions, 'mayWrite'> & { credentials: () => Promise<Credentials> }
  > = {},
): HttpTransport {
  const { port } = server.address() as AddressInfo;
  return new HttpTransport({
    access: {
      server: new URL(`http://127.0.0.1:${port}`),
      credentials,
      refresh: () => undefined,
    },
    ...{ clock, userAgent: 'test', requestTimeoutMs: 5_000, connectionsMax: 1 },
    ...more,
  });
}

describe('a leader that is none any more', () => {
  let server: Server;
  let transport: HttpTransport;
  let leads: boolean;
  /** Requests that arrived, and are not answered yet. */
  let held: ServerResponse[];
  let arrived: (() => void) | undefined;
  beforeEach(async () => {
    leads = true;
    held = [];
    server = createServer((_, response) => {
      held.push(response);
      arrived?.();
    });
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    transport = transportTo(server, { mayWrite: () => leads });
  });
  afterEach(async () => {
    transport.close();
    server.closeAllConnections();
    server.close();
    await once(server, 'close');
  });
  const nextArrival = (): Promise<void> =>
    new Promise((resolve) => {
      arrived = resolve;
    });
  const write = { method: 'PATCH', path: '/apply', body: '{}' } as const;
  const read = { method: 'GET', path: '/' } as const;

  it('sends no write that waited for a connection', async () => {
    const isHeld = nextArrival();
    const first = transport.send(read);
    await isHeld;
    const late = expect(transport.send(write)).rejects.toMatchObject({ reason: 'NotLeader' });
    leads = false;
    held[0]?.end('{}');
    expect(await first).toMatchObject({ status: 200, body: '{}' });
    await late;
    expect(held).toHaveLength(1);
  });

  it('sends no write whose connection was still being made', async () => {
    const late = expect(transport.send(write)).rejects.toMatchObject({ reason: 'NotLeader' });
    leads = false;
    await late;
    expect(held).toHaveLength(0);
  });

  it('reads, and writes with what it reads once it leads again', async () => {
    leads = false;
    for (const call of [read, write]) {
      const isHeld = nextArrival();
      const answer = transport.send(call);
      await isHeld;
      held.at(-1)?.end('{}');
      expect(await answer).toMatchObject({ status: 200 });
      leads = true;
    }
  });
});

describe('an answer', () => {
  let server: Server;
  let transport: HttpTransport;
  let reply: (response: ServerResponse) => void;
  let accepted: (string | undefined)[];
  beforeEach(async () => {
    accepted = [];
    server = createServer(({ headers }, response) => {
      accepted.push(headers.accept);
      reply(response);
    });
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    transport = transportTo(server);
  });
  afterEach(async () => {
    transport.close();
    server.closeAllConnections();
    server.close();
    await once(server, 'close');
  });
  const write: HttpCall = {
    ...{ method: 'POST', path: '/', body: '{}' },
    ...{ accept: 'text/least', isUnread: true },
  };

  it.each([
    ['is left unread where nobody wants it', 201, ''],
    ['is read all the same where it is a refusal', 409, 'taken'],
  ])('%s', async (_, status, body) => {
    reply = (response) => response.writeHead(status).end('taken');
    expect(await transport.send(write)).toMatchObject({ status, body });
    expect(await transport.send({ method: 'GET', path: '/' })).toMatchObject({ body: 'taken' });
    expect(accepted).toEqual(['text/least', 'application/json']);
  });

  it('that breaks off leaves a write unknown', async () => {
    reply = (response) => {
      response.writeHead(201, { 'content-length': '100' });
      response.write('half', () => response.destroy());
    };
    await expect(transport.send(write)).rejects.toMatchObject({ reason: 'OutcomeUnknown' });
  });

  it('is not asked for by who has given up before the credentials were read', async () => {
    const stop = new AbortController();
    const read = Promise.withResolvers<Credentials>();
    const late = transportTo(server, { credentials: () => read.promise });
    reply = (response) => response.end('{}');
    const asked = expect(late.send({ ...write, signal: stop.signal })).rejects.toThrow('enough');
    stop.abort(new Error('enough'));
    read.resolve({ headers: {}, tls: {} });
    await asked;
    late.close();
    expect(accepted).toEqual([]);
  });

  it('is waited for no longer than the caller wants, and leaves nothing with its signal', async () => {
    const stop = new AbortController();
    const listening = () => getEventListeners(stop.signal, 'abort').length;
    reply = (response) => response.end('{}');
    await transport.send({ ...write, signal: stop.signal });
    expect(listening()).toBe(0);
    const isHeld = new Promise<void>((resolve) => {
      reply = () => resolve();
    });
    const held = expect(
      transport.send({ method: 'GET', path: '/', signal: stop.signal }),
    ).rejects.toThrow('enough');
    await isHeld;
    expect(listening()).toBe(1);
    stop.abort(new Error('enough'));
    await held;
  });
});
