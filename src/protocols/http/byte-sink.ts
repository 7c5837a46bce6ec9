/** Collects pieces of bytes into memory of its own. */
const nothing: Uint8Array = new Uint8Array(0);

export class ByteSink {
  #bytes: Uint8Array = nothing;
  #length: number = 0;

  /** Copies `bytes[start, end)`. */
  put(bytes: Uint8Array, start: number, end: number): void {
    if (end <= start) return;
    const needed = this.#length + end - start;
    if (needed > this.#bytes.length) {
      const grown = new Uint8Array(Math.max(needed, 2 * this.#bytes.length, 1_024));
      grown.set(this.#bytes.subarray(0, this.#length));
      this.#bytes = grown;
    }
    this.#bytes.set(bytes.subarray(start, end), this.#length);
    this.#length = needed;
  }

  /** What was collected; begins anew. */
  take(): Uint8Array {
    const taken = this.#bytes.subarray(0, this.#length);
    this.#bytes = nothing;
    this.#length = 0;
    return taken;
  }
}
