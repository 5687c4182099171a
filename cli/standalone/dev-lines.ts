/** What a runtime's log says to the author of its agents, in plain text: failures with their stack, what agents print. Knows the log's keys. */
import { at } from '../output/json-value.ts';

/** Undefined: nothing for an author. What is no line of the log, and warnings, stay as they are. */
export function devLine(line: string): string | undefined {
  const entry = parsed(line);
  const level = at(entry, 'level');
  if (level !== 'info') return level === 'debug' ? undefined : line;
  if (at(entry, 'msg') === 'agent failed') return failure(entry);
  // The runtime's own lines about an instance name its epoch.
  const isOfAgent = at(entry, 'instance_id') !== undefined && at(entry, 'epoch') === undefined;
  return isOfAgent ? said(entry) : undefined;
}

function failure(entry: unknown): string {
  const text = at(entry, 'detail', 'stack') ?? at(entry, 'detail', 'message');
  return `${String(at(entry, 'agent'))} failed: ${String(text)}`;
}

function said(entry: unknown): string {
  const fields = JSON.stringify(at(entry, 'detail') ?? {});
  return `${String(at(entry, 'msg'))}${fields === '{}' ? '' : ` ${fields}`}`;
}

function parsed(line: string): unknown {
  try {
    return JSON.parse(line);
  } catch {
    return undefined;
  }
}
