/** Fails the run when a test has left something in the folder for temporary files, and names it. */
import { readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename } from 'node:path';
import { PREFIX } from './setup.ts';

/** Caches, which Node makes where nobody names a place. */
const KEPT = ['node-compile-cache'];

export default function tearDown(): void {
  const folder = tmpdir();
  if (!basename(folder).startsWith(PREFIX)) return;
  const left = readdirSync(folder).filter((name) => !KEPT.includes(name));
  rmSync(folder, { recursive: true, force: true });
  if (left.length > 0)
    throw new Error(
      `tests have left ${left.join(', ')} in the folder for temporary files: remove it in afterAll or finally`,
    );
}
