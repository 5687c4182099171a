/** `agentpool get …`: lists, page by page up to a limit, as tables. */
import { type ApiClient, pathOf } from '../client/api-client.ts';
import {
  type ClientCommand,
  connect,
  type OutputOptions,
  type ProjectOptions,
  type ServerOptions,
} from '../client/connect.ts';
import { type NamespaceOptions, namespaceOf } from '../client/namespace.ts';
import { fullName } from '../client/pools.ts';
import { at, NOTHING, numberAt, type Row, rowsAt, shown, textAt } from '../output/json-value.ts';
import { print } from '../output/print.ts';
import { ageOf, formatBytes } from '../output/quantity.ts';
import { type Column, formatTable } from '../output/table.ts';
import type { Terminal } from '../terminal.ts';

type Options = OutputOptions &
  NamespaceOptions &
  Partial<ProjectOptions> & {
    readonly allNamespaces?: boolean;
    readonly limit?: number;
    readonly tier?: string;
    readonly state?: string;
  };

interface Listing {
  /** Path parts below /api/v1 and the parameters of the query. */
  readonly from: (
    options: Options,
  ) => readonly [readonly string[], Readonly<Record<string, string | undefined>>];
  /** The field of the answer that holds the list. */
  readonly field: string;
  readonly columns: (nowMs: number) => readonly Column<Row>[];
  /** The gateway answers in pages. */
  readonly isPaged: boolean;
}

const PAGE_SIZE_MAX = 500;
const LIMIT = 500;

const text = (name: string, ...path: string[]): Column<Row> => ({
  name,
  value: (row) => textAt(row, ...path),
});
const count = (name: string, value: (row: Row) => unknown): Column<Row> => ({
  name,
  value: (row) => shown(value(row)),
  alignsRight: true,
});
const age = (name: string, nowMs: number, ...path: string[]): Column<Row> => ({
  name,
  value: (row) => ageOf(at(row, ...path), nowMs) ?? NOTHING,
});
const bytes = (name: string, ...path: string[]): Column<Row> => ({
  name,
  value: (row) => formatBytes(numberAt(row, ...path) ?? 0),
  alignsRight: true,
});

export function conditionOf(pool: Row, type: string): Row | undefined {
  return rowsAt(pool, 'status', 'conditions').find((one) => one['type'] === type);
}

/** `ready/desired` of one tier. */
function tierCount(pool: Row, tier: string): unknown {
  return at(
    rowsAt(pool, 'status', 'tiers').find((one) => one['name'] === tier),
    'ready',
  );
}

const LISTINGS = {
  pools: {
    from: () => [['pools'], {}],
    field: 'pools',
    isPaged: false,
    columns: () => [
      { name: 'NAME', value: fullName },
      { name: 'READY', value: (row) => textAt(conditionOf(row, 'Ready'), 'status') },
      count('DESIRED', (row) => at(row, 'status', 'desiredReplicas')),
      count('REPLICAS', (row) => at(row, 'status', 'readyReplicas')),
      count('HOT', (row) => tierCount(row, 'HOT')),
      count('WARM', (row) => tierCount(row, 'WARM')),
      count('COLD', (row) => tierCount(row, 'COLD')),
      { name: 'REASON', value: (row) => textAt(conditionOf(row, 'Ready'), 'reason') },
    ],
  },
  agents: {
    from: ({ pool }) => [['agents'], { pool }],
    field: 'agents',
    isPaged: false,
    columns: () => [text('NAME', 'name'), text('DESCRIPTION', 'description')],
  },
  instances: {
    from: ({ pool, tenant, project, tier, state }) => [
      ['pool', 'instances'],
      { pool, tenant, project, tier: tier?.toUpperCase(), state: state?.toUpperCase() },
    ],
    field: 'instances',
    isPaged: true,
    columns: (nowMs) => [
      text('ID', 'id'),
      text('TIER', 'tier'),
      text('STATE', 'state'),
      text('RUNTIME', 'runtime'),
      count('REQUESTS', (row) => at(row, 'requests')),
      bytes('MEMORY', 'memory_bytes'),
      count('CPU%', (row) => (numberAt(row, 'cpu_percent') ?? 0).toFixed(1)),
      age('USED', nowMs, 'last_used'),
      age('AGE', nowMs, 'created'),
    ],
  },
  projects: {
    from: ({ pool, tenant }) => [['projects'], { pool, tenant }],
    field: 'projects',
    isPaged: true,
    columns: (nowMs) => [
      text('POOL', 'ref', 'pool'),
      text('TENANT', 'ref', 'tenant'),
      text('PROJECT', 'ref', 'project'),
      text('TIER', 'tier', 'desired'),
      { name: 'LIVE', value: (row) => (at(row, 'instance_id') ? 'yes' : 'no') },
      { name: 'PAUSED', value: (row) => (at(row, 'paused') === true ? 'yes' : 'no') },
      bytes('STORED', 'stored_bytes'),
      age('USED', nowMs, 'last_used'),
    ],
  },
  conversations: {
    from: ({ pool, tenant = '', project = '' }) => [
      ['projects', tenant, project, 'conversations'],
      { pool },
    ],
    field: 'conversations',
    isPaged: true,
    columns: (nowMs) => [
      text('ID', 'id'),
      text('AGENT', 'agent'),
      count('TURNS', (row) => at(row, 'turn_count')),
      age('USED', nowMs, 'updated'),
    ],
  },
} as const satisfies Readonly<Record<string, Listing>>;

