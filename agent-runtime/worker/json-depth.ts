/** Whether JSON text nests too deeply, told from its brackets: what is in strings does not count. Does not check the text otherwise. */

const QUOTE = 0x22;
const BACKSLASH = 0x5c;

/** @param text valid JSON. */
export function nestsDeeperThan(levels: number, text: string): boolean {
  // So deep it cannot be when it is that short, and most texts are.
  if (text.length <= 2 * levels) return false;
  let depth = 0;
  for (let at = 0; at < text.length; at += 1) {
    const code = text.charCodeAt(at);
    if (code === QUOTE) at = endOfString(text, at);
    else depth += stepOf(code);
    if (depth > levels) return true;
  }
  return false;
}

/** `[` and `{` go down, `]` and `}` up: they differ from one another in the same bit. */
function stepOf(code: number): number {
  const bracket = code | 0x20;
  if (bracket === 0x7b) return 1;
  return bracket === 0x7d ? -1 : 0;
}

/** The index of the quote that closes the string. */
function endOfString(text: string, start: number): number {
  let end = text.indexOf('"', start + 1);
  while (end > 0 && isEscaped(text, end)) end = text.indexOf('"', end + 1);
  return end < 0 ? text.length : end;
}

function isEscaped(text: string, at: number): boolean {
  let backslashes = 0;
  while (text.charCodeAt(at - backslashes - 1) === BACKSLASH) backslashes += 1;
  return backslashes % 2 === 1;
}
