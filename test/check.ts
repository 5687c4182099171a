/** `npm run check`: runs every `check:` script of package.json, prints what a failed one said, ends with `N passed, N failed`. */
import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';

const OUTPUT_BYTES_MAX = 64 * 1024 * 1024;

/** True if the script passed. */
function run(script: string): boolean {
  const started = performance.now();
  const { status, stdout, stderr } = spawnSync('npm', ['run', '--silent', script], {
    encoding: 'utf8',
    maxBuffer: OUTPUT_BYTES_MAX,
  });
  const seconds = ((performance.now() - started) / 1000).toFixed(1);
  console.log(`${status === 0 ? 'ok  ' : 'FAIL'} ${script.padEnd(16)} ${seconds.padStart(5)} s`);
  if (status !== 0) console.log(`${stdout}${stderr}`.trimEnd());
  return status === 0;
}

const manifest = JSON.parse(readFileSync('package.json', 'utf8')) as {
  scripts: Record<string, string>;
};
const scripts = Object.keys(manifest.scripts).filter((name) => name.startsWith('check:'));
const failed = scripts.filter((script) => !run(script)).length;
console.log(`${scripts.length - failed} passed, ${failed} failed`);
process.exitCode = failed === 0 ? 0 : 1;
