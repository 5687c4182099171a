/** The link's promises over gRPC on a Unix socket, and what only gRPC has: the key, the pairing of streams, peers. */
import { mkdtempSync, rmSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Client, credentials } from '@grpc/grpc-js';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { AppError } from '../../core/errors.ts';
import { agentRuntimeService } from '../../proto/internal-service.ts';
import { linkConformance } from '../../test/conformance/link.ts';
import { RecordingHandler } from '../../test/fakes/recording-handler.ts';
import { record } from '../../test/fakes/task-recorder.ts';
import { systemClock as clock } from '../clock.ts';
import { serverOptions } from '../grpc/grpc-options.ts';
import { startGrpcServer, type GrpcServer } from '../grpc/grpc-server.ts';
import { systemRandom as random } from '../random.ts';
import { createGrpcDial, LINK_MESSAGE_BYTES_MAX, LINK_METADATA } from './grpc-link-dial.ts';
import { addRuntimeService, type RuntimeService } from './grpc-link-listen.ts';
import { createGrpcPeer } from './grpc-peer.ts';
import { keyMetadata } from './grpc-runtime-client.ts';
import { connectRuntimeControl } from './grpc-runtime-control.ts';
import { createRuntimeLink } from './link-client.ts';
import { LINK_TIMES } from './link-limits.ts';
import { createLinkServer, type LinkServer, type LinkServerOptions } from './link-server.ts';
import type { LinkEvents, RuntimeLink, TaskHandler } from './task-link.ts';

const KEY = 'the-pool-key';
const SILENT: LinkEvents = {
  stateChanged: () => undefined,
  creditChanged: () => undefined,
  moved: () => undefined,
  draining: () => undefined,
};

interface Runtime {
  readonly server: LinkServer;
  readonly grpc: GrpcServer;
  readonly address: string;
}

async function startRuntime(
  listen: string,
  options: LinkServerOptions,
  handler: TaskHandler,
  service: Partial<RuntimeService> = {},
): Promise<Runtime> {
  const server = createLinkServer(options, handler, clock);
  const grpc = await startGrpcServer(
    {
      listen,
      options: serverOptions({ messageBytesMax: LINK_MESSAGE_BYTES_MAX }),
      register: (to) =>
        addRuntimeService(
          to,
          {
            key: KEY,
            incarnation: options.incarnation,
            accept: server.accept,
            bind: async () => undefined,
            yieldProject: async () => true,
            ...service,
          },
          clock,
        ),
    },
    clock,
  );
  return { server, grpc, address: grpc.address };
}

function connect(address: string, events: LinkEvents, key = KEY): RuntimeLink {
  return createRuntimeLink(
    { gateway: 'gateway', incarnation: 'runtime-1', address, times: LINK_TIMES },
    { dial: createGrpcDial({ key }, random), clock, random, events },
  );
}

async function bind(address: string, project: string, key = KEY): Promise<void> {
  const control = connectRuntimeControl({ address, key }, clock);
  try {
    await control.bind(project, 1_000);
  } finally {
    control.close();
  }
}

linkConformance('gRPC', async (options, handler) => {
  const folder = mkdtempSync(join(tmpdir(), 'agentpool-link-'));
  const runtime = await startRuntime(`unix:${join(folder, 'r.sock')}`, options, handler);
  const links: RuntimeLink[] = [];
  return {
    server: runtime.server,
    connect(events) {
      const link = connect(runtime.address, events);
      links.push(link);
      return link;
    },
    breakAll: () => runtime.server.close('crashed'),
    async close() {
      links.forEach((link) => link.close());
      await runtime.grpc.stop(100);
      rmSync(folder, { recursive: true });
    },
  };
});

