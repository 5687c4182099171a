/** `agentpool top`: pools' counts and the busiest instances, drawn anew every two seconds where a person looks. */
import { setTimeout as sleep } from 'node:timers/promises';
import { type ApiClient, pathOf } from '../client/api-client.ts';
import { type ClientCommand, connect } from '../client/connect.ts';
import { at, numberAt, type Row, shown, textAt } from '../output/json-value.ts';
import { formatBytes } from '../output/quantity.ts';
import { type Column, formatTable } from '../output/table.ts';
import { listInstances } from './get.ts';

interface Options {
  readonly pool?: string;
  readonly once?: boolean;
}

const EVERY_MS = 2_000;
const INSTANCES_MAX = 2_000;
const HEAD_ROWS = 5;
const CLEAR = '\u001B[H\u001B[2J\u001B[3J';

const COLUMNS: readonly Column<Row>[] = [
  { name: 'TENANT', value: (row) => textAt(row, 'tenant') },
  { name: 'PROJECT', value: (row) => textAt(row, 'project') },
  { name: 'TIER', value: (row) => textAt(row, 'tier') },
  { name: 'STATE', value: (row) => textAt(row, 'state') },
  {
    name: 'CPU%',
    value: (row) => (numberAt(row, 'cpu_percent') ?? 0).toFixed(1),
    alignsRight: true,
  },
  {
    name: 'MEMORY',
    value: (row) => formatBytes(numberAt(row, 'memory_bytes') ?? 0),
    alignsRight: true,
  },
  { name: 'REQUESTS', value: (row) => textAt(row, 'requests'), alignsRight: true },
  { name: 'RUNTIME', value: (row) => textAt(row, 'runtime') },
];

export const top: ClientCommand<Options> = async (terminal, options) => {
  const client = connect(terminal, options);
  const isLive = terminal.isInteractive && options.once !== true;
  const end = new AbortController();
  const unlisten = terminal.onSignal(['SIGINT', 'SIGTERM'], () => {
    end.abort();
  });
  try {
    do {
      const screen = await draw(client, options.pool, terminal.rows() - HEAD_ROWS);
      terminal.write(`${isLive ? CLEAR : ''}${screen}\n`);
      if (!isLive) return;
      await sleep(EVERY_MS, undefined, { signal: end.signal }).catch(() => undefined);
    } while (!end.signal.aborted);
  } finally {
    unlisten();
  }
};

async function draw(client: ApiClient, pool: string | undefined, rows: number): Promise<string> {
  const [stats, instances] = await Promise.all([
    client.call('GET', pathOf(['pool', 'stats'], { pool })),
    listInstances(client, { limit: INSTANCES_MAX, ...(pool === undefined ? {} : { pool }) }),
  ]);
  const load = (row: Row): number => numberAt(row, 'cpu_percent') ?? 0;
  const memory = (row: Row): number => numberAt(row, 'memory_bytes') ?? 0;
  const busiest = instances.toSorted((a, b) => load(b) - load(a) || memory(b) - memory(a));
  return `${headOf(stats)}\n\n${formatTable(COLUMNS, busiest.slice(0, Math.max(1, rows)))}`;
}

function headOf(stats: unknown): string {
  const tiers = at(stats, 'instances', 'by_tier');
  const counts = Object.entries(typeof tiers === 'object' && tiers !== null ? tiers : {});
  const byTier = counts.map(([tier, count]) => `${tier} ${shown(count)}`).join(', ');
  const hits = ((numberAt(stats, 'hit_rate') ?? 0) * 100).toFixed(0);
  return [
    `Instances ${textAt(stats, 'instances', 'total')}${byTier === '' ? '' : ` (${byTier})`}`,
    `Waiting ${textAt(stats, 'queue_depth')} · succeeded ${textAt(stats, 'requests', 'succeeded')} · failed ${textAt(stats, 'requests', 'failed')} · hit rate ${hits} %`,
  ].join('\n');
}
