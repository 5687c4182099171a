/** The little Markdown that generated pages are made of. */

export const HEAD =
  '<!-- Written by `npm run gen` from the sources; what is wrong here is to be put right there. -->\n';

export function table(columns: readonly string[], rows: readonly (readonly string[])[]): string {
  const line = (cells: readonly string[]): string => `| ${cells.map(cell).join(' | ')} |`;
  const rule = `|${columns.map(() => '---|').join('')}`;
  return [line(columns), rule, ...rows.map(line)].join('\n');
}

export function code(text: string): string {
  return `\`${text}\``;
}

function cell(text: string): string {
  return text.replaceAll('|', '\\|').replaceAll('\n', ' ');
}