describe('the runtime service over gRPC', () => {
  const options: LinkServerOptions = {
    incarnation: 'runtime-1',
    revision: 'r1',
    maxConcurrentTasks: 5,
  };
  let folder: string;
  let runtime: Runtime;
  let service: { bound: unknown[]; yields: boolean };

  beforeEach(async () => {
    folder = mkdtempSync(join(tmpdir(), 'agentpool-link-'));
    service = { bound: [], yields: true };
    runtime = await startRuntime(
      `unix:${join(folder, 'r.sock')}`,
      options,
      new RecordingHandler(),
      {
        async bind(project) {
          if (service.bound.length > 0) throw new AppError('INTERNAL', 'bound already');
          service.bound.push(project);
        },
        yieldProject: async () => service.yields,
      },
    );
  });
  afterEach(async () => {
    await runtime.grpc.stop(0);
    rmSync(folder, { recursive: true });
  });

  it.each(['', 'the-pool-keY', 'another'])('lets nobody in with the key %j', async (key) => {
    const { promise, resolve } = Promise.withResolvers<unknown>();
    const link = connect(
      runtime.address,
      {
        ...SILENT,
        stateChanged: (changed) =>
          changed.state === 'backoff' && resolve(changed.call({ method: 'metrics' }, 1)),
      },
      key,
    );
    await expect(promise).rejects.toMatchObject({
      message: expect.stringContaining('UNAUTHENTICATED'),
    });
    link.close();
    expect(runtime.server.hub.links).toBe(0);
    const peer = createGrpcPeer({ key }, clock);
    await expect(bind(runtime.address, 'p', key)).rejects.toMatchObject({
      reason: 'TOKEN_INVALID',
    });
    expect(await peer.yieldProject(runtime.address, 'p', 1_000)).toBe(false);
    expect(service.bound).toEqual([]);
  });

  it('binds once, over TCP as well', async () => {
    const tcp = await startRuntime('127.0.0.1:0', options, new RecordingHandler());
    await bind(tcp.address, 'p');
    await bind(runtime.address, 'p');
    expect(service.bound).toEqual(['p']);
    await expect(bind(runtime.address, 'q')).rejects.toMatchObject({ reason: 'INTERNAL' });
    await expect(bind('unix:/nowhere.sock', 'q')).rejects.toMatchObject({
      reason: 'DEADLINE',
    });
    await tcp.grpc.stop(0);
  });

  it('tells a live runtime from a silent one and from none', async () => {
    const frozen = createServer(() => undefined);
    const path = join(folder, 'frozen.sock');
    await new Promise<void>((resolve) => frozen.listen(path, resolve));
    const sockets: { destroy(): void }[] = [];
    frozen.on('connection', (socket) => sockets.push(socket));
    const peer = createGrpcPeer({ key: KEY }, clock);
    expect(await peer.ping(runtime.address, 5_000)).toBe('alive');
    expect(await peer.ping(`unix:${path}`, 200)).toBe('silent');
    expect(await peer.ping(`unix:${join(folder, 'none.sock')}`, 5_000)).toBe('refused');
    expect(await peer.ping('127.0.0.1:1', 5_000)).toBe('refused');
    sockets.forEach((socket) => socket.destroy());
    frozen.close();
  });

  it('asks an owner to let go', async () => {
    const peer = createGrpcPeer({ key: KEY }, clock);
    expect(await peer.yieldProject(runtime.address, 'p', 100)).toBe(true);
    service.yields = false;
    expect(await peer.yieldProject(runtime.address, 'p', 100)).toBe(false);
    expect(await peer.yieldProject('unix:/nowhere.sock', 'p', 100)).toBe(false);
  });

  it('refuses a stream without a link id and a third one of a link', async () => {
    const client = new Client(runtime.address, credentials.createInsecure());
    const open = (link: string): Promise<string> => {
      const metadata = keyMetadata(KEY);
      if (link !== '') metadata.set(LINK_METADATA, link);
      const { path, requestSerialize, responseDeserialize } = agentRuntimeService.Control;
      const stream = client.makeBidiStreamRequest(
        path,
        requestSerialize,
        responseDeserialize,
        metadata,
      );
      return new Promise((resolve) => stream.on('error', (error) => resolve(error.message)));
    };
    expect(await open('')).toContain('no agentpool-link');
    const first = open('one');
    expect(await Promise.race([open('one'), first])).toContain('has its control stream already');
    client.close();
  });

  it('says that the address refused when nobody listens any more', async () => {
    const { promise, resolve } = Promise.withResolvers<unknown>();
    const link = connect(`unix:${join(folder, 'none.sock')}`, {
      ...SILENT,
      stateChanged: (changed) => changed.state === 'backoff' && resolve(record(changed).done),
    });
    expect(await promise).toMatchObject({ type: 'lost', ran: false, refused: true });
    link.close();
  });
});
