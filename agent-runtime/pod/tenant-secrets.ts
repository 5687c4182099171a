/**
 * The Secrets of a pool's tenants as a pod has them: one folder of files `<tenant in hexadecimal>.<key>`, or a file of that name without a key
 * for a tenant that has none, which the kubelet exchanges as a whole.
 */
import { readdirSync, readFileSync, readlinkSync } from 'node:fs';
import { join } from 'node:path';
import { TENANTS_MARKED_FILE } from '../../api/pod-template.ts';
import type { Log } from '../../platform/log.ts';
import type { TenantSecrets } from '../host/tenant-secrets.ts';

/** What a mounted Secret is exchanged by. */
const MOUNT_LINK = '..data';

interface Listing {
  /** Of the mount as it was listed. */
  readonly version: string;
  readonly files: ReadonlyMap<string, readonly string[]>;
  /** By an operator: a tenant without any file has not been looked at. */
  readonly isMarked: boolean;
}

/** Read when asked for, so an activation never has an old one; the names of the files are listed once per exchange. */
export function tenantSecretsIn(folder: string, log: Log): TenantSecrets {
  let listing: Listing | undefined;
  const filesOf = (tenant: string): readonly string[] | undefined => {
    const version = versionOf(folder);
    if (listing === undefined || version === '' || listing.version !== version)
      listing = list(folder, version);
    return (
      listing.files.get(Buffer.from(tenant).toString('hex')) ?? (listing.isMarked ? undefined : [])
    );
  };
  return (tenant) => {
    try {
      const files = filesOf(tenant)?.filter((file) => file.includes('.'));
      return (
        files &&
        Object.fromEntries(
          files.map((file) => [keyOf(file), readFileSync(join(folder, file), 'utf8')]),
        )
      );
    } catch (error) {
      log.error('secrets of a tenant cannot be read', { tenant, err: error });
      return {};
    }
  };
}

function list(folder: string, version: string): Listing {
  const files = new Map<string, string[]>();
  const names = namesIn(folder);
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
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return [];
    throw error;
  }
}

function keyOf(file: string): string {
  return file.slice(file.indexOf('.') + 1);
}

/** Empty: not a mount; then it is listed each time. */
function versionOf(folder: string): string {
  try {
    return readlinkSync(join(folder, MOUNT_LINK));
  } catch {
    return '';
  }
}
