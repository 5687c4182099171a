/** The data folder of one server: its store, opened and served to the other processes, its secret, and room for sockets. */
import { mkdir } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { systemClock } from '../../platform/clock.ts';
import type { Log } from '../../platform/log.ts';
import { systemRandom } from '../../platform/random.ts';
import { EmbeddedStore } from '../../platform/store/embedded-store.ts';
import { MemoryStore } from '../../platform/store/memory-store.ts';
import { socketPathFor } from '../../platform/store/socket-path.ts';
import { StoreServer } from '../../platform/store/store-server.ts';
import type { Store } from '../../platform/store/store.ts';
import { CliError } from '../exit-code.ts';
import { openSecrets, type Secrets } from './secrets.ts';

export interface DataFolder {
  readonly path: string;
  readonly store: Store;
  /** Of the socket that the store is served on. */
  readonly storePath: string;
  /** For the runtimes' sockets. */
  readonly socketFolder: string;
  readonly secrets: Secrets;
  close(): Promise<void>;
}

export interface DataFolderOptions {
  /** Absolute. */
  readonly path: string;
  readonly storage: Store['kind'];
  readonly log: Log;
}

const OWNER_ONLY = 0o700;

/** Rejects when another server has the folder, or it cannot be used; then nothing is left open. */
export async function openDataFolder({
  path,
  storage,
  log,
}: DataFolderOptions): Promise<DataFolder> {
  await mkdir(path, { recursive: true, mode: OWNER_ONLY }).catch((error: unknown) => {
    throw new CliError(
      `the data folder cannot be made: ${(error as Error).message}`,
      undefined,
      'Choose another one with --data.',
    );
  });
  // Also with a store in memory: it is the lock of the folder.
  const embedded = EmbeddedStore.open(join(path, 'store'), systemClock);
  const store = storage === 'embedded' ? embedded : new MemoryStore(systemClock);
  const close = async (): Promise<void> => {
    await store.close();
    if (store !== embedded) await embedded.close();
  };
  try {
    const secrets = await openSecrets(path, systemRandom);
    const storePath = socketPathFor(path);
    const server = await StoreServer.listen(storePath, {
      store,
      access: (token) => secrets.scopeOf(token),
      clock: systemClock,
      log,
    });
    return {
      path,
      store,
      storePath,
      socketFolder: dirname(storePath),
      secrets,
      close: async () => {
        await server.close();
        await close();
      },
    };
  } catch (error) {
    await close();
    throw error;
  }
}
