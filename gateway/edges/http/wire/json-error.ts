/** Says where a text stops being JSON: JSON.parse does not always tell, and shows the text instead. Runs for broken requests only. */

const SPACE = /[ \t\n\r]*/y;
const SCALAR =
  /"(?:[^"\\\u0000-\u001f]|\\(?:["\\/bfnrt]|u[0-9a-fA-F]{4}))*"|-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?|true|false|null/y;
const STRING = /"(?:[^"\\\u0000-\u001f]|\\(?:["\\/bfnrt]|u[0-9a-fA-F]{4}))*"/y;

/** What is expected next, to be read after "expected": the states of the walk. */
const EXPECTED = {
  value: 'a value',
  itemOrEnd: 'a value or "]"',
  key: 'a name in double quotes',
  keyOrEnd: 'a name in double quotes or "}"',
  colon: '":"',
  commaOrEnd: '"," or the end of the list or object',
  end: 'the end of the text',
} as const;
type State = keyof typeof EXPECTED;

/** `line 2, column 5 (character 17): expected ":"`; counts from 1. @param text no valid JSON. */
export function describeJsonError(text: string): string {
  const { at, state } = new Walk(text).toTheError();
  const before = text.slice(0, at);
  const line = before.split('\n').length;
  const column = at - before.lastIndexOf('\n');
  const found =
    at >= text.length ? 'the text ends here' : `found ${JSON.stringify(text.slice(at, at + 1))}`;
  return `line ${line}, column ${column} (character ${at + 1}): expected ${EXPECTED[state]}, but ${found}`;
}

class Walk {
  readonly #text: string;
  /** `{` and `[` that are open. Not deeper than the text is long. */
  readonly #open: string[] = [];
  #at = 0;
  #state: State = 'value';

  constructor(text: string) {
    this.#text = text;
  }

  toTheError(): { readonly at: number; readonly state: State } {
    do this.#take(SPACE);
    while (this.#at < this.#text.length && this.#step(this.#text.charAt(this.#at)));
    return { at: this.#at, state: this.#state };
  }

  /** False: what stands here is not what was expected. */
  #step(next: string): boolean {
    switch (this.#state) {
      case 'value':
        return this.#value(next);
      case 'itemOrEnd':
        return next === ']' ? this.#close(next) : this.#value(next);
      case 'key':
        return this.#key();
      case 'keyOrEnd':
        return next === '}' ? this.#close(next) : this.#key();
      case 'colon':
        return next === ':' && this.#move('value');
      case 'commaOrEnd':
        return next === ','
          ? this.#move(this.#open.at(-1) === '{' ? 'key' : 'value')
          : this.#close(next);
      case 'end':
        return false;
    }
  }

  #value(next: string): boolean {
    if (next === '{' || next === '[') {
      this.#open.push(next);
      return this.#move(next === '{' ? 'keyOrEnd' : 'itemOrEnd');
    }
    return this.#take(SCALAR) && this.#afterValue();
  }

  #key(): boolean {
    if (!this.#take(STRING)) return false;
    this.#state = 'colon';
    return true;
  }

  #close(next: string): boolean {
    if (next !== (this.#open.at(-1) === '{' ? '}' : ']')) return false;
    this.#open.pop();
    this.#at += 1;
    return this.#afterValue();
  }

  #afterValue(): boolean {
    this.#state = this.#open.length === 0 ? 'end' : 'commaOrEnd';
    return true;
  }

  #move(state: State): boolean {
    this.#at += 1;
    this.#state = state;
    return true;
  }

  #take(pattern: RegExp): boolean {
    pattern.lastIndex = this.#at;
    const match = pattern.exec(this.#text);
    this.#at += match?.[0].length ?? 0;
    return match !== null;
  }
}
