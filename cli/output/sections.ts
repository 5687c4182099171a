/** The layout of `describe`: labelled values, and indented tables under headings. */
import type { Column } from './table.ts';
import { formatTable } from './table.ts';

export type Section =
  | {
      readonly type: 'values';
      readonly values: readonly (readonly [label: string, value: string])[];
    }
  | { readonly type: 'block'; readonly heading: string; readonly text: string };

export function values(...rows: readonly (readonly [string, string])[]): Section {
  return { type: 'values', values: rows };
}

/** Without items the heading says "none". */
export function list<Item>(
  heading: string,
  columns: readonly Column<Item>[],
  items: readonly Item[],
): Section {
  return { type: 'block', heading, text: items.length === 0 ? '' : formatTable(columns, items) };
}

export function formatSections(sections: readonly Section[]): string {
  const labels = sections.flatMap((section) => (section.type === 'values' ? section.values : []));
  const width = Math.max(0, ...labels.map(([label]) => label.length)) + 3;
  return sections.map((section) => formatSection(section, width)).join('\n');
}

function formatSection(section: Section, width: number): string {
  switch (section.type) {
    case 'values':
      return section.values
        .map(([label, value]) => `${`${label}:`.padEnd(width)}${value}`)
        .join('\n');
    case 'block': {
      if (section.text === '') return `${section.heading}: none`;
      const lines = section.text.split('\n').map((line) => `  ${line}`);
      return `${section.heading}:\n${lines.join('\n')}`;
    }
  }
}
