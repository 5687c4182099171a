/** What several commands ask of pools: the one that is meant, and the instance of a project in it. */
import { EXIT_CODES, CliError } from '../exit-code.ts';
import { at, type Row, rowsAt, textAt } from '../output/json-value.ts';
import { type ApiClient, pathOf } from './api-client.ts';
import type { ProjectOptions } from './connect.ts';

export async function listPools(client: ApiClient): Promise<readonly Row[]> {
  return rowsAt(await client.call('GET', pathOf(['pools'])), 'pools');
}

/** By `name` (in the namespace) or `namespace/name`; left out: the only one there is, in the namespace if one is given. */
export async function findPool(
  client: ApiClient,
  name: string | undefined,
  namespace?: string,
): Promise<Row> {
  const pools = await listPools(client);
  if (name === undefined) return onlyPool(client, pools, namespace);
  const wanted = name.includes('/') ? name : `${namespace ?? 'default'}/${name}`;
  const found = pools.find((pool) => fullName(pool) === wanted);
  if (found !== undefined) return found;
  throw new CliError(`no pool is named ${wanted}; there is ${namesOf(pools)}`, EXIT_CODES.NotFound);
}

function onlyPool(client: ApiClient, pools: readonly Row[], namespace: string | undefined): Row {
  const inside = pools.filter((pool) => namespace === undefined || pool['namespace'] === namespace);
  const [only, second] = inside;
  if (second !== undefined)
    throw new CliError(
      `there are several pools: ${namesOf(inside)}`,
      EXIT_CODES.Usage,
      'Name one with -p.',
    );
  if (only !== undefined) return only;
  if (namespace === undefined || pools.length === 0)
    throw new CliError(
      `${client.server} serves no pool that this token may see`,
      EXIT_CODES.NotFound,
    );
  throw new CliError(
    `no pool is in namespace ${namespace}; there is ${namesOf(pools)}`,
    EXIT_CODES.NotFound,
    'Name another namespace with -n.',
  );
}

function namesOf(pools: readonly Row[]): string {
  return pools.length === 0 ? 'no pool' : pools.map(fullName).join(', ');
}

export function fullName(pool: Row): string {
  return `${textAt(pool, 'namespace')}/${textAt(pool, 'name')}`;
}

/** `namespace~pool~tenant~project`, the stable id of a project's instance. */
export async function instanceIdOf(
  client: ApiClient,
  project: ProjectOptions,
  namespace?: string,
): Promise<string> {
  const pool = await findPool(client, project.pool, namespace);
  const parts = [at(pool, 'namespace'), at(pool, 'name'), project.tenant, project.project];
  return parts.map(String).join('~');
}
