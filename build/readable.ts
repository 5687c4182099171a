/** What images copy can be read by any user, whatever the umask of whoever builds them: a COPY keeps modes, and images run as nobody of this machine. */
import { chmod, lstat, readdir } from 'node:fs/promises';
import { join } from 'node:path';

const FOLDER = 0o755;
const PROGRAM = 0o755;
const FILE = 0o644;
const RUN_BY_OWNER = 0o100;

/** Of a folder with all that is in it, or of a file: programs stay programs. Links have no modes of their own. */
export async function makeReadable(path: string): Promise<void> {
  const found = await lstat(path);
  if (found.isSymbolicLink()) return;
  if (!found.isDirectory()) {
    await chmod(path, (found.mode & RUN_BY_OWNER) === 0 ? FILE : PROGRAM);
    return;
  }
  await chmod(path, FOLDER);
  await Promise.all((await readdir(path)).map((name) => makeReadable(join(path, name))));
}
