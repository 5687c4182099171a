/** The name of the copy of a module: the same for every operator, another one for another content. */
import { createHash } from 'node:crypto';
import type { MountedModule } from '../../pool/wanted-pool.ts';

const HASH_CHARACTERS = 12;

export function copyName(pool: string, { key, digest }: MountedModule): string {
  const hash = createHash('sha256')
    .update(JSON.stringify([key, digest]))
    .digest('hex');
  return `${startOf(pool)}${hash.slice(0, HASH_CHARACTERS)}`;
}

export function isCopyName(pool: string, name: string): boolean {
  return name.startsWith(startOf(pool));
}

function startOf(pool: string): string {
  return `${pool}-module-`;
}
