/**
 * The data types of RFC 4251 section 5, which SSH's messages, keys and certificates are made of,
 * read out of one message and written into one. A reader never looks past the end of its message:
 * what does not fit is `SP_FRAME_MALFORMED`.
 */
import { GatewayError } from './errors.ts';

const strict = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });
const encoder = new TextEncoder();

/** Reads fields one after the other. What it gives are views of the message. */
export class FieldReader {
  readonly #bytes: Uint8Array;
  readonly #view: DataView;
  #at: number;

  constructor(bytes: Uint8Array, start = 0) {
    this.#bytes = bytes;
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
    this.#at = start;
  }

  /** Bytes that were not read yet. */
  get left(): number {
    return this.#bytes.length - this.#at;
  }

  byte(): number {
    return this.#view.getUint8(this.#take(1));
  }

  /** RFC 4251: every value but 0 is true. */
  bool(): boolean {
    return this.byte() !== 0;
  }

  uint32(): number {
    return this.#view.getUint32(this.#take(4));
  }

  uint64(): bigint {
    return this.#view.getBigUint64(this.#take(8));
  }

  /** A `string`: bytes behind their length. */
  string(): Uint8Array {
    const length = this.uint32();
    const start = this.#take(length);
    return this.#bytes.subarray(start, start + length);
  }

  /** A `string` of UTF-8 text; malformed when it is none. */
  text(): string {
    return utf8(this.string());
  }

  /** Everything that is left. */
  rest(): Uint8Array {
    return this.#bytes.subarray(this.#take(this.left));
  }

  /** Malformed when something is left. */
  end(): void {
    if (this.left > 0) throw malformed('bytes behind the end of a message');
  }

  #take(count: number): number {
    if (count > this.left) throw malformed('a field reaches beyond its message');
    const start = this.#at;
    this.#at += count;
    return start;
  }
}

/** Builds one message. */
export class FieldWriter {
  #bytes = new Uint8Array(128);
  #length = 0;

  /** Bytes so far. */
  get length(): number {
    return this.#length;
  }

  byte(value: number): this {
    // First: the bytes before it grew are others.
    const at = this.#grow(1);
    this.#bytes[at] = value;
    return this;
  }

  bool(value: boolean): this {
    return this.byte(value ? 1 : 0);
  }

  uint32(value: number): this {
    const at = this.#grow(4);
    new DataView(this.#bytes.buffer).setUint32(at, value);
    return this;
  }

  uint64(value: bigint): this {
    const at = this.#grow(8);
    new DataView(this.#bytes.buffer).setBigUint64(at, value);
    return this;
  }

  string(value: Uint8Array): this {
    return this.uint32(value.length).raw(value);
  }

  text(value: string): this {
    return this.string(encoder.encode(value));
  }

  /** Bytes without a length. */
  raw(value: Uint8Array): this {
    const at = this.#grow(value.length);
    this.#bytes.set(value, at);
    return this;
  }

  done(): Uint8Array {
    return this.#bytes.slice(0, this.#length);
  }

  #grow(count: number): number {
    const at = this.#length;
    this.#length += count;
    if (this.#length > this.#bytes.length) {
      const grown = new Uint8Array(Math.max(2 * this.#bytes.length, this.#length));
      grown.set(this.#bytes.subarray(0, at));
      this.#bytes = grown;
    }
    return at;
  }
}

/** The error of every message that is not what the protocol allows it to be. */
export const malformed = (detail: string): GatewayError =>
  new GatewayError('SP_FRAME_MALFORMED', { detail });

/** Bytes as UTF-8 text; malformed when they are none. */
export function utf8(bytes: Uint8Array): string {
  try {
    return strict.decode(bytes);
  } catch {
    throw malformed('text that is not UTF-8');
  }
}
