/** Folders that the kubelet mounts Secrets and ConfigMaps as: all files are exchanged by one rename. Knows nothing of what is in them. */
import { readlinkSync } from 'node:fs';
import { join } from 'node:path';

/** The link that is exchanged. The names beside it are links through it, made and removed one by one, some before the exchange and some after it. */
export const MOUNT_LINK = '..data';

/**
 * The folder in this one which has all files of one version; it never changes, and is removed soon after the next one has come. Empty: not such
 * a mount, the files are in the folder itself.
 */
export function versionOf(folder: string): string {
  try {
    return readlinkSync(join(folder, MOUNT_LINK));
  } catch {
    return '';
  }
}
