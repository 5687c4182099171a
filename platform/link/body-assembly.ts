/** Puts the slices of one body together again, within a bound. */

export class BodyAssembly {
  bytes = 0;
  #slices: Uint8Array[] = [];

  add(slice: Uint8Array): void {
    this.bytes += slice.length;
    this.#slices.push(slice);
  }

  /** The whole body; a body of one slice is that slice. */
  whole(): Uint8Array {
    const only = this.#slices[0];
    if (this.#slices.length === 1 && only !== undefined) return only;
    const body = new Uint8Array(this.bytes);
    let offset = 0;
    for (const slice of this.#slices) {
      body.set(slice, offset);
      offset += slice.length;
    }
    return body;
  }
}
