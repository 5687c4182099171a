/**
 * docs/reasons: one page for each reason of an error, condition or event. The head of a page comes from the tables; what follows the mark is
 * written by hand and kept.
 */
import {
  CONDITION_REASONS,
  type ConditionReason,
  EVENT_REASONS,
  type EventReason,
} from '../../api/reasons.ts';
import { ERROR_TABLE, type Reason } from '../../core/errors.ts';
import { code, HEAD, table } from './markdown.ts';

const MARK = '<!-- Below this line the page is written by hand. -->';

interface Entry {
  readonly name: string;
  readonly error?: Reason;
  readonly condition?: ConditionReason;
  readonly event?: EventReason;
}

/** @param written the page as it is now; undefined: there is none. */
export type ReadPage = (file: string) => string | undefined;

/** File name → text: the pages and their list. */
export function reasonPages(read: ReadPage): ReadonlyMap<string, string> {
  const found = entries();
  const pages = found.map((entry): [string, string] => {
    const file = `${entry.name}.md`;
    return [file, pageOf(entry, read(file))];
  });
  return new Map([...pages, ['README.md', listOf(found)]]);
}

/** docs/reference/errors.md. */
export function errorReference(): string {
  const rows = Object.entries(ERROR_TABLE).map(([reason, row]) => [
    `[${reason}](../reasons/${reason}.md)`,
    code(row.code),
    String(row.http),
    row.retryable ? 'yes' : '–',
  ]);
  return `${HEAD}# Errors

Every error has a reason from this table. gRPC: the status code, with \`google.rpc.ErrorInfo\` {reason, domain \`agentpool.dev\`}, \`RetryInfo\` where a retry can help, and \`BadRequest\`
where a field is wrong. HTTP: the status, with \`application/problem+json\` {type, title, status, code, reason, detail, errors[], request_id, retry_after_ms} and
\`Retry-After\`; \`type\` is \`https://agentpool.dev/reasons/REASON\`. On \`Connect\` and in server-sent events a task ends with its own error event.

A retry can help: the same request may succeed without anybody changing anything. Send it with the same request_id, after \`retry_after_ms\`.

${table(['reason', 'gRPC code', 'HTTP', 'a retry can help'], rows)}

HTTP's own mistakes use the nearest reason with their own status: 404 and 405 (no such path, or not with this method) are UNIMPLEMENTED; 408, 415 and 431 (too slow, not JSON, headers too
large) are INVALID_FIELD.
`;
}

/** Errors first; a name that differs only in case from an earlier one shares its page, as some file systems cannot tell them apart. */
function entries(): readonly Entry[] {
  const byFile = new Map<string, Entry>();
  const add = (name: string, part: Omit<Entry, 'name'>): void => {
    const key = name.toLowerCase();
    byFile.set(key, { ...(byFile.get(key) ?? { name }), ...part });
  };
  for (const error of Object.keys(ERROR_TABLE) as Reason[]) add(error, { error });
  for (const condition of Object.keys(CONDITION_REASONS) as ConditionReason[])
    add(condition, { condition });
  for (const event of Object.keys(EVENT_REASONS) as EventReason[]) add(event, { event });
  return [...byFile.values()];
}

function pageOf(entry: Entry, written: string | undefined): string {
  const head = [
    `# ${entry.name}`,
    ...errorHead(entry),
    ...conditionHead(entry),
    ...eventHead(entry),
  ];
  const byHand = written?.split(MARK)[1]?.trim() ?? '';
  const tail = byHand === '' ? '' : `\n${byHand}\n`;
  return `${HEAD}${head.join('\n\n')}\n\n${MARK}\n${tail}`;
}

function errorHead({ error }: Entry): string[] {
  if (error === undefined) return [];
  const row = ERROR_TABLE[error];
  const retry = row.retryable
    ? 'a retry with the same request_id can help'
    : 'a retry alone does not help';
  return [`Error · gRPC ${code(row.code)} · HTTP ${row.http} · ${retry}.`];
}

function conditionHead({ condition }: Entry): string[] {
  if (condition === undefined) return [];
  const { meaning, whatToDo } = CONDITION_REASONS[condition];
  return [`Reason ${code(condition)} of a condition. ${meaning}`, `**What to do.** ${whatToDo}`];
}

function eventHead({ condition, event }: Entry): string[] {
  if (event === undefined) return [];
  const { type, meaning, whatToDo } = EVENT_REASONS[event];
  const kind = `${type === 'Warning' ? 'Warning event' : 'Event'} ${code(event)}.`;
  const isSaid = condition !== undefined && CONDITION_REASONS[condition].meaning === meaning;
  return isSaid ? [kind] : [`${kind} ${meaning}`, `**What to do.** ${whatToDo}`];
}

function listOf(found: readonly Entry[]): string {
  const rows = found.map(({ name, error, condition, event }) => [
    `[${name}](${name}.md)`,
    [error && 'error', condition && 'condition', event && 'event'].filter(Boolean).join(', '),
  ]);
  return `${HEAD}# Reasons

What each reason means and what to do. Errors are what callers get ([table](../reference/errors.md)); conditions and events are what \`agentpool describe pool\` shows.

${table(['reason', 'of'], rows)}
`;
}
