/** `agentpool describe project` and `describe instance`. */
import { type ApiClient, pathOf } from '../client/api-client.ts';
import {
  type ClientCommand,
  connect,
  type OutputOptions,
  type ProjectOptions,
} from '../client/connect.ts';
import { instanceIdOf } from '../client/pools.ts';
import { tierSentences } from '../client/tier-sentences.ts';
import { at, NOTHING, numberAt, type Row, rowsAt, shown, textAt } from '../output/json-value.ts';
import { print } from '../output/print.ts';
import { ageOf, formatBytes } from '../output/quantity.ts';
import { formatSections, list, type Section, values } from '../output/sections.ts';
import { liveInstance } from './why.ts';

const CONVERSATIONS_SHOWN = 10;

export const describeProject: ClientCommand<OutputOptions & ProjectOptions> = async (
  terminal,
  options,
) => {
  const client = connect(terminal, options);
  const id = await instanceIdOf(client, options);
  const [project, instance, conversations] = await Promise.all([
    readProject(client, options),
    liveInstance(client, id),
    readConversations(client, options),
  ]);
  const nowMs = Date.now();
  await print(
    terminal,
    options.output,
    { project, instance: instance ?? null, conversations },
    () =>
      formatSections([
        ...projectSections(project, nowMs),
        { type: 'block', heading: 'Tier', text: tierSentences(at(project, 'tier'), nowMs) },
        ...(instance === undefined
          ? [values(['Instance', 'none: the next task activates it'])]
          : instanceSections(instance, nowMs)),
        list(
          `Conversations (at most ${CONVERSATIONS_SHOWN})`,
          conversationColumns(nowMs),
          conversations,
        ),
      ]),
  );
};

export const describeInstance: ClientCommand<OutputOptions> = async (
  terminal,
  options,
  id = '',
) => {
  const instance = await connect(terminal, options).call('GET', pathOf(['pool', 'instances', id]));
  await print(terminal, options.output, instance, () =>
    formatSections(instanceSections(instance, Date.now())),
  );
};

function readProject(
  client: ApiClient,
  { tenant, project, pool }: ProjectOptions,
): Promise<unknown> {
  return client.call('GET', pathOf(['projects', tenant, project], { pool }));
}

async function readConversations(
  client: ApiClient,
  { tenant, project, pool }: ProjectOptions,
): Promise<readonly Row[]> {
  const path = pathOf(['projects', tenant, project, 'conversations'], {
    pool,
    page_size: CONVERSATIONS_SHOWN,
  });
  return rowsAt(await client.call('GET', path), 'conversations');
}

function projectSections(project: unknown, nowMs: number): Section[] {
  return [
    values(
      ['Pool', textAt(project, 'ref', 'pool')],
      ['Tenant', textAt(project, 'ref', 'tenant')],
      ['Project', textAt(project, 'ref', 'project')],
      ['Stored', formatBytes(numberAt(project, 'stored_bytes') ?? 0)],
      ['Last used', ago(at(project, 'last_used'), nowMs)],
      ['Paused', at(project, 'paused') === true ? 'yes; "agentpool resume" lets it go on' : 'no'],
    ),
  ];
}

function instanceSections(instance: unknown, nowMs: number): Section[] {
  const cpu = (numberAt(instance, 'cpu_percent') ?? 0).toFixed(1);
  return [
    values(
      ['Instance', textAt(instance, 'id')],
      ['Live tier', textAt(instance, 'tier')],
      ['State', textAt(instance, 'state')],
      ['Runtime', textAt(instance, 'runtime')],
      ['Epoch', textAt(instance, 'epoch')],
      ['Created', ago(at(instance, 'created'), nowMs)],
      ['Requests', textAt(instance, 'requests')],
      ['Memory', formatBytes(numberAt(instance, 'memory_bytes') ?? 0)],
      ['CPU', `${cpu} % of one core`],
      ['Message', textAt(instance, 'message')],
    ),
  ];
}

function ago(time: unknown, nowMs: number): string {
  const age = ageOf(time, nowMs);
  return age === undefined ? NOTHING : `${age} ago (${shown(time)})`;
}

const conversationColumns = (nowMs: number) => [
  { name: 'ID', value: (row: Row) => textAt(row, 'id') },
  { name: 'AGENT', value: (row: Row) => textAt(row, 'agent') },
  { name: 'TURNS', value: (row: Row) => textAt(row, 'turn_count') },
  { name: 'USED', value: (row: Row) => ageOf(row['updated'], nowMs) ?? NOTHING },
];
