/** Prints an answer in the format that was asked for: a table for people, JSON or YAML for programs. */
import type { Terminal } from '../terminal.ts';

export const FORMATS = ['table', 'json', 'yaml'] as const;
export type Format = (typeof FORMATS)[number];

/** `table` is only called when a table is wanted. */
export async function print(
  terminal: Terminal,
  format: Format,
  value: unknown,
  table: () => string,
): Promise<void> {
  switch (format) {
    case 'table':
      terminal.line(table());
      return;
    case 'json':
      terminal.line(JSON.stringify(value, undefined, 2));
      return;
    case 'yaml': {
      const { stringify } = await import('yaml');
      terminal.write(stringify(value, { lineWidth: 0 }));
    }
  }
}
