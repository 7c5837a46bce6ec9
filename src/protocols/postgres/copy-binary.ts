/**
 * COPY data in the binary format: a signature, flags and an extension; then rows of a count and
 * cells, each behind its length; a count of -1 ends it.
 */
import { GatewayError, unreachable } from '#core/errors.ts';
import type { MaskSet } from '#core/masking.ts';
import { int16, int32, putInt32 } from './codec/frames.ts';
import { type CopyHand, type CopyReader, HeldField } from './copy-hand.ts';
import { type ColumnPlan, maskedCell, oversizeCell } from './results.ts';

/** `PGCOPY\n\377\r\n\0` */
const signature = Uint8Array.of(0x50, 0x47, 0x43, 0x4f, 0x50, 0x59, 0x0a, 0xff, 0x0d, 0x0a, 0);
/** Signature, flags, length of the extension. */
const preambleBytes = 19;

type State = 'preamble' | 'extension' | 'count' | 'length' | 'cell' | 'over';

export class CopyBinary implements CopyReader {
  readonly #columns: readonly ColumnPlan[];
  readonly #masks: MaskSet;
  readonly #held: HeldField;
  readonly #head = new Uint8Array(preambleBytes);
  readonly #lengthBytes = new Uint8Array(4);
  #headUsed = 0;
  #state: State = 'preamble';
  #left = 0;
  #column = 0;

  constructor(columns: readonly ColumnPlan[], masks: MaskSet, cellBytesMax: number) {
    this.#columns = columns;
    this.#masks = masks;
    this.#held = new HeldField(cellBytesMax);
  }

  read(hand: CopyHand, bytes: Uint8Array, start: number, end: number): void {
    let at = start;
    while (at < end) {
      switch (this.#state) {
        case 'preamble':
          at = this.#collect(bytes, at, end, preambleBytes, () => this.#preamble());
          break;
        case 'extension':
          at = this.#pass(at, end);
          break;
        case 'count':
          at = this.#collect(bytes, at, end, 2, () => this.#count());
          break;
        case 'length':
          at = this.#length(hand, bytes, at, end);
          break;
        case 'cell':
          at = this.#cell(hand, bytes, at, end);
          break;
        case 'over':
          throw unsound();
        default:
          unreachable(this.#state);
      }
    }
  }

  end(): void {
    if (this.#state !== 'over') throw unsound();
  }

  /** Gathers the `size` bytes of a header, then calls `done`. */
  #collect(bytes: Uint8Array, at: number, end: number, size: number, done: () => void): number {
    const count = Math.min(size - this.#headUsed, end - at);
    this.#head.set(bytes.subarray(at, at + count), this.#headUsed);
    this.#headUsed += count;
    if (this.#headUsed === size) {
      this.#headUsed = 0;
      done();
    }
    return at + count;
  }

  #preamble(): void {
    if (signature.some((byte, index) => byte !== this.#head[index])) throw unsound();
    // The upper half of the flags changes the format.
    if (int16(this.#head, 11) !== 0) throw unsound();
    this.#left = int32(this.#head, 15);
    if (this.#left < 0) throw unsound();
    this.#state = this.#left === 0 ? 'count' : 'extension';
  }

  #pass(at: number, end: number): number {
    const count = Math.min(this.#left, end - at);
    this.#left -= count;
    if (this.#left === 0) this.#state = 'count';
    return at + count;
  }

  #count(): void {
    const count = int16(this.#head, 0);
    if (count === -1) {
      this.#state = 'over';
      return;
    }
    if (count !== this.#columns.length) throw unsound();
    this.#column = 0;
    this.#state = count === 0 ? 'count' : 'length';
  }

  /** A masked cell is withheld with its length, which its replacement may change. */
  #length(hand: CopyHand, bytes: Uint8Array, at: number, end: number): number {
    const plan = this.#plan();
    const next = this.#collect(bytes, at, end, 4, () => {
      this.#left = int32(this.#head, 0);
      this.#state = 'cell';
    });
    if (plan.action !== 'pass') hand.withhold(at, next);
    if (this.#state !== 'cell') return next;
    if (this.#left < -1) throw unsound();
    if (this.#left === -1) {
      if (plan.action !== 'pass') {
        this.#put(hand, plan.hidesNull ? (plan.constant ?? null) : null);
      }
      this.#nextCell();
    } else if (this.#left === 0) this.#cellEnd(hand, plan);
    return next;
  }

  #cell(hand: CopyHand, bytes: Uint8Array, at: number, end: number): number {
    const plan = this.#plan();
    const next = at + Math.min(this.#left, end - at);
    this.#left -= next - at;
    if (plan.action !== 'pass') {
      hand.withhold(at, next);
      this.#held.add(bytes, at, next);
    }
    if (this.#left === 0) this.#cellEnd(hand, plan);
    return next;
  }

  #cellEnd(hand: CopyHand, plan: ColumnPlan): void {
    if (plan.action !== 'pass') {
      const value = this.#held.view();
      if (this.#held.oversize) this.#put(hand, oversizeCell(plan, this.#masks));
      else {
        const masked = maskedCell(plan, this.#masks, value, 0, value.length);
        this.#put(hand, masked === undefined ? value : masked);
      }
      this.#held.clear();
    }
    this.#nextCell();
  }

  #put(hand: CopyHand, value: Uint8Array | null): void {
    putInt32(this.#lengthBytes, 0, value === null ? -1 : value.length);
    hand.put(this.#lengthBytes);
    if (value !== null) hand.put(value);
  }

  #nextCell(): void {
    this.#column += 1;
    this.#state = this.#column === this.#columns.length ? 'count' : 'length';
  }

  #plan(): ColumnPlan {
    const plan = this.#columns[this.#column];
    if (plan === undefined) throw unsound();
    return plan;
  }
}

const unsound = (): GatewayError =>
  new GatewayError('SP_MASK_UNSOUND', { detail: 'COPY data that does not fit its statement' });
