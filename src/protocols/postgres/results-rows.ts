/**
 * Carries out a plan on DataRow messages. A row that is there whole is changed where it lies when
 * the lengths stay, and copied around the changed cells when they do not. A row larger than the
 * limit for a cell goes through {@link LargeRow}, by state: row, cell, bytes left.
 */
import { GatewayError } from '#core/errors.ts';
import { headerBytes, int16, int32, malformed, putInt16, putInt32 } from './codec/frames.ts';
import type { Outlet } from './relay-outlet.ts';
import { type ColumnPlan, maskedCell, oversizeCell, type RowPlan } from './results.ts';

const lengthBytes = new Uint8Array(4);

/**
 * Masks the DataRow at `[at, end)`, which is there whole and lies in the outlet's open run.
 *
 * @throws GatewayError `SP_FRAME_MALFORMED` when the row is not what the plan was made for.
 */
export function maskRow(
  plan: RowPlan,
  outlet: Outlet,
  bytes: Uint8Array,
  at: number,
  end: number,
): void {
  const { columns, masks } = plan;
  let next = at + headerBytes + 2;
  if (next > end || int16(bytes, at + headerBytes) !== columns.length) {
    throw malformed('a row of other columns than described');
  }
  let grown = 0;
  let copied = false;
  for (let index = 0; index < columns.length; index += 1) {
    if (next + 4 > end) throw malformed('a row that is cut short');
    const length = int32(bytes, next);
    const start = next + 4;
    next = start + Math.max(length, 0);
    if (length < -1 || next > end) throw malformed('a cell beyond its row');
    const column = columns[index];
    if (column === undefined || column.action === 'pass') continue;
    if (length === -1 && (!column.hidesNull || column.constant === null)) continue;
    const masked =
      length > plan.cellBytesMax
        ? oversizeCell(column, masks)
        : maskedCell(column, masks, bytes, start, next);
    if (masked === undefined) continue;
    if (masked !== null && masked.length === length) {
      bytes.set(masked, start);
      continue;
    }
    if (!copied) outlet.mark(at + 1);
    copied = true;
    grown += replaceCell(outlet, start, next, masked);
  }
  if (next !== end) throw malformed('a row with bytes left over');
  if (copied) outlet.patch(end - at - 1 + grown);
}

/** Puts `masked` in place of the cell at `[start, end)`, and answers how much longer it is. */
function replaceCell(
  outlet: Outlet,
  start: number,
  end: number,
  masked: Uint8Array | null,
): number {
  outlet.cut(start - 4);
  putInt32(lengthBytes, 0, masked === null ? -1 : masked.length);
  outlet.put(lengthBytes);
  if (masked !== null) outlet.put(masked);
  outlet.skip(end);
  return (masked?.length ?? 0) - (end - start);
}

const EMPTY = new Uint8Array(0);

/** A growing buffer with a bound. */
class Bounded {
  #bytes: Uint8Array = EMPTY;
  #used = 0;
  readonly #max: number;

  constructor(max: number) {
    this.#max = max;
  }

  get length(): number {
    return this.#used;
  }

