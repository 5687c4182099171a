/** A server of ours: real ports, clear errors, a stop that waits and one that does not. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Client, credentials, type Server, type ServiceDefinition } from '@grpc/grpc-js';
import { describe, expect, it } from '@jest/globals';
import { systemClock as clock } from '../clock.ts';
import { channelOptions, serverOptions } from './grpc-options.ts';
import { startGrpcServer, type GrpcServer } from './grpc-server.ts';

const identity = (bytes: Buffer): Buffer => bytes;
const ECHO: ServiceDefinition = {
  Echo: {
    path: '/t.T/Echo',
    requestStream: false,
    responseStream: false,
    requestSerialize: identity,
    requestDeserialize: identity,
    responseSerialize: identity,
    responseDeserialize: identity,
  },
};
const BYTES_MAX = 1024;

type Reply = (error: null, answer: Buffer) => void;

function start(
  listen: string,
  echo: (request: Buffer, reply: Reply) => void = (request, reply) => reply(null, request),
): Promise<GrpcServer> {
  const register = (server: Server): void =>
    server.addService(ECHO, {
      Echo: (call: { request: Buffer }, reply: Reply) => echo(call.request, reply),
    });
  return startGrpcServer(
    { listen, options: serverOptions({ messageBytesMax: BYTES_MAX }), register },
    clock,
  );
}

function ask(address: string, body: Buffer, bytesMax = BYTES_MAX): Promise<Buffer> {
  const client = new Client(address, credentials.createInsecure(), channelOptions(bytesMax));
  return new Promise<Buffer>((resolve, reject) => {
    client.makeUnaryRequest('/t.T/Echo', identity, identity, body, (error, answer) => {
      client.close();
      if (answer === undefined) reject(error ?? new Error('no answer'));
      else resolve(answer);
    });
  });
}

describe('startGrpcServer', () => {
  it('says which port it got for port 0', async () => {
    const server = await start('127.0.0.1:0');
    expect(server.port).toBeGreaterThan(0);
    expect(server.address).toBe(`127.0.0.1:${server.port}`);
    expect(await ask(server.address, Buffer.from('hello'))).toEqual(Buffer.from('hello'));
    await server.stop(0);
  });

  it('listens on a Unix socket', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'agentpool-grpc-'));
    const server = await start(`unix:${join(folder, 's.sock')}`);
    expect(server).toMatchObject({ address: `unix:${join(folder, 's.sock')}`, port: undefined });
    expect(await ask(server.address, Buffer.from('hello'))).toEqual(Buffer.from('hello'));
    await server.stop(0);
    rmSync(folder, { recursive: true });
  });

  it.each([
    [
      'a taken port',
      (taken: GrpcServer) => taken.address,
      'the address is taken by another process',
    ],
    ['an address of another machine', () => '192.0.2.1:0', 'this machine has no such address'],
  ])('says clearly that it cannot have %s', async (_name, addressOf, problem) => {
    const taken = await start('127.0.0.1:0');
    const address = addressOf(taken);
    await expect(start(address)).rejects.toThrow(
      `cannot listen for gRPC on ${address}: ${problem}`,
    );
    await taken.stop(0);
  });

  it('bounds messages in both directions', async () => {
    const server = await start('127.0.0.1:0', (_request, reply) =>
      reply(null, Buffer.alloc(BYTES_MAX + 1)),
    );
    await expect(ask(server.address, Buffer.alloc(BYTES_MAX + 1), 10 * BYTES_MAX)).rejects.toThrow(
      'RESOURCE_EXHAUSTED',
    );
    await expect(ask(server.address, Buffer.alloc(1), 10 * BYTES_MAX)).rejects.toThrow(
      'RESOURCE_EXHAUSTED',
    );
    await expect(ask(server.address, Buffer.alloc(BYTES_MAX + 1))).rejects.toThrow(
      'RESOURCE_EXHAUSTED',
    );
    await server.stop(0);
  });

  it('lets running calls end when it stops', async () => {
    const { promise: arrived, resolve: arrive } = Promise.withResolvers<() => void>();
    const server = await start('127.0.0.1:0', (request, reply) =>
      arrive(() => reply(null, request)),
    );
    const answer = ask(server.address, Buffer.from('last'));
    const reply = await arrived;
    const stopped = server.stop(60_000);
    reply();
    expect(await answer).toEqual(Buffer.from('last'));
    await stopped;
    await expect(ask(server.address, Buffer.from('late'))).rejects.toThrow('UNAVAILABLE');
  });

  it('cuts off those that take longer than the grace', async () => {
    const { promise: arrived, resolve: arrive } = Promise.withResolvers<undefined>();
    const server = await start('127.0.0.1:0', () => arrive(undefined));
    const answer = ask(server.address, Buffer.from('endless'));
    answer.catch(() => undefined);
    await arrived;
    await server.stop(20);
    await expect(answer).rejects.toThrow();
  });
});

describe('serverOptions', () => {
  it('sets a connection age only where one is wanted', () => {
    expect(serverOptions({ messageBytesMax: 1 })).not.toHaveProperty([
      'grpc.max_connection_age_ms',
    ]);
    expect(
      serverOptions({
        messageBytesMax: 1,
        connectionAgeMsMax: 5,
        connectionAgeGraceMs: 6,
        streamsPerConnectionMax: 7,
      }),
    ).toMatchObject({
      'grpc.max_connection_age_ms': 5,
      'grpc.max_connection_age_grace_ms': 6,
      'grpc.max_concurrent_streams': 7,
    });
  });
});
