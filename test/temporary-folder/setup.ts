/** `npm run test:fast` has a folder for temporary files of its own, so that what a test leaves behind can be seen (teardown.ts). */
import { mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/** Of this run's folder; short, as paths of sockets are. */
export const PREFIX = 'apt-';

/** Slow tests kill what would clean up. */
const isFastOnly = (args: readonly string[]): boolean => {
  const at = args.indexOf('--selectProjects');
  return args[at + 1] === 'unit' && (args[at + 2] ?? '--').startsWith('--');
};

export default function setUp(): void {
  if (isFastOnly(process.argv)) process.env['TMPDIR'] = mkdtempSync(join(tmpdir(), PREFIX));
}