  /** False when the bound would be passed; then nothing was taken. */
  add(bytes: Uint8Array, start: number, end: number): boolean {
    const size = this.#used + end - start;
    if (size > this.#max) return false;
    if (size > this.#bytes.length) {
      const grown = new Uint8Array(Math.min(this.#max, Math.max(4096, size, this.#used * 2)));
      grown.set(this.view());
      this.#bytes = grown;
    }
    this.#bytes.set(bytes.subarray(start, end), this.#used);
    this.#used = size;
    return true;
  }

  view(): Uint8Array {
    return this.#bytes.subarray(0, this.#used);
  }

  clear(): void {
    this.#used = 0;
  }
}

/**
 * One row that is too large to be held: the masked row is built as the bytes come. A cell above
 * `cellBytesMax` that would have to be read is replaced unread.
 */
export class LargeRow {
  readonly #plan: RowPlan;
  readonly #out: Bounded;
  readonly #cell: Bounded;
  /** Body bytes that are to come. */
  #left: number;
  #index = -1;
  /** Bytes of the present cell that are to come; -1 while its length is read. */
  #cellLeft = -1;
  #oversize = false;
  readonly #head = new Uint8Array(4);
  #headUsed = 0;

  /** @param total - bytes of the whole message, header included; the header was read. */
  constructor(plan: RowPlan, frameBytesMax: number, total: number) {
    this.#plan = plan;
    this.#out = new Bounded(frameBytesMax);
    this.#cell = new Bounded(plan.cellBytesMax);
    this.#left = total - headerBytes;
  }

  /** Whether the row is complete; then {@link message} is what leaves. */
  get done(): boolean {
    return this.#left === 0;
  }

  /** Takes bytes of the body and answers where it stopped: at the row's end, or at `end`. */
  feed(bytes: Uint8Array, start: number, end: number): number {
    const stop = Math.min(end, start + this.#left);
    let at = start;
    while (at < stop) {
      const count =
        this.#cellLeft < 0 ? this.#length(bytes, at, stop) : this.#take(bytes, at, stop);
      at += count;
      this.#left -= count;
    }
    if (this.#left === 0 && (this.#index !== this.#plan.columns.length || this.#headUsed > 0)) {
      throw malformed('a row of other columns than described');
    }
    return at;
  }

  message(): Uint8Array {
    const body = this.#out.view();
    const out = new Uint8Array(headerBytes + 2 + body.length);
    out[0] = 0x44;
    putInt32(out, 1, out.length - 1);
    putInt16(out, headerBytes, this.#plan.columns.length);
    out.set(body, headerBytes + 2);
    return out;
  }

  /** Collects the count of columns, then a cell's length. */
  #length(bytes: Uint8Array, at: number, stop: number): number {
    const size = this.#index < 0 ? 2 : 4;
    const count = Math.min(size - this.#headUsed, stop - at);
    this.#head.set(bytes.subarray(at, at + count), this.#headUsed);
    this.#headUsed += count;
    if (this.#headUsed < size) return count;
    this.#headUsed = 0;
    if (this.#index < 0) {
      if (int16(this.#head, 0) !== this.#plan.columns.length) {
        throw malformed('a row of other columns than described');
      }
      this.#index = 0;
      return count;
    }
    const length = int32(this.#head, 0);
    const column = this.#column();
    if (length < -1 || length > this.#left) throw malformed('a cell beyond its row');
    if (length === -1) this.#finish(column.hidesNull ? (column.constant ?? null) : null);
    else if (column.action === 'pass') this.#put(this.#head);
    this.#oversize = false;
    this.#cell.clear();
    if (length >= 0) this.#cellLeft = length;
    if (length === 0) this.#complete(column);
    return count;
  }

  #take(bytes: Uint8Array, at: number, stop: number): number {
    const count = Math.min(this.#cellLeft, stop - at);
    const column = this.#column();
    if (column.action === 'pass') this.#put(bytes, at, at + count);
    else if (column.constant === undefined && !this.#oversize) {
      this.#oversize = !this.#cell.add(bytes, at, at + count);
    }
    this.#cellLeft -= count;
    if (this.#cellLeft === 0) this.#complete(column);
    return count;
  }

  #complete(column: ColumnPlan): void {
    this.#cellLeft = -1;
    if (column.action === 'pass') {
      this.#index += 1;
      return;
    }
    const { masks } = this.#plan;
    const cell = this.#cell.view();
    if (this.#oversize) this.#finish(oversizeCell(column, masks));
    else {
      const masked = maskedCell(column, masks, cell, 0, cell.length);
      this.#finish(masked === undefined ? cell : masked);
    }
  }

  /** Ends the present cell with a value. */
  #finish(value: Uint8Array | null): void {
    putInt32(this.#head, 0, value === null ? -1 : value.length);
    this.#put(this.#head);
    if (value !== null) this.#put(value);
    this.#index += 1;
  }

  #column(): ColumnPlan {
    const column = this.#plan.columns[this.#index];
    if (column === undefined) throw malformed('a row of more columns than described');
    return column;
  }

  #put(bytes: Uint8Array, start = 0, end: number = bytes.length): void {
    if (this.#out.add(bytes, start, end)) return;
    throw new GatewayError('SP_FRAME_TOO_LARGE', { detail: 'a masked row' });
  }
}
