/**
 * Masking by content: what the examiner finds is replaced, the rest is left byte for byte. The
 * replacement keeps what the value is part of valid: JSON stays JSON, an integer an integer.
 */
import type { CellKind, ContentScanner, TextStream, Transform } from '#core/masking.ts';
import type { Examiner } from './examine.ts';
import { jsonPlaces } from './json.ts';
import type { KeyedHash } from './pseudonym.ts';
import { MaskingStream } from './stream.ts';
import { REDACTED, replaceValue } from './transforms.ts';

/** What content masking is made of. */
export interface ContentOptions {
  /** What looks at values; may be shared, because nothing of a value stays in it. */
  readonly examiner: Examiner;
  /** By detector number. */
  readonly transforms: readonly (Transform | undefined)[];
  readonly hash: KeyedHash;
  /** Longer values are replaced unread. */
  readonly cellBytesMax: number;
}

const ESCAPE = 0x1b;
const OUTPUT_KEPT_MAX = 1024 * 1024;
const encoder = new TextEncoder();
const decoder = new TextDecoder();
const redacted: Uint8Array = encoder.encode(REDACTED);
const redactedLine: Uint8Array = encoder.encode(`${REDACTED}\n`);
const NEWLINE = 10;
const redact: Transform = { kind: 'redact' };

export class Content implements ContentScanner {
  readonly #options: ContentOptions;
  readonly #examiner: Examiner;
  readonly #out: Output = new Output();
  /** The tags of `redact`, by detector number. */
  readonly #tags: readonly Uint8Array[];

  constructor(options: ContentOptions) {
    this.#options = options;
    this.#examiner = options.examiner;
    this.#tags = options.examiner.plan.kinds.map(({ entity }) => encoder.encode(`[${entity}]`));
  }

  hint(columnName: string): number {
    return this.#examiner.plan.hint(columnName);
  }

  stream(): TextStream {
    return new MaskingStream(this.#examiner, (bytes, { start, end, isOpaque, isHit }) => {
      if (isOpaque) return bytes[end - 1] === NEWLINE ? redactedLine : redacted;
      return isHit ? this.#splice(bytes, start, end) : bytes.slice(start, end);
    });
  }

  cell(
    bytes: Uint8Array,
    start: number,
    end: number,
    kind: CellKind,
    hint: number,
  ): Uint8Array | undefined {
    if (end <= start) return undefined;
    if (end - start > this.#options.cellBytesMax) return this.#whole(kind, undefined, redact);
    if (kind === 'bytes' && isHexForm(bytes, start)) return this.#hexCell(bytes, start, end, hint);
    const examiner = this.#examiner;
    if (!examiner.examine(bytes, start, end, kind, hint)) return undefined;
    if (examiner.isExhausted) return this.#whole(kind, undefined, redact);
    const isTyped = kind !== 'text' && kind !== 'json' && kind !== 'other' && kind !== 'bytes';
    if (isTyped) {
      const text = decoder.decode(bytes.subarray(start, end));
      return this.#whole(kind, text, this.#options.transforms[examiner.kind(0)] ?? redact);
    }
    const masked =
      kind === 'json' ? this.#json(bytes, start, end) : this.#splice(bytes, start, end);
    return masked.length > 4 * (end - start) + 64 ? this.#whole(kind, undefined, redact) : masked;
  }

  /** The replacement of all of a value. */
  #whole(kind: CellKind, text: string | undefined, transform: Transform): Uint8Array {
    const value =
      replaceValue(transform, kind, text, this.#options.hash) ??
      replaceValue(redact, kind, text, this.#options.hash);
    return value === null ? redacted : encoder.encode(value);
  }

  /** The replacement of one finding in text. */
  #replacement(index: number, bytes: Uint8Array): Uint8Array {
    const kind = this.#examiner.kind(index);
    const transform = this.#options.transforms[kind] ?? redact;
    const tag = this.#tags[kind] ?? redacted;
    if (transform.kind === 'redact' || transform.kind === 'null') return tag;
    const start = this.#examiner.start(index);
    const read = this.#examiner.reading(index) ?? bytes.subarray(start, this.#examiner.end(index));
    const text = replaceValue(transform, 'text', decoder.decode(read), this.#options.hash);
    return text === null || text === REDACTED ? tag : encoder.encode(text);
  }

  /** The text between `start` and `end` with its findings replaced; those outside are ignored. */
  #splice(bytes: Uint8Array, start: number, end: number): Uint8Array {
    const out = this.#out;
    out.clear();
    let from = start;
    for (let index = 0; index < this.#examiner.count; index += 1) {
      const at = Math.max(start, this.#examiner.start(index));
      const to = Math.min(end, this.#examiner.end(index));
      if (to <= at) continue;
      out.put(bytes, from, at);
      const replacement = this.#replacement(index, bytes);
      out.put(replacement, 0, replacement.length);
      // Colours that began in the value go on after it.
      for (let here = at; here < to; here += 1) {
        if (bytes[here] === ESCAPE) here = out.putEscape(bytes, here, to) - 1;
      }
      from = to;
    }
    out.put(bytes, from, end);
    return out.take();
  }

  /** As {@link Content.splice}, but every replacement stays in the token that it is in. */
  #json(bytes: Uint8Array, start: number, end: number): Uint8Array {
    const out = this.#out;
    out.clear();
    let from = start;
    const places = jsonPlaces(bytes, start, end);
    if (places === undefined) return this.#splice(bytes, start, end);
    for (let index = 0; index < this.#examiner.count; index += 1) {
      const at = this.#examiner.start(index);
      const to = this.#examiner.end(index);
      const replacement = this.#replacement(index, bytes);
      for (const place of places.within(at, to)) {
        out.put(bytes, from, place.start);
        const text = place.isString ? jsonText(replacement) : zero;
        out.put(text, 0, text.length);
        from = place.end;
      }
    }
    out.put(bytes, from, end);
    return out.take();
  }

  /** `\x68656c6c6f`: what the bytes are, as text, and back. */
  #hexCell(bytes: Uint8Array, start: number, end: number, hint: number): Uint8Array | undefined {
    const raw = new Uint8Array((end - start - 2) >> 1);
    for (let i = 0; i < raw.length; i += 1) {
      const high = hexValue(bytes[start + 2 + 2 * i] ?? 0);
      const low = hexValue(bytes[start + 3 + 2 * i] ?? 0);
      if (high < 0 || low < 0) return this.cell(bytes, start, end, 'text', hint);
      raw[i] = (high << 4) | low;
    }
    const masked = this.cell(raw, 0, raw.length, 'text', hint);
    if (masked === undefined) return undefined;
    let hex = '\\x';
    for (const byte of masked) hex += byte.toString(16).padStart(2, '0');
    return encoder.encode(hex);
  }
}

