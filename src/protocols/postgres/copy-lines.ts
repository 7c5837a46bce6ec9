/**
 * COPY data in the text and CSV formats: fields between delimiters, rows between line ends, with
 * the escapes of the one and the quotes of the other. Bytes of UTF-8 above 0x7f are never syntax.
 */
import { GatewayError } from '#core/errors.ts';
import type { MaskSet } from '#core/masking.ts';
import { type CopyHand, type CopyReader, HeldField } from './copy-hand.ts';
import { type ColumnPlan, maskedCell, oversizeCell } from './results.ts';
import type { CopyFormat } from './sql/types.ts';

const BACKSLASH = 0x5c;
const NEWLINE = 0x0a;
const encoder = new TextEncoder();

export class CopyLines implements CopyReader {
  readonly #columns: readonly ColumnPlan[];
  readonly #masks: MaskSet;
  readonly #csv: boolean;
  readonly #delimiter: number;
  readonly #quote: number;
  readonly #escape: number;
  readonly #nullBytes: Uint8Array;
  /** Whether a field that is spelt as NULL is NULL. */
  readonly #nullIsPlain: boolean;
  readonly #held: HeldField;
  /** Replacements that are the same for every value, as they are written. */
  readonly #constants = new Map<ColumnPlan, Uint8Array>();
  /** By byte, 1 for those that may be syntax: the others are passed over. */
  readonly #signs = new Uint8Array(256);
  /** The first line names the columns. */
  #inHeader: boolean;
  #column = 0;
  /** The next byte stands for itself. */
  #escaped = false;
  #quoted = false;
  /** The present field has escapes or quotes, so it is not written as it reads. */
  #dressed = false;

