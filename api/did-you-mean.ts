/** Finds the known word that a mistyped one most likely meant. */

/** Words longer than this are never compared: the cost is the product of both lengths. */
const CHARACTERS_MAX = 64;

/** The nearest of `known`, when it is near enough to be worth saying; case and `_` or `-` do not count. */
export function didYouMean(word: string, known: readonly string[]): string | undefined {
  if (word.length > CHARACTERS_MAX) return undefined;
  const wanted = fold(word);
  const ranked = known
    .map((name) => ({ name, distance: editDistance(wanted, fold(name)) }))
    .sort((a, b) => a.distance - b.distance);
  const [best] = ranked;
  return best !== undefined && best.distance <= Math.floor(wanted.length / 3)
    ? best.name
    : undefined;
}

function fold(word: string): string {
  return word.toLowerCase().replaceAll(/[_-]/g, '');
}

/** Levenshtein's distance, one row at a time. */
function editDistance(a: string, b: string): number {
  let row = Array.from({ length: b.length + 1 }, (_, index) => index);
  for (let i = 1; i <= a.length; i += 1) row = nextRow(row, i, a.charAt(i - 1), b);
  return row[b.length] ?? 0;
}

function nextRow(above: readonly number[], first: number, letter: string, b: string): number[] {
  const row = [first];
  for (let j = 1; j <= b.length; j += 1) {
    const replace = (above[j - 1] ?? 0) + (letter === b[j - 1] ? 0 : 1);
    row.push(Math.min(replace, (above[j] ?? 0) + 1, (row[j - 1] ?? 0) + 1));
  }
  return row;
}
