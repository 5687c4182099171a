/** `.env` beside the agents: variables for them, as `spec.runtime.env` has them. */
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { parseEnv } from 'node:util';

/** Empty where there is no such file. */
export async function readDotEnv(
  folder: string,
): Promise<readonly { readonly name: string; readonly value: string }[]> {
  const text = await readFile(join(folder, '.env'), 'utf8').catch((error: unknown) => {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return '';
    throw error;
  });
  return Object.entries(parseEnv(text)).map(([name, value]) => ({ name, value: value ?? '' }));
}
