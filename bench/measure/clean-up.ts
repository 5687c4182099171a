/** What a benchmark makes goes with it, also when somebody stops it: its servers and all that it wrote into the folder for temporary files. */
import { mkdtempSync, rmSync } from 'node:fs';
import { constants, tmpdir } from 'node:os';
import { join } from 'node:path';
import { destroyAll } from '../../test/e2e/server.ts';

const SIGNALS = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const;

/** From now on temporary files of this process and its children are in a folder of its own. */
export function cleanUpAtTheEnd(): void {
  const folder = mkdtempSync(join(tmpdir(), 'apb-'));
  process.env['TMPDIR'] = folder;
  process.once('exit', () => {
    rmSync(folder, { recursive: true, force: true, maxRetries: 3 });
  });
  for (const signal of SIGNALS)
    process.once(signal, () => {
      void destroyAll().finally(() => process.exit(128 + constants.signals[signal]));
    });
}
