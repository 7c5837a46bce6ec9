/**
 * Bytes that wait, in order, in one piece of memory. What is kept is at most twice what waits,
 * however small the pieces were that it came in: a sender of single bytes costs no more.
 */
const EMPTY = new Uint8Array(0);

export class ByteQueue {
  #bytes: Uint8Array = EMPTY;
  #start = 0;
  #end = 0;

  get length(): number {
    return this.#end - this.#start;
  }

  /** Copies `bytes` behind what waits. */
  push(bytes: Uint8Array): void {
    if (this.#end + bytes.length > this.#bytes.length) this.#makeRoom(bytes.length);
    this.#bytes.set(bytes, this.#end);
    this.#end += bytes.length;
  }

  /** What waits; a view that is valid until the next `push`. */
  peek(): Uint8Array {
    return this.#bytes.subarray(this.#start, this.#end);
  }

  /** Forgets the first `count` bytes. */
  drop(count: number): void {
    this.#start += count;
    if (this.#start >= this.#end) this.clear();
  }

  clear(): void {
    this.#bytes = EMPTY;
    this.#start = 0;
    this.#end = 0;
  }

  #makeRoom(count: number): void {
    const { length } = this;
    const grown = new Uint8Array(Math.max(2 * length, length + count));
    grown.set(this.peek());
    this.#bytes = grown;
    this.#start = 0;
    this.#end = length;
  }
}
