/** Tells that one of some files changed, came or went, once per burst of changes. Reads none of them. */
import { type FSWatcher, watch } from 'node:fs';
import { basename, dirname } from 'node:path';
import type { Clock, Timer } from '../../platform/clock.ts';

/** Editors write in several steps. */
const BURST_MS = 100;
/** Folders of files beyond this are not watched. */
const FOLDERS_MAX = 500;

/** Watches folders, not files: most editors replace a file by another one of the same name. */
export class FileWatch {
  readonly #clock: Clock;
  readonly #onChange: () => void;
  readonly #folders = new Map<string, FSWatcher>();
  #names: ReadonlyMap<string, ReadonlySet<string>> = new Map();
  #burst: Timer | undefined;

  constructor(clock: Clock, onChange: () => void) {
    this.#clock = clock;
    this.#onChange = onChange;
  }

  /** Replaces the set. Folders that are not there are left out. */
  setPaths(paths: readonly string[]): void {
    const names = new Map<string, Set<string>>();
    for (const path of paths) {
      const folder = dirname(path);
      const known = names.get(folder);
      if (known !== undefined) known.add(basename(path));
      else if (names.size < FOLDERS_MAX) names.set(folder, new Set([basename(path)]));
    }
    this.#names = names;
    for (const [folder, watcher] of this.#folders)
      if (!names.has(folder)) {
        watcher.close();
        this.#folders.delete(folder);
      }
    for (const folder of names.keys()) if (!this.#folders.has(folder)) this.#watchFolder(folder);
  }

  close(): void {
    this.#burst?.cancel();
    for (const watcher of this.#folders.values()) watcher.close();
    this.#folders.clear();
  }

  #watchFolder(folder: string): void {
    try {
      const watcher = watch(folder, { persistent: false }, (_event, name) => {
        if (name === null || this.#names.get(folder)?.has(name) === true) this.#changed();
      });
      watcher.on('error', () => {
        watcher.close();
        this.#folders.delete(folder);
      });
      this.#folders.set(folder, watcher);
    } catch {
      // The folder is not there: whoever reads the file says so.
    }
  }

  #changed(): void {
    this.#burst?.cancel();
    this.#burst = this.#clock.after(BURST_MS, () => this.#onChange());
  }
}
