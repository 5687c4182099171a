/** Colours of the terminal, only where a person reads and NO_COLOR is not set. */

const paint =
  (open: number, close: number) =>
  (text: string): string =>
    `\u001B[${open}m${text}\u001B[${close}m`;
const plain = (text: string): string => text;

export interface Style {
  bold(text: string): string;
  dim(text: string): string;
  red(text: string): string;
  green(text: string): string;
}

export function styleFor({ hasColours }: { readonly hasColours: boolean }): Style {
  return hasColours
    ? { bold: paint(1, 22), dim: paint(2, 22), red: paint(31, 39), green: paint(32, 39) }
    : { bold: plain, dim: plain, red: plain, green: plain };
}
