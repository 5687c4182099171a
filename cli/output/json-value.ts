/** Reads fields out of the server's JSON without trusting its shape: a missing one is shown as "-", never a crash. */

export type Row = Readonly<Record<string, unknown>>;

export function isRow(value: unknown): value is Row {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** The value at a path of keys; undefined where something on the way is missing. */
export function at(value: unknown, ...path: readonly string[]): unknown {
  return path.reduce<unknown>((inner, key) => (isRow(inner) ? inner[key] : undefined), value);
}

export function rowsAt(value: unknown, ...path: readonly string[]): readonly Row[] {
  const list = at(value, ...path);
  return Array.isArray(list) ? list.filter(isRow) : [];
}

export function textAt(value: unknown, ...path: readonly string[]): string {
  return shown(at(value, ...path));
}

export function numberAt(value: unknown, ...path: readonly string[]): number | undefined {
  const found = at(value, ...path);
  return typeof found === 'number' && Number.isFinite(found) ? found : undefined;
}

export const NOTHING = '-';

/** One line of plain text: JSON for what is no scalar, control characters escaped so that a name cannot move the cursor. */
export function shown(value: unknown): string {
  if (value === undefined || value === null || value === '') return NOTHING;
  const text = typeof value === 'string' ? value : JSON.stringify(value);
  return escapeControls(text);
}

/** What an agent says is shown with its line breaks and tabs, but without other control characters. */
export function escapeControls(text: string, kept = ''): string {
  return text.replaceAll(/\p{Cc}/gu, (character) =>
    kept.includes(character)
      ? character
      : `\\x${character.charCodeAt(0).toString(16).padStart(2, '0')}`,
  );
}