export type Kind = keyof typeof LISTINGS;

export const getters: Readonly<Record<Kind, ClientCommand<Options>>> = {
  pools: getPools,
  agents: getter(LISTINGS.agents),
  instances: getter(LISTINGS.instances),
  projects: getter(LISTINGS.projects),
  conversations: getter(LISTINGS.conversations),
};

async function getPools(terminal: Terminal, options: Options & ServerOptions): Promise<void> {
  const namespace = options.allNamespaces === true ? undefined : namespaceOf(terminal, options);
  const { rows } = await list(connect(terminal, options), LISTINGS.pools, options);
  const inside = rows.filter((row) => namespace === undefined || row['namespace'] === namespace);
  await print(terminal, options.output, { pools: inside }, () =>
    tableOf(LISTINGS.pools, inside, terminal),
  );
  if (inside.length < rows.length && inside.length === 0)
    terminal.error(`No pool is in namespace ${namespace ?? ''}; -A shows those of all.`);
}

function getter(listing: Listing): ClientCommand<Options> {
  return async (terminal, options) => {
    const { rows, hasMore } = await list(connect(terminal, options), listing, options);
    await print(terminal, options.output, { [listing.field]: rows }, () =>
      tableOf(listing, rows, terminal),
    );
    if (hasMore) terminal.error(`There are more; raise --limit (now ${options.limit ?? LIMIT}).`);
  };
}

function tableOf(listing: Listing, rows: readonly Row[], terminal: Terminal): string {
  if (rows.length === 0 && terminal.isInteractive) return `No ${listing.field}.`;
  return formatTable(listing.columns(Date.now()), rows);
}

async function list(
  client: ApiClient,
  { from, field, isPaged }: Listing,
  options: Options,
): Promise<{ readonly rows: readonly Row[]; readonly hasMore: boolean }> {
  const [path, query] = from(options);
  const limit = options.limit ?? LIMIT;
  const rows: Row[] = [];
  let token = '';
  do {
    const page = isPaged
      ? { page_size: Math.min(limit - rows.length, PAGE_SIZE_MAX), page_token: token }
      : {};
    const answer = await client.call('GET', pathOf(path, { ...query, ...page }));
    rows.push(...rowsAt(answer, field));
    token = tokenOf(answer);
  } while (token !== '' && rows.length < limit);
  return { rows, hasMore: token !== '' };
}

function tokenOf(answer: unknown): string {
  const token = at(answer, 'next_page_token');
  return typeof token === 'string' ? token : '';
}

/** All live instances up to `limit`: for `top`. */
export async function listInstances(
  client: ApiClient,
  options: { readonly pool?: string; readonly limit: number },
): Promise<readonly Row[]> {
  const { rows } = await list(client, LISTINGS.instances, { ...options, output: 'table' });
  return rows;
}
