/** One file of the gateway's configuration, followed: what it means now. A file that breaks later leaves what it meant before. */
import { type FSWatcher, watch } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { basename, dirname } from 'node:path';
import type { Clock, Timer } from '../../platform/clock.ts';
import type { Log } from '../../platform/log.ts';
import { MOUNT_LINK } from '../../platform/mounted-folder.ts';

export interface FileOptions<Value> {
  readonly path: string;
  /** In log messages: `token file`. */
  readonly what: string;
  /** Throws with one sentence. */
  readonly parse: (text: string) => Value;
  readonly onChange?: (value: Value) => void;
  readonly clock: Clock;
  readonly log: Log;
}

export interface FollowedFile<Value> {
  readonly current: Value;
  close(): void;
}

/** Editors write a file in several steps. */
const SETTLE_MS = 50;

/** Rejects with what reading or `parse` threw. */
export async function followFile<Value>(options: FileOptions<Value>): Promise<FollowedFile<Value>> {
  return new File(options, await read(options));
}

class File<Value> implements FollowedFile<Value> {
  readonly #options: FileOptions<Value>;
  readonly #watcher: FSWatcher;
  #current: Value;
  #settling: Timer | undefined;

  constructor(options: FileOptions<Value>, current: Value) {
    this.#options = options;
    this.#current = current;
    // The folder, as a file that is replaced by another is watched no more.
    const file = basename(options.path);
    this.#watcher = watch(dirname(options.path), { persistent: false }, (_event, changed) => {
      // In a mount the file itself is a link that stays.
      if (changed === null || changed === file || changed === MOUNT_LINK) this.#readSoon();
    });
  }

  get current(): Value {
    return this.#current;
  }

  close(): void {
    this.#settling?.cancel();
    this.#watcher.close();
  }

  #readSoon(): void {
    this.#settling?.cancel();
    this.#settling = this.#options.clock.after(SETTLE_MS, () => {
      void this.#read();
    });
  }

  async #read(): Promise<void> {
    const { log, what, onChange } = this.#options;
    try {
      this.#current = await read(this.#options);
      onChange?.(this.#current);
      log.info(`${what} reloaded`);
    } catch (error) {
      log.error(`${what} cannot be used, what it said before stays`, { err: error });
    }
  }
}

async function read<Value>({ path, parse }: FileOptions<Value>): Promise<Value> {
  return parse(await readFile(path, 'utf8'));
}
