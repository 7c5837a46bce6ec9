/**
 * What leaves on one side of a session. A chunk whose bytes all pass is written as it was read, in
 * one write and without a copy. The first change makes the outlet copy: runs of untouched bytes and
 * what replaces the rest go into a reused buffer, which leaves in one write too.
 *
 * Invariant: memory that the wire still holds is not touched. When a write is not taken at once the
 * outlet is `blocked`, its owner stops reading the other side until {@link Outlet.drained}, and the
 * buffer is set aside.
 */
import type { Wire } from '#core/wire.ts';

const EMPTY = new Uint8Array(0);
const SCRATCH_BYTES = 128 * 1024;
/** A buffer above this is written before the chunk is through. */
const FLUSH_BYTES = 256 * 1024;

/** What is kept back. */
interface Withheld {
  readonly bytesMax: number;
  readonly lost: () => void;
  parts: Uint8Array[] | undefined;
  bytes: number;
}

function keep(withheld: Withheld, bytes: Uint8Array): void {
  if (withheld.parts === undefined) return;
  withheld.bytes += bytes.length;
  if (withheld.bytes > withheld.bytesMax) {
    withheld.parts = undefined;
    withheld.lost();
    return;
  }
  // The memory that it lies in is used again.
  withheld.parts.push(new Uint8Array(bytes));
}

export class Outlet {
  readonly #wire: Wire;
  readonly #record: ((bytes: Uint8Array, start: number, end: number) => void) | undefined;
  #source: Uint8Array = EMPTY;
  #from = 0;
  #scratch: Uint8Array = EMPTY;
  /** What the wire may still hold; used again when it is drained. */
  #aside: Uint8Array = EMPTY;
  #used = 0;
  #mark = -1;
  /** A part of the present chunk has left before the rest was dealt with. */
  #split = false;
  #blocked = false;
  #open = true;
  #withheld: Withheld | undefined;

  /** @param record - is shown every byte just before it is written. */
  constructor(wire: Wire, record?: (bytes: Uint8Array, start: number, end: number) => void) {
    this.#wire = wire;
    this.#record = record;
  }

  /** Whether the wire holds bytes that the kernel has not taken. */
  get blocked(): boolean {
    return this.#blocked;
  }

  /** Starts a run of bytes that pass, at `at` of `source`. */
  open(source: Uint8Array, at: number): void {
    this.#source = source;
    this.#from = at;
    this.#split = false;
  }

  /** Ends the run at `end`, so that something can be put in its place; see {@link skip}. */
  cut(end: number): void {
    if (end > this.#from) this.put(this.#source, this.#from, end);
    this.#from = end;
  }

  /** Starts the next run at `at`: what lies between does not leave. */
  skip(at: number): void {
    this.#from = at;
  }

  /** Copies bytes that are not of the run behind what was cut. */
  put(bytes: Uint8Array, start = 0, end: number = bytes.length): void {
    const count = end - start;
    if (this.#used + count > this.#scratch.length) this.#grow(count);
    if (count > 32) {
      this.#scratch.set(bytes.subarray(start, end), this.#used);
    } else {
      const scratch = this.#scratch;
      let to = this.#used;
      for (let at = start; at < end; at += 1, to += 1) scratch[to] = bytes[at] ?? 0;
    }
    this.#used += count;
    if (this.#used > FLUSH_BYTES && this.#mark < 0) {
      this.flush();
      this.#split = true;
    }
  }

  /**
   * Remembers where the run that is open would put its byte `at`, so that a length there can be
   * patched when it is known. Nothing is flushed until {@link patch}.
   */
  mark(at: number): void {
    this.#mark = this.#used + (at - this.#from);
  }

  /** Forgets the mark: nothing was changed. */
  unmark(): void {
    this.#mark = -1;
  }

  /** Writes the 4-byte `value` at the mark; everything up to it must have been cut. */
  patch(value: number): void {
    const at = this.#mark;
    this.#mark = -1;
    this.#scratch[at] = value >> 24;
    this.#scratch[at + 1] = value >> 16;
    this.#scratch[at + 2] = value >> 8;
    this.#scratch[at + 3] = value;
  }

  /** Ends the last run of a chunk; written in place when nothing of the chunk was changed. */
  close(end: number): void {
    if (this.#used > 0) {
      this.cut(end);
      this.flush();
    } else if (end > this.#from) {
      this.#write(this.#source, this.#from, end);
    }
    this.#source = EMPTY;
    this.#from = 0;
  }

  /** As {@link close} for a source whose memory is reused at once: copies, and does not write. */
  closeCopied(end: number): void {
    this.cut(end);
    this.#source = EMPTY;
    this.#from = 0;
  }

  /** Writes what was put. */
  flush(): void {
    if (this.#used === 0) return;
    const scratch = this.#scratch;
    this.#write(scratch, 0, this.#used);
    this.#used = 0;
    const isUsual = scratch.length <= FLUSH_BYTES * 2;
    if (!this.#blocked && isUsual) return;
    // The wire may still hold it, or it grew for one message.
    if (isUsual) this.#aside = scratch;
    this.#scratch = EMPTY;
  }

  /**
   * Forgets what of the present chunk has not left.
   *
   * @returns whether some of it has.
   */
  discard(): boolean {
    this.#source = EMPTY;
    this.#from = 0;
    this.#used = 0;
    this.#mark = -1;
    return this.#split;
  }

  /** The kernel has everything. */
  drained(): void {
    this.#blocked = false;
    if (this.#scratch.length === 0) this.#scratch = this.#aside;
    this.#aside = EMPTY;
  }

  /** Nothing more leaves: later writes are dropped. */
  shut(): void {
    this.#open = false;
  }

  /** Whether what would leave is kept back. */
  get withholds(): boolean {
    return this.#withheld !== undefined;
  }

  /** Keeps back what would leave, up to a bound; above it, what was kept is lost. */
  withhold(bytesMax: number, lost: () => void): void {
    this.#withheld = { bytesMax, lost, parts: [], bytes: 0 };
  }

  /** Keeps nothing back any more; gives what was kept, undefined when it was lost. */
  release(): Uint8Array | undefined {
    const withheld = this.#withheld;
    this.#withheld = undefined;
    return withheld?.parts && Buffer.concat(withheld.parts);
  }

  #write(bytes: Uint8Array, start: number, end: number): void {
    if (!this.#open) return;
    if (this.#withheld !== undefined) {
      keep(this.#withheld, bytes.subarray(start, end));
      return;
    }
    this.#record?.(bytes, start, end);
    const whole = start === 0 && end === bytes.length;
    if (!this.#wire.write(whole ? bytes : bytes.subarray(start, end))) this.#blocked = true;
  }

  #grow(count: number): void {
    const size = Math.max(SCRATCH_BYTES, this.#scratch.length * 2, this.#used + count);
    const bytes = new Uint8Array(size);
    bytes.set(this.#scratch.subarray(0, this.#used));
    this.#scratch = bytes;
  }
}