  constructor(
    columns: readonly ColumnPlan[],
    masks: MaskSet,
    format: CopyFormat,
    cellBytesMax: number,
  ) {
    this.#columns = columns;
    this.#masks = masks;
    this.#csv = format.format === 'csv';
    this.#delimiter = oneByte(format.delimiter);
    this.#quote = this.#csv ? oneByte(format.quote) : -1;
    this.#escape = this.#csv ? oneByte(format.escape) : BACKSLASH;
    this.#nullBytes = encoder.encode(format.nullText);
    this.#nullIsPlain = this.#csv || format.nullText === '\\N';
    this.#held = new HeldField(cellBytesMax);
    this.#inHeader = format.header;
    for (const sign of [this.#delimiter, NEWLINE, this.#quote, this.#escape]) {
      if (sign >= 0) this.#signs[sign] = 1;
    }
  }

  read(hand: CopyHand, bytes: Uint8Array, start: number, end: number): void {
    const signs = this.#signs;
    let from = start;
    for (let at = start; at < end; at += 1) {
      if (this.#escaped) {
        this.#escaped = false;
        continue;
      }
      while (at < end && signs[bytes[at] ?? 0] === 0) at += 1;
      if (at === end) break;
      const byte = bytes[at] ?? 0;
      if (byte === this.#quote) {
        // A doubled quote, where the quote is its own escape, closes and opens again.
        this.#quoted = !this.#quoted;
        this.#dressed = true;
      } else if (byte === this.#escape && (this.#quoted || !this.#csv)) {
        this.#escaped = true;
        this.#dressed = true;
      } else if (!this.#quoted && (byte === this.#delimiter || byte === NEWLINE)) {
        this.#fieldEnd(hand, bytes, from, at);
        if (byte === NEWLINE) this.#lineEnd();
        else this.#column += 1;
        from = at + 1;
      }
    }
    if (from < end && this.#withholds()) {
      hand.withhold(from, end);
      this.#held.add(bytes, from, end);
    }
  }

  end(): void {
    if (this.#column !== 0 || !this.#held.isEmpty || this.#quoted) throw unsound();
  }

  #withholds(): boolean {
    return !this.#inHeader && this.#columns[this.#column]?.action !== 'pass';
  }

  #lineEnd(): void {
    if (this.#column !== Math.max(0, this.#columns.length - 1)) throw unsound();
    this.#column = 0;
    this.#inHeader = false;
  }

  /** The field's last part is at `[from, to)`; earlier parts are held. */
  #fieldEnd(hand: CopyHand, bytes: Uint8Array, from: number, to: number): void {
    const plan = this.#columns[this.#column];
    const dressed = this.#dressed;
    this.#dressed = false;
    if (plan === undefined && (this.#columns.length > 0 || to > from)) throw unsound();
    if (plan === undefined || plan.action === 'pass' || this.#inHeader) return;
    const held = this.#held;
    if (held.isEmpty && to - from <= held.bytesMax) {
      const masked = dressed
        ? this.#masked(plan, bytes.subarray(from, to))
        : this.#maskedPlain(plan, bytes, from, to);
      if (masked === undefined) return;
      hand.withhold(from, to);
      hand.put(masked);
      return;
    }
    held.add(bytes, from, to);
    hand.withhold(from, to);
    const raw = held.view();
    if (held.oversize) hand.put(this.#encode(oversizeCell(plan, this.#masks)));
    else hand.put(this.#masked(plan, raw) ?? raw);
    held.clear();
  }

  /** As {@link CopyLines.#masked} for a field that is written as it reads, where it lies. */
  #maskedPlain(
    plan: ColumnPlan,
    bytes: Uint8Array,
    from: number,
    to: number,
  ): Uint8Array | undefined {
    if (!plan.hidesNull && this.#isNull(bytes, from, to)) return undefined;
    if (plan.constant !== undefined) return this.#constant(plan, plan.constant);
    const masked = maskedCell(plan, this.#masks, bytes, from, to);
    return masked === undefined ? undefined : this.#encode(masked);
  }

  /** What stands in place of a field as it is written, undefined for itself. */
  #masked(plan: ColumnPlan, raw: Uint8Array): Uint8Array | undefined {
    if (!plan.hidesNull && this.#isNull(raw, 0, raw.length)) return undefined;
    if (plan.constant !== undefined) return this.#constant(plan, plan.constant);
    const value = this.#decode(raw);
    const masked = maskedCell(plan, this.#masks, value, 0, value.length);
    return masked === undefined ? undefined : this.#encode(masked);
  }

  /**
   * NULL stays NULL. In CSV a value that reads like it is quoted, and no value is written as `\N`;
   * any other word for NULL may be a value: a client could guess one, and see whether it is there.
   */
  #isNull(bytes: Uint8Array, from: number, to: number): boolean {
    const nullBytes = this.#nullBytes;
    if (!this.#nullIsPlain || to - from !== nullBytes.length) return false;
    for (let at = from; at < to; at += 1) {
      if (bytes[at] !== nullBytes[at - from]) return false;
    }
    return true;
  }

  #constant(plan: ColumnPlan, value: Uint8Array | null): Uint8Array {
    const known = this.#constants.get(plan) ?? this.#encode(value);
    this.#constants.set(plan, known);
    return known;
  }

  #decode(raw: Uint8Array): Uint8Array {
    return this.#csv ? this.#unquote(raw) : unescapeText(raw);
  }

  #unquote(raw: Uint8Array): Uint8Array {
    if (raw[0] !== this.#quote) return raw;
    const out = new Uint8Array(raw.length);
    let used = 0;
    for (let at = 1; at < raw.length - 1; at += 1) {
      const next = raw[at + 1];
      const isEscape =
        raw[at] === this.#escape &&
        at + 2 < raw.length &&
        (next === this.#quote || next === this.#escape);
      if (isEscape) at += 1;
      out[used] = raw[at] ?? 0;
      used += 1;
    }
    return out.subarray(0, used);
  }

  #encode(value: Uint8Array | null): Uint8Array {
    if (value === null) return this.#nullBytes;
    const out: number[] = this.#csv ? [this.#quote] : [];
    for (const byte of value) {
      if (this.#csv) {
        if (byte === this.#quote || byte === this.#escape) out.push(this.#escape);
        out.push(byte);
      } else if (byte === BACKSLASH || byte === this.#delimiter) out.push(BACKSLASH, byte);
      else if (byte === NEWLINE) out.push(BACKSLASH, 0x6e);
      else if (byte === 0x0d) out.push(BACKSLASH, 0x72);
      else out.push(byte);
    }
    if (this.#csv) out.push(this.#quote);
    return Uint8Array.from(out);
  }
}

/** Letters that stand for control characters behind a backslash. */
const letters: ReadonlyMap<number, number> = new Map([
  [0x62, 0x08],
  [0x66, 0x0c],
  [0x6e, NEWLINE],
  [0x72, 0x0d],
  [0x74, 0x09],
  [0x76, 0x0b],
]);

function unescapeText(raw: Uint8Array): Uint8Array {
  if (!raw.includes(BACKSLASH)) return raw;
  const out = new Uint8Array(raw.length);
  let used = 0;
  for (let at = 0; at < raw.length; at += 1) {
    let byte = raw[at] ?? 0;
    if (byte === BACKSLASH && at + 1 < raw.length) {
      at += 1;
      byte = raw[at] ?? 0;
      byte = letters.get(byte) ?? byte;
    }
    out[used] = byte;
    used += 1;
  }
  return out.subarray(0, used);
}

function oneByte(text: string): number {
  const code = text.charCodeAt(0);
  if (text.length !== 1 || code > 0x7f) throw unsound();
  return code;
}

const unsound = (): GatewayError =>
  new GatewayError('SP_MASK_UNSOUND', { detail: 'COPY data that does not fit its statement' });
