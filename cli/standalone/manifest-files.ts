/** Reads one manifest file for commands that do not start anything. */
import { readFile } from 'node:fs/promises';
import { CliError } from '../exit-code.ts';

export async function readManifestFile(file: string): Promise<string> {
  try {
    return await readFile(file, 'utf8');
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException;
    throw new CliError(
      code === 'ENOENT' ? `${file}: there is no such file` : `${file}: ${message}`,
    );
  }
}
