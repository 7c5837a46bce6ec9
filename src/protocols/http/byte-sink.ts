/** Collects pieces of bytes into memory of its own. */
const nothing: Uint8Array = new Uint8Array(0);

const BYTES_MIN = 1_024;
/** Up to this size a loop costs less than a view. */
const SHORT_BYTES = 64;

export class ByteSink {
  #bytes: Uint8Array = nothing;
  #length: number = 0;
  /** What was collected the last time: most likely it will be as much again. */
  #lastLength: number = 0;

  /** Copies `bytes[start, end)`. */
  put(bytes: Uint8Array, start: number, end: number): void {
    if (end <= start) return;
    const from = this.#length;
    const needed = from + end - start;
    if (needed > this.#bytes.length) this.#grow(needed);
    this.#length = needed;
    if (end - start > SHORT_BYTES) {
      this.#bytes.set(bytes.subarray(start, end), from);
      return;
    }
    const own = this.#bytes;
    for (let at = start; at < end; at += 1) own[from + at - start] = bytes[at] ?? 0;
  }

  /** What was collected; begins anew. */
  take(): Uint8Array {
    const taken = this.#bytes.subarray(0, this.#length);
    this.#bytes = nothing;
    this.#lastLength = this.#length;
    this.#length = 0;
    return taken;
  }

  #grow(needed: number): void {
    const likely = this.#length === 0 ? this.#lastLength + (this.#lastLength >>> 3) : 0;
    const size = Math.max(needed, 2 * this.#bytes.length, likely, BYTES_MIN);
    const grown = new Uint8Array(size);
    grown.set(this.#bytes.subarray(0, this.#length));
    this.#bytes = grown;
  }
}
