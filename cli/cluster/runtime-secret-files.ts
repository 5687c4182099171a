/** What the runtimes of a pool are given as files: their key, their certificate, and where the store is. */
import type { PoolKey } from '../../core/identifiers.ts';
import { textOf } from '../../operator/drivers/kubernetes/pool-objects.ts';
import type { Clock } from '../../platform/clock.ts';
import type { Secret } from '../../platform/kube/resources.ts';
import type { Log } from '../../platform/log.ts';
import {
  filesInPlace,
  placeFilesOf,
  STORE_FILES,
} from '../../platform/store/redis/redis-secret.ts';
import { runtimeIdentity } from '../../platform/tls/identities.ts';
import type { KeyPairPem } from '../../platform/tls/issue-certificate.ts';
import { isRenewalDue } from '../../platform/tls/is-renewal-due.ts';
import { poolRuntimeKey } from '../../platform/tls/pool-key.ts';
import {
  type Followed,
  openSecretFolder,
  SecretFolderError,
} from '../../platform/tls/secret-folder.ts';
import { CliError } from '../exit-code.ts';
import type { LinkSecret } from './secret-folders.ts';

export interface RuntimeSecretSources {
  readonly link: Pick<Followed<LinkSecret>, 'current'>;
  readonly authority: Pick<Followed<KeyPairPem>, 'current'>;
  /** As they are in the folder of the store. */
  readonly store: Pick<Followed<Readonly<Record<string, string>>>, 'current'>;
  readonly clock: Clock;
}

/** Certificates of runtimes are renewed at two thirds of this. */
const LIFETIME_MS = 90 * 24 * 60 * 60 * 1_000;

/** Where the store is stays what it is now; whatever else changes in the folders is in what is made next. */
export function runtimeSecretFiles({ link, authority, store, clock }: RuntimeSecretSources) {
  const place = placeFilesOf(store.current);
  return async (
    pool: PoolKey,
    before: Secret | undefined,
  ): Promise<Readonly<Record<string, string>>> => {
    const { installationKey, ca } = link.current;
    const files = Object.entries(filesInPlace(store.current, place));
    const storeFiles = files.map(([name, text]) => [`store-${name}`, text]);
    return {
      ...(Object.fromEntries(storeFiles) as Record<string, string>),
      ...(await pairOf(pool, before, authority.current, clock)),
      key: poolRuntimeKey(installationKey, pool),
      'ca.crt': ca ?? authority.current.certificate,
    };
  };
}

async function pairOf(
  pool: PoolKey,
  before: Secret | undefined,
  authority: KeyPairPem,
  clock: Clock,
): Promise<Readonly<Record<'tls.crt' | 'tls.key', string>>> {
  const dnsNames: readonly [string] = [runtimeIdentity(pool)];
  const nowMs = clock.wallMs();
  const [certificate, key] = [textOf(before, 'tls.crt'), textOf(before, 'tls.key')];
  const wanted = { dnsNames, authorityPem: authority.certificate, nowMs };
  if (certificate !== undefined && key !== undefined && !isRenewalDue(certificate, wanted))
    return { 'tls.crt': certificate, 'tls.key': key };
  // Its packages are a tenth of what the operator starts with, and one that stands by never needs them.
  const { issueCertificate } = await import('../../platform/tls/issue-certificate.ts');
  const made = await issueCertificate(authority, { dnsNames, lifetimeMs: LIFETIME_MS, nowMs });
  return { 'tls.crt': made.certificate, 'tls.key': made.key };
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
    accept: (files) => ({ certificate: files['tls.crt'], key: files['tls.key'] }),
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
    accept: (files): Readonly<Record<string, string>> => files,
    ...ports,
  }).catch(asCliError);
}

function asCliError(error: unknown): never {
  throw error instanceof SecretFolderError ? new CliError(error.message) : error;
}
