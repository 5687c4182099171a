/** What takes minutes to make is kept between runs, under a name that changes with everything it is made of. */
import { existsSync, mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { readProcess } from '../../e2e/process-family.ts';
import { until } from '../../e2e/until.ts';

/** The longest that one of several processes waits for another one's work. */
const MADE_WITHIN_MS = 40 * 60_000;

export const CACHE = join(
  process.env['XDG_CACHE_HOME'] ?? join(homedir(), '.cache'),
  'agentpool-cluster',
);

/**
 * The path of the entry; `make` is called with a path to write a file or folder to, when there is none yet. Of processes that ask at
 * the same time, one makes it; an entry is there completely or not at all.
 */
export async function cached(
  name: string,
  make: (path: string) => Promise<unknown>,
): Promise<string> {
  const path = join(CACHE, name);
  if (existsSync(path)) return path;
  return exclusively(name, async () => {
    if (existsSync(path)) return path;
    rmSync(`${path}.part`, { recursive: true, force: true });
    await make(`${path}.part`);
    renameSync(`${path}.part`, path);
    return path;
  });
}

/** One process at a time; the others wait. Not for nesting the same name. */
export async function exclusively<Result>(
  name: string,
  work: () => Promise<Result>,
): Promise<Result> {
  mkdirSync(CACHE, { recursive: true });
  const lock = join(CACHE, `${name}.lock`);
  await until(`nobody else works at ${name}`, () => take(lock), MADE_WITHIN_MS);
  try {
    return await work();
  } finally {
    rmSync(lock, { force: true });
  }
}

/** Locks of processes that died with them are removed. */
function take(lock: string): boolean {
  try {
    writeFileSync(lock, identity(process.pid), { flag: 'wx' });
    return true;
  } catch {
    const owner = ownerOf(lock);
    if (owner !== undefined && owner !== identity(Number.parseInt(owner, 10)))
      rmSync(lock, { force: true });
    return false;
  }
}

function ownerOf(lock: string): string | undefined {
  try {
    const text = readFileSync(lock, 'utf8');
    return text === '' ? undefined : text;
  } catch {
    return undefined;
  }
}

function identity(pid: number): string {
  return `${pid} ${readProcess(pid)?.startTicks ?? 'gone'}`;
}
