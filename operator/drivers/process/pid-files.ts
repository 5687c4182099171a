/** One small file per child in the data folder, so that the next parent finds what this one could not end. */
import { mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { z } from 'zod';

const pidFileSchema = z.object({
  pid: z.int().min(2),
  /** See `identityOf`. */
  identity: z.string(),
  socket: z.string(),
});
export type PidFile = z.output<typeof pidFileSchema>;

/** Synchronous: between the start of a child and its file there must be no other work. */
export class PidFiles {
  readonly #folder: string;

  constructor(folder: string) {
    this.#folder = folder;
    mkdirSync(folder, { recursive: true, mode: 0o700 });
  }

  write(name: string, file: PidFile): void {
    writeFileSync(this.#pathOf(name), JSON.stringify(file), { mode: 0o600 });
  }

  remove(name: string): void {
    rmSync(this.#pathOf(name), { force: true });
  }

  /** Files that cannot be read are removed: nothing can be done with them. */
  readAll(): readonly { readonly name: string; readonly file: PidFile }[] {
    return readdirSync(this.#folder)
      .filter((entry) => entry.endsWith('.json'))
      .flatMap((entry) => {
        const name = entry.slice(0, -'.json'.length);
        const file = this.#read(name);
        if (file === undefined) this.remove(name);
        return file === undefined ? [] : [{ name, file }];
      });
  }

  #read(name: string): PidFile | undefined {
    try {
      return pidFileSchema.parse(JSON.parse(readFileSync(this.#pathOf(name), 'utf8')));
    } catch {
      return undefined;
    }
  }

  #pathOf(name: string): string {
    return join(this.#folder, `${name}.json`);
  }
}
