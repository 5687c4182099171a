/** Cuts a stream of bytes into lines; an over-long line comes in pieces, so nothing is kept without a bound. */
export const LINE_CHARACTERS_MAX = 16_384;

export class LineSplitter {
  readonly #onLine: (line: string) => void;
  readonly #decoder = new TextDecoder();
  #rest = '';

  constructor(onLine: (line: string) => void) {
    this.#onLine = onLine;
  }

  push(bytes: Uint8Array): void {
    const lines = (this.#rest + this.#decoder.decode(bytes, { stream: true })).split('\n');
    this.#rest = lines.pop() ?? '';
    for (const line of lines) this.#give(line);
    while (this.#rest.length > LINE_CHARACTERS_MAX) {
      this.#onLine(this.#rest.slice(0, LINE_CHARACTERS_MAX));
      this.#rest = this.#rest.slice(LINE_CHARACTERS_MAX);
    }
  }

  /** What came after the last line end. */
  end(): void {
    const rest = this.#rest + this.#decoder.decode();
    this.#rest = '';
    if (rest !== '') this.#give(rest);
  }

  #give(line: string): void {
    for (let start = 0; start === 0 || start < line.length; start += LINE_CHARACTERS_MAX)
      this.#onLine(line.slice(start, start + LINE_CHARACTERS_MAX));
  }
}
