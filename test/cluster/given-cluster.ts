/** Whose cluster KUBECONFIG names, and which tests are left out where it is not ours. Read by jest's configuration: imports nothing of the tests. */
import { existsSync } from 'node:fs';
import { dirname, join } from 'node:path';

/** Undefined: none is named, or it is one of `cluster:up`. */
export function foreignKubeconfig(): string | undefined {
  const given = process.env['KUBECONFIG'];
  if (given === undefined || given === '') return undefined;
  return existsSync(join(dirname(given), 'cluster.json')) ? undefined : given;
}

/** They break machines, or are about ours. */
export const NEED_OUR_MACHINES: readonly string[] = [
  'test/cluster/machine/',
  'test/cluster/kill/',
  'test/cluster/product/node-faults.test.ts',
  'test/cluster/product/operator-faults.test.ts',
];
