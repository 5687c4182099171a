/**
 * The Secrets of a pool's tenants as a pod has them: one folder of files `<tenant in hexadecimal>.<key>`, or a file of that name without a key
 * for a tenant that has none, which the kubelet exchanges as a whole.
 */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { TENANTS_MARKED_FILE } from '../../api/pod-template.ts';
import type { Log } from '../../platform/log.ts';
import { versionOf } from '../../platform/mounted-folder.ts';
import type { TenantSecrets } from '../host/tenant-secrets.ts';

interface Listing {
  /** Of the mount; empty where it is none. */
  readonly version: string;
  readonly files: ReadonlyMap<string, readonly string[]>;
  /** By an operator: a tenant without any file has not been looked at. */
  readonly isMarked: boolean;
}

/** Read when asked for, so an activation never has an old one; the names of the files are listed once per exchange. */
export function tenantSecretsIn(folder: string, log: Log): TenantSecrets {
  let listing: Listing | undefined;
  const listed = (): Listing => {
    const version = versionOf(folder);
    if (listing === undefined || version === '' || listing.version !== version)
      listing = list(folder, version);
    return listing;
  };
  const secretsOf: TenantSecrets = (tenant) => {
    const { version, files, isMarked } = listed();
    const own = files.get(Buffer.from(tenant).toString('hex'));
    if (own === undefined) return isMarked ? undefined : {};
    const secrets = own.filter((file) => file.includes('.'));
    return Object.fromEntries(
      secrets.map((file) => [keyOf(file), readFileSync(join(folder, version, file), 'utf8')]),
    );
  };
  return (tenant) => {
    try {
      return orOnceMore(() => secretsOf(tenant));
    } catch (error) {
      log.error('secrets of a tenant cannot be read', { tenant, err: error });
      // Its agents are not to begin without them.
      return undefined;
    }
  };
}

/** A version may be removed while it is read: then there is a new one. */
function orOnceMore<Value>(read: () => Value): Value {
  try {
    return read();
  } catch (error) {
    if (!isMissing(error)) throw error;
    return read();
  }
}

/** The version itself, as the names in the folder around it may be those of another one. */
function list(folder: string, version: string): Listing {
  const files = new Map<string, string[]>();
  const names = version === '' ? namesIn(folder) : readdirSync(join(folder, version));
  for (const file of names) {
    if (file.startsWith('.')) continue;
    const [tenant = ''] = file.split('.', 1);
    files.set(tenant, [...(files.get(tenant) ?? []), file]);
  }
  return { version, files, isMarked: names.includes(TENANTS_MARKED_FILE) };
}

function namesIn(folder: string): readonly string[] {
  try {
    return readdirSync(folder);
  } catch (error) {
    // A pool without such tenants has no Secret to mount.
    if (isMissing(error)) return [];
    throw error;
  }
}

function isMissing(error: unknown): boolean {
  return (error as NodeJS.ErrnoException).code === 'ENOENT';
}

function keyOf(file: string): string {
  return file.slice(file.indexOf('.') + 1);
}
