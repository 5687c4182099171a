/** The names of ConfigMaps that a pool has for its revisions: the same for every operator, another one for another content. */
import { createHash } from 'node:crypto';
import type { MountedModule } from '../../pool/wanted-pool.ts';

const HASH_CHARACTERS = 12;

/** Of the copy of a module. */
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

/** Of what a revision is made of. */
export function templateName(pool: string, revision: string): string {
  return `${templateStartOf(pool)}${revision}`;
}

export function isTemplateName(pool: string, name: string): boolean {
  return name.startsWith(templateStartOf(pool));
}

function templateStartOf(pool: string): string {
  return `${pool}-template-`;
}
