/** A hundred runtimes as a gateway sees them, in one process: servers with mutual TLS, records in the store, no agents behind them. */
import type { Server } from '@grpc/grpc-js';
import { systemClock as clock } from '../../platform/clock.ts';
import { serverOptions } from '../../platform/grpc/grpc-options.ts';
import { type GrpcServer, startGrpcServer } from '../../platform/grpc/grpc-server.ts';
import { serverTls } from '../../platform/grpc/grpc-tls.ts';
import { addRuntimeService } from '../../platform/link/grpc-link-listen.ts';
import { createLinkServer } from '../../platform/link/link-server.ts';
import type { RuntimeRecord, Store } from '../../platform/store/store.ts';
import { runtimeIdentity } from '../../platform/tls/identities.ts';
import type { KeyPairPem } from '../../platform/tls/issue-certificate.ts';
import { poolRuntimeKey } from '../../platform/tls/pool-key.ts';
import { issueFor } from '../../test/builders/certificates.ts';
import { spec } from '../../test/builders/pool-builders.ts';

const POOL = 'default~main';
const LEASE_MS = 10 * 60_000;
const MESSAGE_BYTES_MAX = 32 * 1024 * 1024;

export interface ManyRuntimes {
  /** Links that gateways have opened so far. */
  readonly linked: number;
  stop(): Promise<void>;
}

export async function manyRuntimes(
  count: number,
  store: Store,
  { authority, key }: { readonly authority: KeyPairPem; readonly key: string },
): Promise<ManyRuntimes> {
  const pair = await issueFor(authority, runtimeIdentity(POOL));
  const current = { certificate: pair.certificate, key: pair.key, ca: authority.certificate };
  await store.putPool({
    key: POOL,
    generation: 1,
    spec: spec({}),
    status: { conditions: [], tiers: [] },
    revision: 'r1',
  });
  const servers: GrpcServer[] = [];
  const linked = new Set<string>();
  for (let index = 0; index < count; index += 1) {
    const incarnation = `runtime-${index}`;
    const links = createLinkServer(
      { incarnation, revision: 'r1', maxConcurrentTasks: 100 },
      { task: () => undefined, call: async () => ({}) },
      clock,
    );
    const register = (server: Server): void =>
      addRuntimeService(
        server,
        {
          key: poolRuntimeKey(key, POOL),
          incarnation,
          accept(channel) {
            linked.add(incarnation);
            links.accept(channel);
          },
          bind: async () => undefined,
          yieldProject: async () => false,
        },
        clock,
      );
    const start = {
      listen: '127.0.0.1:0',
      options: serverOptions({ messageBytesMax: MESSAGE_BYTES_MAX }),
      credentials: serverTls({ current, onChange: () => () => undefined }),
      register,
    };
    const server = await startGrpcServer(start, clock);
    servers.push(server);
    await store.heartbeat(recordOf(incarnation, server.address), LEASE_MS);
  }
  return {
    get linked() {
      return linked.size;
    },
    async stop() {
      await Promise.all(servers.map((server) => server.stop(0)));
    },
  };
}

function recordOf(incarnation: string, address: string): RuntimeRecord {
  return {
    incarnation,
    name: incarnation,
    pool: POOL,
    address,
    role: 'shared',
    revision: 'r1',
    protocolMin: 1,
    protocolMax: 1,
    maxConcurrentTasks: 100,
    agents: [],
    ready: true,
    draining: false,
    instances: { HOT: 0, WARM: 0, COLD: 0 },
    blanks: 0,
  };
}
