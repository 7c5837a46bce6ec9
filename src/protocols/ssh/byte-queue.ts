/**
 * Bytes that wait, in order, in one piece of memory. What is kept is at most a few times what
 * waits, however small the pieces were that it came in, and nothing when nothing waits.
 */
import { release } from './release.ts';

const EMPTY = new Uint8Array(0);
/** Memory is kept while it is no more than so many times what is needed. */
const SPARE_FACTOR = 4;

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

  /** What waits; a view that is valid until the next other call. */
  peek(): Uint8Array {
    return this.#bytes.subarray(this.#start, this.#end);
  }

  /** Forgets the first `count` bytes. */
  drop(count: number): void {
    this.#start += count;
    if (this.#start >= this.#end) this.clear();
  }

  clear(): void {
    release(this.#bytes);
    this.#bytes = EMPTY;
    this.#start = 0;
    this.#end = 0;
  }

  #makeRoom(count: number): void {
    const { length } = this;
    const wanted = Math.max(2 * length, length + count);
    const old = this.#bytes;
    if (old.length >= wanted && old.length <= SPARE_FACTOR * wanted) {
      old.copyWithin(0, this.#start, this.#end);
    } else {
      this.#bytes = new Uint8Array(wanted);
      this.#bytes.set(old.subarray(this.#start, this.#end));
      release(old);
    }
    this.#start = 0;
    this.#end = length;
  }
}
