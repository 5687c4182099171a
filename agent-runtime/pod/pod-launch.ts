/** How a runtime in a pod was launched: its environment and the Secret of its pool make the same configuration that others read from standard input. */
import { poolKeyOf } from '../../core/identifiers.ts';
import { bundleAgentModule } from '../../platform/bundle/bundle-agent-module.ts';
import type { Clock } from '../../platform/clock.ts';
import { hostAndPort } from '../../platform/host-and-port.ts';
import type { Log } from '../../platform/log.ts';
import type { Random } from '../../platform/random.ts';
import {
  type RedisPlace,
  redisPlaceOf,
  STORE_FILES,
  type StoreFile,
} from '../../platform/store/redis/redis-secret.ts';
import { runtimeIdentity } from '../../platform/tls/identities.ts';
import { type Followed, openSecretFolder } from '../../platform/tls/secret-folder.ts';
import { type TlsMaterial, tlsMaterialOf } from '../../platform/tls/tls-material.ts';
import type { LaunchConfig } from '../launch.ts';
import type { PodIdentity } from './pod-environment.ts';

/** The Secret of the pool's runtimes. */
export interface RuntimeSecret extends TlsMaterial {
  readonly poolKey: string;
  readonly store: RedisPlace;
}

const REQUIRED = ['key', 'ca.crt', 'tls.crt', 'tls.key', 'store-url'] as const;
const OPTIONAL = STORE_FILES.optional.map((file) => `store-${file}` as const);

/** Rejects with SecretFolderError. */
export function openRuntimeSecret(
  path: string,
  ports: { readonly clock: Clock; readonly log: Log },
): Promise<Followed<RuntimeSecret>> {
  return openSecretFolder({
    path,
    required: REQUIRED,
    optional: OPTIONAL,
    accept: (files) => ({
      ...tlsMaterialOf(files),
      poolKey: files.key,
      store: redisPlaceOf((file: StoreFile) => files[`store-${file}`]),
    }),
    ...ports,
  });
}

export interface PodLaunch {
  readonly identity: PodIdentity;
  readonly secret: Followed<RuntimeSecret>;
  readonly port: number;
  readonly modulePath: string;
  readonly workerPath?: string;
  readonly random: Random;
}

export function podLaunch(pod: PodLaunch): LaunchConfig {
  const { identity, secret, port, modulePath, workerPath, random } = pod;
  const { namespace, pool, name, role, revision, ip, logLevel, graceMs } = identity;
  return {
    namespace,
    pool,
    name,
    // A pod restarts its container in place, under the same name.
    incarnation: `${name}.${random.id()}`,
    role,
    revision,
    listen: {
      type: 'network',
      address: hostAndPort(ip, port),
      tls: secret,
      serverName: runtimeIdentity(poolKeyOf({ namespace, name: pool })),
    },
    key: secret.current.poolKey,
    store: { type: 'redis', ...secret.current.store },
    modulePath,
    logLevel,
    ...(graceMs === undefined ? {} : { graceMs }),
    ...(workerPath === undefined ? {} : { workerPath }),
  };
}

/** Throws BundleError. A module of a ConfigMap finds the packages of the image, too. */
export async function bundleForPod(
  { module }: PodIdentity,
  folders: { readonly working: string; readonly writable: string },
): Promise<string> {
  const { file } = await bundleAgentModule({
    module,
    from: folders.working,
    packages: `${folders.working}/node_modules`,
    outFolder: `${folders.writable}/module`,
  });
  return file;
}
