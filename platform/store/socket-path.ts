/** Where the store's Unix socket of a data folder is. Makes its folder safe to use; does not listen. */
import { createHash } from 'node:crypto';
import { chmodSync, lstatSync, mkdirSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join, resolve } from 'node:path';

/** sun_path holds 104 bytes on macOS, 108 on Linux, with the closing zero (unix(7)); the runtimes' sockets beside it have longer names. */
const PATH_BYTES_MAX = 95;

/** The same for every process that names the same folder: in it, or under the OS's temporary folder when the path would be too long. */
export function socketPathFor(dataDir: string): string {
  const folder = resolve(dataDir);
  const inside = join(folder, 'store.sock');
  if (Buffer.byteLength(inside) <= PATH_BYTES_MAX) return inside;
  const digest = createHash('sha256').update(folder).digest('hex').slice(0, 16);
  return join(tmpdir(), `agentpool-${digest}`, 'store.sock');
}

/** Makes the folder with access for this user only. @throws when it is somebody else's or open to others. */
export function prepareSocketFolder(socketPath: string): void {
  const folder = dirname(socketPath);
  mkdirSync(folder, { recursive: true, mode: 0o700 });
  const found = lstatSync(folder);
  const mine = process.getuid === undefined || found.uid === process.getuid();
  if (!found.isDirectory() || !mine) {
    throw new Error(`${folder} is not a folder of this user: remove it or use another data folder`);
  } // It was there before, perhaps open to others.
  if ((found.mode & 0o077) !== 0) chmodSync(folder, 0o700);
}
