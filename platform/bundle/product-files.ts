/** Where the product's own files are: in a checkout its sources, in an image or an installed package what was built of them. */
import { existsSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

/** Absolute folder of our package.json, wherever this code was bundled to. */
export const PRODUCT_ROOT: string = rootAbove(dirname(fileURLToPath(import.meta.url)));

/** What is built beside the command, relative to the root. */
export const BUILT = {
  /** Child process of the process driver; not in images. */
  runtime: 'agent-runtime/runtime.mjs',
  /** Entry of worker threads. */
  worker: 'agent-runtime/worker.mjs',
  /** What `import … from 'agentpool'` is in an agent module. */
  sdk: 'agent-runtime/sdk.mjs',
} as const;

/** Undefined in a checkout: nothing was built there. */
export function builtFile(name: keyof typeof BUILT): string | undefined {
  const path = join(PRODUCT_ROOT, BUILT[name]);
  return existsSync(path) ? path : undefined;
}

function rootAbove(folder: string): string {
  if (existsSync(join(folder, 'package.json'))) return folder;
  const parent = dirname(folder);
  if (parent === folder) throw new Error('no package.json above the program: files are missing');
  return rootAbove(parent);
}
