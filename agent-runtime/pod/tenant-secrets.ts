/** The Secrets of a pool's tenants as a pod has them: one folder of files `<tenant in hexadecimal>.<key>`, which the kubelet exchanges as a whole. */
import { readdirSync, readFileSync, readlinkSync } from 'node:fs';
import { join } from 'node:path';
import type { Log } from '../../platform/log.ts';
import type { TenantSecrets } from '../host/tenant-secrets.ts';

/** What a mounted Secret is exchanged by. */
const MOUNT_LINK = '..data';

interface Listing {
  /** Of the mount as it was listed. */
  readonly version: string;
  readonly files: ReadonlyMap<string, readonly string[]>;
}

/** Read when asked for, so an activation never has an old one; the names of the files are listed once per exchange. */
export function tenantSecretsIn(folder: string, log: Log): TenantSecrets {
  let listing: Listing | undefined;
  const filesOf = (tenant: string): readonly string[] => {
    const version = versionOf(folder);
    if (listing === undefined || version === '' || listing.version !== version)
      listing = { version, files: list(folder) };
    return listing.files.get(Buffer.from(tenant).toString('hex')) ?? [];
  };
  return (tenant) => {
    try {
      return Object.fromEntries(
        filesOf(tenant).map((file) => [keyOf(file), readFileSync(join(folder, file), 'utf8')]),
      );
    } catch (error) {
      log.error('secrets of a tenant cannot be read', { tenant, err: error });
      return {};
    }
  };
}

function list(folder: string): ReadonlyMap<string, readonly string[]> {
  const byTenant = new Map<string, string[]>();
  for (const file of namesIn(folder)) {
    if (file.startsWith('.') || !file.includes('.')) continue;
    const tenant = file.slice(0, file.indexOf('.'));
    byTenant.set(tenant, [...(byTenant.get(tenant) ?? []), file]);
  }
  return byTenant;
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
