/**
 * A folder of small text files (a mounted Secret), read as a whole and followed: what is there now, and a call when it changed.
 * Knows nothing of what the files mean but what `accept` checks.
 */
import { type FSWatcher, watch } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { isDeepStrictEqual } from 'node:util';
import type { Clock, Timer } from '../clock.ts';
import type { Log } from '../log.ts';
import { versionOf } from '../mounted-folder.ts';

/** The text of each file by its name; an optional one that is not there is left out. */
export type Files<Required extends string, Optional extends string> = Readonly<
  Record<Required, string> & Partial<Record<Optional, string>>
>;

export interface SecretFolderOptions<Required extends string, Optional extends string, Value> {
  readonly path: string;
  readonly required: readonly Required[];
  readonly optional: readonly Optional[];
  /** What the files mean; throws with one sentence when they cannot be used. */
  readonly accept: (files: Files<Required, Optional>) => Value;
  readonly clock: Clock;
  readonly log: Log;
}

/** Cannot be used from the start: one sentence that names the file. */
export class SecretFolderError extends Error {
  override readonly name = 'SecretFolderError';
}

export interface Followed<Value> {
  readonly current: Value;
  /** Called after `current` changed. Returns its end. */
  onChange(listener: () => void): () => void;
  close(): void;
}

const FILE_BYTES_MAX = 1_048_576;
/** A mounted Secret is exchanged by one rename; editors and scripts write file by file. */
const SETTLE_MS = 100;
/** Not every file system tells of changes. */
const LOOK_AGAIN_MS = 15_000;

/** Rejects with SecretFolderError; files that become unusable later leave the value of before, and are logged. */
export async function openSecretFolder<Required extends string, Optional extends string, Value>(
  options: SecretFolderOptions<Required, Optional, Value>,
): Promise<Followed<Value>> {
  const files = await readFiles(options);
  return new SecretFolder(options, files, accepted(options, files));
}

class SecretFolder<
  Required extends string,
  Optional extends string,
  Value,
> implements Followed<Value> {
  readonly #options: SecretFolderOptions<Required, Optional, Value>;
  readonly #listeners = new Set<() => void>();
  readonly #watcher: FSWatcher | undefined;
  #files: Files<Required, Optional>;
  #current: Value;
  #next: Timer | undefined;
  #isReading = false;
  #isClosed = false;

  constructor(
    options: SecretFolderOptions<Required, Optional, Value>,
    files: Files<Required, Optional>,
    current: Value,
  ) {
    this.#options = options;
    this.#files = files;
    this.#current = current;
    this.#watcher = watched(options.path, () => this.#lookIn(SETTLE_MS));
    this.#lookIn(LOOK_AGAIN_MS);
  }

  get current(): Value {
    return this.#current;
  }

  onChange(listener: () => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  close(): void {
    this.#isClosed = true;
    this.#next?.cancel();
    this.#watcher?.close();
  }

  #lookIn(delayMs: number): void {
    if (this.#isClosed) return;
    this.#next?.cancel();
    this.#next = this.#options.clock.after(delayMs, () => void this.#look());
  }

  async #look(): Promise<void> {
    if (this.#isReading) {
      this.#lookIn(SETTLE_MS);
      return;
    }
    this.#isReading = true;
    const { log, path } = this.#options;
    try {
      const files = await readFiles(this.#options);
      if (!this.#isClosed && !isDeepStrictEqual(files, this.#files)) this.#take(files);
    } catch (error) {
      log.error('secret files cannot be used, those of before stay', {
        err: error,
        detail: { path },
      });
    } finally {
      this.#isReading = false;
      this.#lookIn(LOOK_AGAIN_MS);
    }
  }

  #take(files: Files<Required, Optional>): void {
    const { log, path } = this.#options;
    this.#current = accepted(this.#options, files);
    this.#files = files;
    log.info('secret files reloaded', { detail: { path } });
    for (const listener of this.#listeners) listener();
  }
}

function watched(path: string, onChange: () => void): FSWatcher | undefined {
  try {
    const watcher = watch(path, { persistent: false }, onChange);
    watcher.on('error', () => watcher.close());
    return watcher;
  } catch {
    return undefined;
  }
}

function accepted<Required extends string, Optional extends string, Value>(
  { path, accept }: SecretFolderOptions<Required, Optional, Value>,
  files: Files<Required, Optional>,
): Value {
  try {
    return accept(files);
  } catch (error) {
    throw new SecretFolderError(
      `${path}: ${error instanceof Error ? error.message : String(error)}`,
      {
        cause: error,
      },
    );
  }
}

/** All of one version where the folder is a mount. */
async function readFiles<Required extends string, Optional extends string>(
  folder: Pick<SecretFolderOptions<Required, Optional, unknown>, 'path' | 'required' | 'optional'>,
): Promise<Files<Required, Optional>> {
  const { path, required } = folder;
  const version = versionOf(path);
  let texts = await textsIn(version, folder);
  const next = versionOf(path);
  // The one before may have been removed while it was read.
  if (next !== version) texts = await textsIn(next, folder);
  const missing = required.find((name) => texts[name] === undefined);
  if (missing !== undefined)
    throw new SecretFolderError(`${join(path, missing)} is missing or empty`);
  return texts as Files<Required, Optional>;
}

async function textsIn<Required extends string, Optional extends string>(
  version: string,
  {
    path,
    required,
    optional,
  }: Pick<SecretFolderOptions<Required, Optional, unknown>, 'path' | 'required' | 'optional'>,
): Promise<Partial<Record<Required | Optional, string>>> {
  const texts: Partial<Record<Required | Optional, string>> = {};
  for (const name of [...required, ...optional]) {
    const text = await readText(join(path, version, name), join(path, name));
    if (text !== undefined) texts[name] = text;
  }
  return texts;
}

/**
 * Undefined: not there, or empty. The end of line that editors add is no part of a password.
 * @param shown in messages: versions come and go.
 */
async function readText(file: string, shown: string): Promise<string | undefined> {
  try {
    const text = await readFile(file, 'utf8');
    if (text.length > FILE_BYTES_MAX) throw new SecretFolderError(`${shown} is too large`);
    return text.trim() === '' ? undefined : text.replace(/\r?\n$/, '');
  } catch (error) {
    if (error instanceof SecretFolderError) throw error;
    const { code } = error as NodeJS.ErrnoException;
    if (code === 'ENOENT' || code === 'ENOTDIR') return undefined;
    throw new SecretFolderError(`${shown} cannot be read (${code ?? 'unknown'})`, { cause: error });
  }
}
