/** A folder of files (a mounted secret) that says where Redis is and who we are there; read again for each new connection, so changed passwords count. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { StoreError } from '../store-error.ts';
import type { RedisAccess, RedisTls } from './redis-options.ts';

export interface RedisPlace {
  readonly access: RedisAccess;
  readonly keyPrefix?: string;
  readonly minReplicas?: number;
}

/**
 * Files: `url`; optional `username`, `password`, `ca.crt`, `tls.crt`, `tls.key`, `key-prefix`, `min-replicas`.
 * @param prefix before each name, where they share the folder with others: `store-`
 * @throws StoreError that names the file, never what is in it
 */
export function readRedisFolder(folder: string, prefix = ''): RedisPlace {
  const text = (name: string): string | undefined => readText(folder, prefix + name);
  const url = text('url');
  if (url === undefined)
    throw new StoreError(`${join(folder, `${prefix}url`)}: there is no such file`, 'not-applied');
  const [username, password] = [text('username'), text('password')];
  const tls = tlsOf(text);
  const [keyPrefix, minReplicas] = [text('key-prefix'), text('min-replicas')];
  return {
    access: {
      url,
      ...(username === undefined ? {} : { username }),
      ...(password === undefined ? {} : { password }),
      ...(tls === undefined ? {} : { tls }),
    },
    ...(keyPrefix === undefined ? {} : { keyPrefix }),
    ...(minReplicas === undefined
      ? {}
      : { minReplicas: countOf(minReplicas, join(folder, `${prefix}min-replicas`)) }),
  };
}

function tlsOf(text: (name: string) => string | undefined): RedisTls | undefined {
  const [ca, cert, key] = [text('ca.crt'), text('tls.crt'), text('tls.key')];
  if (ca === undefined && cert === undefined && key === undefined) return undefined;
  return {
    ...(ca === undefined ? {} : { ca }),
    ...(cert === undefined ? {} : { cert }),
    ...(key === undefined ? {} : { key }),
  };
}

/** Undefined: not there, or empty (a secret's key that was left blank). A line end after a password is not part of it. */
function readText(folder: string, name: string): string | undefined {
  try {
    const text = readFileSync(join(folder, name), 'utf8').replace(/\r?\n$/, '');
    return text === '' ? undefined : text;
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === 'ENOENT') return undefined;
    throw new StoreError(
      `${join(folder, name)}: cannot be read (${code ?? 'error'})`,
      'not-applied',
    );
  }
}

function countOf(text: string, path: string): number {
  if (/^\d$/.test(text)) return Number(text);
  throw new StoreError(`${path}: must be a whole number from 0 to 9`, 'not-applied');
}
