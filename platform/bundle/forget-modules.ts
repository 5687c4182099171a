/** Deletes bundles of agent modules that nothing needs any more: each edit of a module makes one. Makes none. */
import { readdir, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';

/** What was written only now may be needed by somebody who could not say so yet. */
const FRESH_MS = 60_000;
const MAP = '.map';

/** @param folder where `bundleAgentModule` puts them; it holds nothing else. @param needed absolute paths of bundles. */
export async function forgetModules(
  folder: string,
  needed: ReadonlySet<string>,
  wallMs: number,
): Promise<void> {
  const names = await readdir(folder).catch(() => []);
  for (const name of names) {
    const path = join(folder, name);
    const bundle = name.endsWith(MAP) ? path.slice(0, -MAP.length) : path;
    if (needed.has(bundle) || (await changedMs(path)) > wallMs - FRESH_MS) continue;
    await rm(path, { recursive: true, force: true });
  }
}

/** Of what is gone already: never. */
function changedMs(path: string): Promise<number> {
  return stat(path).then(
    ({ mtimeMs }) => mtimeMs,
    () => Infinity,
  );
}
