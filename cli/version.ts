/** The version of this package, from its package.json. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { PRODUCT_ROOT } from '../platform/bundle/product-files.ts';

export function packageVersion(): string {
  const file = join(PRODUCT_ROOT, 'package.json');
  return (JSON.parse(readFileSync(file, 'utf8')) as { version: string }).version;
}
