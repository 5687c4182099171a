/** A copy of the product as a checkout that was never started: its caches are its own, so other servers on this machine lose nothing. */
import { cpSync, mkdirSync, mkdtempSync, readdirSync, rmSync, symlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { REPOSITORY } from '../../test/e2e/server.ts';

const PRODUCT = [
  ...['agent-runtime', 'api', 'cli', 'core', 'gateway', 'operator', 'platform', 'proto'],
  'package.json',
];
const CACHE = '.cache';

export class FreshCheckout {
  readonly #folder = mkdtempSync(join(tmpdir(), 'agentpool-checkout-'));

  constructor() {
    for (const name of PRODUCT)
      cpSync(join(REPOSITORY, name), join(this.#folder, name), { recursive: true });
    // The packages are those that are installed: only what is kept beside them is not shared.
    mkdirSync(this.#packages);
    for (const name of readdirSync(join(REPOSITORY, 'node_modules')))
      if (name !== CACHE)
        symlinkSync(join(REPOSITORY, 'node_modules', name), join(this.#packages, name));
  }

  get bin(): string {
    return join(this.#folder, 'cli/agentpool.js');
  }

  /** Of bundles and compiled code. */
  get cache(): string {
    return join(this.#packages, CACHE);
  }

  /** The next start is the first one again. */
  forgetStarts(): void {
    rmSync(this.cache, { recursive: true, force: true });
  }

  remove(): void {
    rmSync(this.#folder, { recursive: true, force: true });
  }

  get #packages(): string {
    return join(this.#folder, 'node_modules');
  }
}
