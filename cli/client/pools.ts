/** What several commands ask of pools: the one that is meant, and the instance of a project in it. */
import { EXIT_CODES, CliError } from '../exit-code.ts';
import { at, type Row, rowsAt, textAt } from '../output/json-value.ts';
import { type ApiClient, pathOf } from './api-client.ts';
import type { ProjectOptions } from './connect.ts';

export async function listPools(client: ApiClient): Promise<readonly Row[]> {
  return rowsAt(await client.call('GET', pathOf(['pools'])), 'pools');
}

/** By `name` or `namespace/name`; left out: the only one there is. */
export async function findPool(client: ApiClient, name: string | undefined): Promise<Row> {
  const pools = await listPools(client);
  const names = pools.map(fullName);
  if (name === undefined) {
    const [only] = pools;
    if (only !== undefined && pools.length === 1) return only;
    if (pools.length === 0)
      throw new CliError(
        `${client.server} serves no pool that this token may see`,
        EXIT_CODES.NotFound,
      );
    throw new CliError(
      `there are several pools: ${names.join(', ')}`,
      EXIT_CODES.Usage,
      'Name one with -p.',
    );
  }
  const wanted = name.includes('/') ? name : `default/${name}`;
  const found = pools.find((pool) => fullName(pool) === wanted);
  if (found !== undefined) return found;
  const known = names.length === 0 ? 'no pool' : names.join(', ');
  throw new CliError(`no pool is named ${name}; there is ${known}`, EXIT_CODES.NotFound);
}

export function fullName(pool: Row): string {
  return `${textAt(pool, 'namespace')}/${textAt(pool, 'name')}`;
}

/** `namespace~pool~tenant~project`, the stable id of a project's instance. */
export async function instanceIdOf(client: ApiClient, project: ProjectOptions): Promise<string> {
  const pool = await findPool(client, project.pool);
  const parts = [at(pool, 'namespace'), at(pool, 'name'), project.tenant, project.project];
  return parts.map(String).join('~');
}
