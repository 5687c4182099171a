/** What the runtimes of a pool are given as files: their key, their certificate, and where the store is. */
import type { PoolKey } from '../../core/identifiers.ts';
import { textOf } from '../../operator/drivers/kubernetes/pool-objects.ts';
import type { Clock } from '../../platform/clock.ts';
import type { Secret } from '../../platform/kube/resources.ts';
import type { Log } from '../../platform/log.ts';
import type { PoolUsers } from '../../platform/store/redis/pool-users.ts';
import {
  filesInPlace,
  placeFilesOf,
  redisPlaceOf,
  STORE_FILES,
} from '../../platform/store/redis/redis-secret.ts';
import type { KeyPairPem } from '../../platform/tls/issue-certificate.ts';
import { poolRuntimeKey } from '../../platform/tls/pool-key.ts';
import {
  type Followed,
  openSecretFolder,
  SecretFolderError,
} from '../../platform/tls/secret-folder.ts';
import { tlsMaterialOf } from '../../platform/tls/tls-material.ts';
import { CliError } from '../exit-code.ts';
import { RuntimeCertificates } from './runtime-certificates.ts';
import type { LinkSecret } from './secret-folders.ts';
import { storeFilesFor } from './store-users.ts';

export interface RuntimeSecretSources {
  readonly link: Pick<Followed<LinkSecret>, 'current'>;
  readonly authority: Pick<Followed<KeyPairPem>, 'current'>;
  /** As they are in the folder of the store. */
  readonly store: Pick<Followed<Readonly<Record<string, string>>>, 'current'>;
  /** Left out: all pools are in the store as whom the folder says. */
  readonly users?: Pick<PoolUsers, 'ensure' | 'of'>;
  readonly clock: Clock;
  readonly log: Log;
}

/** Where the store is stays what it is now; whatever else changes in the folders is in what is made next. */
export function runtimeSecretFiles(sources: RuntimeSecretSources) {
  const { link, store, users } = sources;
  const certificates = new RuntimeCertificates(sources);
  const place = placeFilesOf(store.current);
  return async (
    pool: PoolKey,
    before: Secret | undefined,
  ): Promise<Readonly<Record<string, string>>> => {
    const { installationKey } = link.current;
    const files = await storeFilesFor(pool, filesInPlace(store.current, place), users);
    const pair = await certificates.pairFor(pool, pairIn(before));
    const storeFiles = Object.entries(files).map(([name, text]) => [`store-${name}`, text]);
    return {
      ...(Object.fromEntries(storeFiles) as Record<string, string>),
      'tls.crt': pair.certificate,
      'tls.key': pair.key,
      key: poolRuntimeKey(installationKey, pool),
      'ca.crt': certificates.ca,
    };
  };
}

function pairIn(secret: Secret | undefined): KeyPairPem | undefined {
  const [certificate, key] = [textOf(secret, 'tls.crt'), textOf(secret, 'tls.key')];
  return certificate === undefined || key === undefined ? undefined : { certificate, key };
}

/** `--link-ca`: the authority inside. Rejects with a CliError that names the file. */
export function openAuthority(
  path: string,
  ports: { readonly clock: Clock; readonly log: Log },
): Promise<Followed<KeyPairPem>> {
  return openSecretFolder({
    path,
    required: ['tls.crt', 'tls.key'],
    optional: [],
    accept: tlsMaterialOf,
    ...ports,
  }).catch(asCliError);
}

/** `--store`, as text: runtimes get the same. Rejects with a CliError that names the file. */
export function openStoreFiles(
  path: string,
  ports: { readonly clock: Clock; readonly log: Log },
): Promise<Followed<Readonly<Record<string, string>>>> {
  return openSecretFolder({
    path,
    ...STORE_FILES,
    accept: (files): Readonly<Record<string, string>> => {
      // What we could not connect with, runtimes could not either.
      redisPlaceOf((name) => files[name]);
      return files;
    },
    ...ports,
  }).catch(asCliError);
}

function asCliError(error: unknown): never {
  throw error instanceof SecretFolderError ? new CliError(error.message) : error;
}
