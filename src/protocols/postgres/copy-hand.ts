/** What the readers of COPY data work with: putting and withholding bytes of the open run. */
import type { Outlet } from './relay-outlet.ts';

/** Reads one format of COPY data, cut anywhere. */
export interface CopyReader {
  /** Takes payload that lies in the hand's open run. */
  read(hand: CopyHand, bytes: Uint8Array, start: number, end: number): void;
  /** Called at CopyDone. */
  end(): void;
}

/** Puts and withholds bytes of one message, and counts what that does to its length. */
export class CopyHand {
  readonly #outlet: Outlet;
  /** Bytes put more than withheld. */
  grown = 0;
  /** Whether the message leaves otherwise than it came. */
  changed = false;

  constructor(outlet: Outlet) {
    this.#outlet = outlet;
  }

  /** Keeps `[start, end)` of the open run from leaving; what is put next stands in its place. */
  withhold(start: number, end: number): void {
    this.#outlet.cut(start);
    this.#outlet.skip(end);
    this.grown -= end - start;
    this.changed = true;
  }

  put(bytes: Uint8Array): void {
    this.#outlet.put(bytes);
    this.grown += bytes.length;
    this.changed = true;
  }
}

const EMPTY = new Uint8Array(0);

/** A field that is withheld until its end is there, across messages; bounded. */
export class HeldField {
  #bytes: Uint8Array = EMPTY;
  #used = 0;
  readonly bytesMax: number;
  /** More bytes than the limit: only the fact is kept. */
  oversize = false;

  constructor(max: number) {
    this.bytesMax = max;
  }

  get isEmpty(): boolean {
    return this.#used === 0 && !this.oversize;
  }

  add(bytes: Uint8Array, start: number, end: number): void {
    const size = this.#used + end - start;
    if (this.oversize || size > this.bytesMax) {
      this.oversize = true;
      this.#used = 0;
      return;
    }
    if (size > this.#bytes.length) {
      const grown = new Uint8Array(Math.max(256, size, this.#used * 2));
      grown.set(this.#bytes.subarray(0, this.#used));
      this.#bytes = grown;
    }
    this.#bytes.set(bytes.subarray(start, end), this.#used);
    this.#used = size;
  }

  view(): Uint8Array {
    return this.#bytes.subarray(0, this.#used);
  }

  clear(): void {
    this.#used = 0;
    this.oversize = false;
  }
}
