/** Remembers across restarts of a container which incarnation ran in this pod before, so that its lease need not be waited for. */
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Log } from '../../platform/log.ts';
import type { Store } from '../../platform/store/store.ts';

const FILE = 'incarnation';

/** The dead one is told to the store, then this one is written down: its projects are free at once. Never rejects. */
export async function succeedIncarnation(
  folder: string,
  incarnation: string,
  { store, log }: { readonly store: Pick<Store, 'deregister'>; readonly log: Log },
): Promise<void> {
  const file = join(folder, FILE);
  try {
    const before = (await readFile(file, 'utf8').catch(() => '')).trim();
    if (before !== '') await store.deregister(before);
    await writeFile(file, incarnation);
  } catch (error) {
    log.warn('the incarnation before could not be ended: its lease will expire', { err: error });
  }
}
