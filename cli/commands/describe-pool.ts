/** `agentpool describe pool`: tiers, conditions with what to do, what the driver does not enforce, and the latest events. */
import { CONDITION_REASONS } from '../../api/reasons.ts';
import { type ClientCommand, connect, type OutputOptions } from '../client/connect.ts';
import { type NamespaceOptions, namespaceOf } from '../client/namespace.ts';
import { findPool, fullName } from '../client/pools.ts';
import { NOTHING, numberAt, type Row, rowsAt, shown, textAt } from '../output/json-value.ts';
import { print } from '../output/print.ts';
import { ageOf } from '../output/quantity.ts';
import { formatSections, list, type Section, values } from '../output/sections.ts';

export const describePool: ClientCommand<OutputOptions & NamespaceOptions> = async (
  terminal,
  options,
  name,
) => {
  const namespace = namespaceOf(terminal, options);
  const pool = await findPool(connect(terminal, options), name, namespace);
  await print(terminal, options.output, pool, () => formatSections(sectionsOf(pool, Date.now())));
};

function sectionsOf(pool: Row, nowMs: number): Section[] {
  const spec = (...path: string[]): string => textAt(pool, 'spec', ...path);
  const status = (field: string): string => textAt(pool, 'status', field);
  return [
    values(
      ['Name', fullName(pool)],
      ['Agent module', spec('runtime', 'agentModule')],
      ['Isolation', spec('runtime', 'isolation')],
      ['Operating mode', spec('operatingMode')],
      ['Default tier', spec('tiers', 'default')],
      ['Checkpoints', `${spec('checkpoint', 'mode')}, ${spec('checkpoint', 'durability')}`],
      [
        'Shared runtimes',
        `${status('readyReplicas')} ready of ${status('desiredReplicas')}, ${status('updatedReplicas')} in the current revision`,
      ],
      ['Last scaled', lastScaled(pool, nowMs)],
      ['Revision', revisions(pool)],
      ['Endpoint', status('endpoint')],
      ['Driver', textAt(pool, 'report', 'driver')],
    ),
    list('Tiers', TIER_COLUMNS, rowsAt(pool, 'status', 'tiers')),
    list('Conditions', conditionColumns(nowMs), rowsAt(pool, 'status', 'conditions')),
    ...advice(pool),
    list(
      'Not enforced by this driver',
      NOT_ENFORCED_COLUMNS,
      rowsAt(pool, 'report', 'notEnforced'),
    ),
    list('Quarantined by this gateway', quarantineColumns, rowsAt(pool, 'quarantined')),
    list('Events', eventColumns(nowMs), rowsAt(pool, 'report', 'events')),
  ];
}

function lastScaled(pool: Row, nowMs: number): string {
  const age = ageOf(textAt(pool, 'status', 'lastScaleTime'), nowMs);
  if (age === undefined) return NOTHING;
  return `${age} ago, ${textAt(pool, 'status', 'lastScaleReason')}`;
}

function revisions(pool: Row): string {
  const [current, update] = [
    textAt(pool, 'status', 'currentRevision'),
    textAt(pool, 'status', 'updateRevision'),
  ];
  return current === update ? current : `${current}, rolling out ${update}`;
}

const column = (name: string, field: string) => ({ name, value: (row: Row) => textAt(row, field) });

const TIER_COLUMNS = [
  column('TIER', 'name'),
  column('DESIRED', 'desired'),
  column('READY', 'ready'),
  column('ALLOCATED', 'allocated'),
  column('IDLE', 'idle'),
];
const NOT_ENFORCED_COLUMNS = [column('FIELD', 'field'), column('INSTEAD', 'instead')];
const age = (nowMs: number, field: string) => (row: Row) => ageOf(row[field], nowMs) ?? NOTHING;
const conditionColumns = (nowMs: number) => [
  column('TYPE', 'type'),
  column('STATUS', 'status'),
  column('REASON', 'reason'),
  { name: 'SINCE', value: age(nowMs, 'lastTransitionTime') },
  column('MESSAGE', 'message'),
];
const eventColumns = (nowMs: number) => [
  { name: 'LAST', value: age(nowMs, 'lastTime') },
  column('TYPE', 'type'),
  column('REASON', 'reason'),
  { name: 'COUNT', value: (row: Row) => shown(row['count']) },
  column('MESSAGE', 'message'),
];

const quarantineColumns = [
  column('TENANT', 'tenant'),
  column('PROJECT', 'project'),
  column('STATE', 'state'),
  {
    name: 'TRIED AGAIN IN',
    value: (row: Row) => `${Math.ceil((numberAt(row, 'retry_after_ms') ?? 0) / 1_000)} s`,
  },
];

const NOTHING_TO_DO = 'Nothing.';

/** What to do about each condition that is not as it should be. */
function advice(pool: Row): Section[] {
  const reasons = new Set(rowsAt(pool, 'status', 'conditions').map((one) => textAt(one, 'reason')));
  const rows = Object.entries(CONDITION_REASONS)
    .filter(([reason, { whatToDo }]) => reasons.has(reason) && whatToDo !== NOTHING_TO_DO)
    .map(([reason, { whatToDo }]) => ({ reason, whatToDo }));
  if (rows.length === 0) return [];
  return [list('What to do', [column('REASON', 'reason'), column('ADVICE', 'whatToDo')], rows)];
}
