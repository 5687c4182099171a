/** What a runtime host takes from the machine (or from the simulation), and who it is. */
import type { PoolKey } from '../../core/identifiers.ts';
import type { Clock } from '../../platform/clock.ts';
import type { LinkHub, PeerClient } from '../../platform/link/task-link.ts';
import type { Log } from '../../platform/log.ts';
import type { Metrics } from '../../platform/metrics/registry.ts';
import type { Random } from '../../platform/random.ts';
import type { Store } from '../../platform/store/store.ts';
import type { StartWorker } from '../worker/protocol.ts';
import type { TenantSecrets } from './tenant-secrets.ts';
import type { ProcessMemory } from './watchdog.ts';

export interface HostPorts {
  readonly clock: Clock;
  readonly random: Random;
  readonly store: Store;
  readonly log: Log;
  readonly metrics: Metrics;
  readonly startWorker: StartWorker;
  readonly hub: LinkHub;
  readonly peers: PeerClient;
  processMemory(): ProcessMemory;
  /** Absent: no tenant has any here. */
  readonly tenantSecrets?: TenantSecrets;
}

export interface HostIdentity {
  /** Unique for each start. */
  readonly incarnation: string;
  /** The driver's name of this runtime: the same after a restart in place. */
  readonly name: string;
  readonly pool: PoolKey;
  /** gRPC target under which gateways and peers reach it. */
  readonly address: string;
  readonly role: 'shared' | 'dedicated';
  readonly revision: string;
  /** The bundled agent module. */
  readonly modulePath: string;
  /** It is ended so long after it was told to leave; absent: whoever tells it waits as long as the pool's tasks may run. */
  readonly graceMs?: number | undefined;
}