const zero: Uint8Array = encoder.encode('0');

const isHexForm = (bytes: Uint8Array, start: number): boolean =>
  bytes[start] === 0x5c && bytes[start + 1] === 0x78;

function hexValue(byte: number): number {
  if (byte >= 48 && byte <= 57) return byte - 48;
  const letter = byte | 0x20;
  return letter >= 97 && letter <= 102 ? letter - 87 : -1;
}

/** A text as it stands inside of a JSON string. */
function jsonText(text: Uint8Array): Uint8Array {
  for (const byte of text) {
    if (byte < 0x20 || byte === 0x22 || byte === 0x5c) {
      return encoder.encode(JSON.stringify(decoder.decode(text)).slice(1, -1));
    }
  }
  return text;
}

/** Bytes that grow; one for all cells, so that a masked cell costs one allocation. */
class Output {
  #bytes: Uint8Array = new Uint8Array(4_096);
  #length: number = 0;

  clear(): void {
    this.#length = 0;
    // A large cell must not keep its memory.
    if (this.#bytes.length > OUTPUT_KEPT_MAX) this.#bytes = new Uint8Array(4_096);
  }

  put(bytes: Uint8Array, start: number, end: number): void {
    const count = end - start;
    if (count <= 0) return;
    const needed = this.#length + count;
    if (needed > this.#bytes.length) {
      const grown = new Uint8Array(2 * needed);
      grown.set(this.#bytes.subarray(0, this.#length));
      this.#bytes = grown;
    }
    if (count > 64) this.#bytes.set(bytes.subarray(start, end), this.#length);
    else {
      for (let i = 0; i < count; i += 1) this.#bytes[this.#length + i] = bytes[start + i] ?? 0;
    }
    this.#length = needed;
  }

  /** Copies the control sequence at `at` and returns its end. */
  putEscape(bytes: Uint8Array, at: number, end: number): number {
    let here = at + 1;
    if (bytes[here] === 0x5b) {
      here += 1;
      while (here < end && (bytes[here] ?? 0) < 0x40) here += 1;
    }
    this.put(bytes, at, Math.min(here + 1, end));
    return Math.min(here + 1, end);
  }

  take(): Uint8Array {
    return this.#bytes.slice(0, this.#length);
  }
}
