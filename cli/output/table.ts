/** Tables without lines, as kubectl prints them. */
import Table from 'cli-table3';

export interface Column<Item> {
  readonly name: string;
  readonly value: (item: Item) => string;
  readonly alignsRight?: boolean;
}

/** No lines between cells: only the padding separates them. */
const NO_LINES = {
  top: '',
  'top-mid': '',
  'top-left': '',
  'top-right': '',
  bottom: '',
  'bottom-mid': '',
  'bottom-left': '',
  'bottom-right': '',
  left: '',
  'left-mid': '',
  mid: '',
  'mid-mid': '',
  right: '',
  'right-mid': '',
  middle: '',
} as const;
const GAP = 3;

/** Header and rows, no trailing blanks; without rows the header alone. */
export function formatTable<Item>(
  columns: readonly Column<Item>[],
  items: readonly Item[],
): string {
  const table = new Table({
    head: columns.map(({ name }) => name),
    chars: NO_LINES,
    style: { 'padding-left': 0, 'padding-right': GAP, head: [], border: [], compact: true },
    colAligns: columns.map(({ alignsRight }) => (alignsRight === true ? 'right' : 'left')),
  });
  for (const item of items) table.push(columns.map(({ value }) => value(item)));
  return table
    .toString()
    .split('\n')
    .map((line) => line.trimEnd())
    .join('\n');
}
