/** A binary heap whose entries know their place, so that any of them can be taken out or moved in O(log n). */

/** Base of what a heap holds; in one heap at a time. */
export interface HeapEntry {
  /** Written by the heap only; −1: in none. */
  heapIndex: number;
}

export class IndexedHeap<Entry extends HeapEntry> {
  readonly #entries: Entry[] = [];
  readonly #isBefore: (a: Entry, b: Entry) => boolean;

  constructor(isBefore: (a: Entry, b: Entry) => boolean) {
    this.#isBefore = isBefore;
  }

  get size(): number {
    return this.#entries.length;
  }

  first(): Entry | undefined {
    return this.#entries[0];
  }

  push(entry: Entry): void {
    entry.heapIndex = this.#entries.length;
    this.#entries.push(entry);
    this.#rise(entry);
  }

  remove(entry: Entry): void {
    const { heapIndex } = entry;
    if (heapIndex < 0 || this.#entries[heapIndex] !== entry) return;
    entry.heapIndex = -1;
    const last = this.#entries.pop();
    if (last === undefined || last === entry) return;
    this.#entries[heapIndex] = last;
    last.heapIndex = heapIndex;
    this.update(last);
  }

  /** After the order of an entry changed. */
  update(entry: Entry): void {
    this.#rise(entry);
    this.#sink(entry);
  }

  #rise(entry: Entry): void {
    let index = entry.heapIndex;
    while (index > 0) {
      const parent = this.#entries[(index - 1) >> 1];
      if (parent === undefined || !this.#isBefore(entry, parent)) return;
      this.#swap(entry, parent);
      index = entry.heapIndex;
    }
  }

  #sink(entry: Entry): void {
    for (;;) {
      const left = this.#entries[2 * entry.heapIndex + 1];
      const right = this.#entries[2 * entry.heapIndex + 2];
      const child =
        right !== undefined && left !== undefined && this.#isBefore(right, left) ? right : left;
      if (child === undefined || !this.#isBefore(child, entry)) return;
      this.#swap(entry, child);
    }
  }

  #swap(a: Entry, b: Entry): void {
    const { heapIndex } = a;
    a.heapIndex = b.heapIndex;
    b.heapIndex = heapIndex;
    this.#entries[a.heapIndex] = a;
    this.#entries[b.heapIndex] = b;
  }
}
