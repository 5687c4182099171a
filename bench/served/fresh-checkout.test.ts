import { execFileSync } from 'node:child_process';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from '@jest/globals';
import { REPOSITORY } from '../../test/e2e/server.ts';
import { FreshCheckout } from './fresh-checkout.ts';

it('is a product whose caches are its own: to forget them takes nothing from others', () => {
  const checkout = new FreshCheckout();
  try {
    const { version } = JSON.parse(readFileSync(join(REPOSITORY, 'package.json'), 'utf8')) as {
      version: string;
    };
    for (let start = 1; start <= 2; start += 1) {
      const printed = execFileSync(process.execPath, [checkout.bin, '--version'], {
        encoding: 'utf8',
      });
      expect(printed).toBe(`${version}\n`);
      expect(readdirSync(checkout.cache)).toEqual(['agentpool']);
      checkout.forgetStarts();
      expect(existsSync(checkout.cache)).toBe(false);
    }
    expect(checkout.cache.startsWith(REPOSITORY)).toBe(false);
  } finally {
    checkout.remove();
  }
});
