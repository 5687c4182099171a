/**
 * What a runtime is told when it starts. Started by a process: one line of JSON on standard input, which then stays open as long as
 * whoever started it lives; secrets come this way only, never by arguments or environment. In a pod: see pod/pod-launch.ts.
 */
import { z } from 'zod';
import { POOL_PART_PATTERN } from '../core/identifiers.ts';
import { LOG_LEVELS, type LogLevel } from '../platform/log.ts';
import type { RedisPlace } from '../platform/store/redis/redis-secret.ts';
import type { TlsSource } from '../platform/tls/tls-material.ts';

/** Longest line that is read. */
export const LAUNCH_BYTES_MAX = 65_536;

export interface LaunchConfig {
  readonly namespace: string;
  readonly pool: string;
  /** The driver's name of this runtime: the same after a restart in place. */
  readonly name: string;
  /** Unique for this start of the process. */
  readonly incarnation: string;
  /** `shared`: many WARM and COLD projects; `dedicated`: one project, HOT, bound later. */
  readonly role: 'shared' | 'dedicated';
  /** Of what this process runs; the pool's may move on. */
  readonly revision: string;
  readonly listen: Listen;
  /** What gateways, peers and the operator must present. */
  readonly key: string;
  readonly store: StorePlace;
  /** Absolute path of the bundled agent module. */
  readonly modulePath: string;
  readonly logLevel: LogLevel;
  /** Of the pod, in ms: it is ended so long after it was told to leave. */
  readonly graceMs?: number;
  /** The bundled entry of worker threads; left out: the source, for development. */
  readonly workerPath?: string;
}

/** `address`: the gRPC target to listen on, which others are told, too. */
export type Listen =
  /** Plain: who may open the socket is the folder's business. */
  | { readonly type: 'socket'; readonly address: string }
  /** Mutual TLS, this runtime and its peers alike. */
  | {
      readonly type: 'network';
      readonly address: string;
      readonly tls: TlsSource;
      /** In the certificate of every runtime of the pool. */
      readonly serverName: string;
    };

export type StorePlace =
  /** Where the store's server listens, and this pool's way in. */
  | { readonly type: 'socket'; readonly path: string; readonly token: string }
  | ({ readonly type: 'redis' } & RedisPlace);

const lineSchema = z.strictObject({
  namespace: z.string().regex(POOL_PART_PATTERN),
  pool: z.string().regex(POOL_PART_PATTERN),
  incarnation: z.string().min(1).max(253),
  role: z.enum(['shared', 'dedicated']),
  revision: z.string().min(1).max(253),
  listen: z.string().regex(/^unix:\/./),
  key: z.string().min(1),
  store: z.strictObject({ path: z.string().min(1), token: z.string().min(1) }),
  modulePath: z.string().min(1),
  logLevel: z.enum(LOG_LEVELS),
  workerPath: z.string().min(1).exactOptional(),
});

/** Throws with all that is wrong in one sentence; values are not repeated, some of them are secrets. */
export function parseLaunch(line: string): LaunchConfig {
  const parsed = lineSchema.safeParse(jsonOf(line));
  if (!parsed.success) {
    const problems = parsed.error.issues.map(
      ({ path, message }) => `${path.join('.')}: ${message}`,
    );
    throw new Error(`the launch configuration is not valid: ${problems.join('; ')}`);
  }
  const { listen, store, ...rest } = parsed.data;
  return {
    ...rest,
    // A process is never restarted in place.
    name: rest.incarnation,
    listen: { type: 'socket', address: listen },
    store: { type: 'socket', ...store },
  };
}

function jsonOf(line: string): unknown {
  try {
    return JSON.parse(line);
  } catch {
    throw new Error('the launch configuration is not valid: not one line of JSON');
  }
}
