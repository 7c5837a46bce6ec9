/**
 * The chunked transfer coding (RFC 9112 section 7.1), both ways. Strict: lengths in at most eight
 * hexadecimal digits, no extensions, every line ended by CR LF.
 */
import { GatewayError } from '#core/errors.ts';
import { hexValue } from './characters.ts';
import type { Field } from './fields.ts';
import { readField } from './head.ts';
import { encodeHead } from './write.ts';

const CR = 0x0d;
const LF = 0x0a;
const DIGITS_MAX = 8;
const TRAILER_BYTES_MAX = 16 * 1024;
const decoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });
const encoder = new TextEncoder();

/** Takes bytes of a body that were found; the view is valid during the call. */
export type TakeBody = (bytes: Uint8Array, start: number, end: number) => void;

type State = 'size' | 'size-lf' | 'data' | 'data-cr' | 'data-lf' | 'trailer' | 'done';

const malformed = (detail: string): GatewayError =>
  new GatewayError('SP_FRAME_MALFORMED', { detail });

export class ChunkedDecoder {
  #state: State = 'size';
  #size: number = 0;
  #digits: number = 0;
  #line: number[] = [];
  #trailerBytes: number = 0;
  #trailers: Field[] = [];

  /** Whether the last chunk and the empty line behind the trailers have come. */
  get isDone(): boolean {
    return this.#state === 'done';
  }

  /** The fields behind the last chunk, once it is done. */
  get trailers(): readonly Field[] {
    return this.#trailers;
  }

  /**
   * Takes bytes from `start` on until the body ends or they do.
   *
   * @returns the offset of the first byte that is not of this body.
   * @throws GatewayError `SP_FRAME_MALFORMED`, `SP_FRAME_TOO_LARGE`
   */
  push(bytes: Uint8Array, start: number, take: TakeBody): number {
    let at = start;
    while (at < bytes.length && this.#state !== 'done') {
      if (this.#state === 'data') {
        const end = Math.min(bytes.length, at + this.#size);
        take(bytes, at, end);
        this.#size -= end - at;
        at = end;
        if (this.#size === 0) this.#state = 'data-cr';
      } else {
        this.#step(bytes[at] ?? 0);
        at += 1;
      }
    }
    return at;
  }

  #step(byte: number): void {
    switch (this.#state) {
      case 'size':
        return this.#sizeByte(byte);
      case 'size-lf':
        if (byte !== LF) throw malformed('the end of a chunk size');
        this.#state = this.#size === 0 ? 'trailer' : 'data';
        this.#digits = 0;
        return;
      case 'data-cr':
        if (byte !== CR) throw malformed('the end of a chunk');
        this.#state = 'data-lf';
        return;
      case 'data-lf':
        if (byte !== LF) throw malformed('the end of a chunk');
        this.#state = 'size';
        return;
      case 'trailer':
        return this.#trailerByte(byte);
      case 'data':
      case 'done':
        throw malformed('a chunk');
    }
  }

  #sizeByte(byte: number): void {
    if (byte === CR && this.#digits > 0) {
      this.#state = 'size-lf';
      return;
    }
    const digit = hexValue(byte);
    if (digit < 0 || this.#digits === DIGITS_MAX) throw malformed('the size of a chunk');
    this.#size = this.#digits === 0 ? digit : this.#size * 16 + digit;
    this.#digits += 1;
  }

  #trailerByte(byte: number): void {
    this.#trailerBytes += 1;
    if (this.#trailerBytes > TRAILER_BYTES_MAX) {
      throw new GatewayError('SP_FRAME_TOO_LARGE', { detail: 'trailers' });
    }
    if (byte !== LF) {
      this.#line.push(byte);
      return;
    }
    if (this.#line.pop() !== CR) throw malformed('a line that ends without CR');
    if (this.#line.length === 0) this.#state = 'done';
    else this.#trailers.push(readTrailer(this.#line));
    this.#line = [];
  }
}

function readTrailer(line: readonly number[]): Field {
  try {
    return readField(decoder.decode(Uint8Array.from(line)));
  } catch (cause) {
    throw new GatewayError('SP_FRAME_MALFORMED', { detail: 'a trailer', cause });
  }
}

/** The end of a chunked body without trailers. */
export const lastChunk: Uint8Array = encoder.encode('0\r\n\r\n');

/** The end of a chunked body. */
export const lastChunkWith = (trailers: readonly Field[]): Uint8Array =>
  trailers.length === 0 ? lastChunk : encodeHead('0', trailers);

/** One chunk of `bytes[start, end)`, which must not be empty: that would be the last one. */
export function encodeChunk(bytes: Uint8Array, start: number, end: number): Uint8Array {
  const size = encoder.encode(`${(end - start).toString(16)}\r\n`);
  const out = new Uint8Array(size.length + end - start + 2);
  out.set(size);
  out.set(bytes.subarray(start, end), size.length);
  out[out.length - 2] = CR;
  out[out.length - 1] = LF;
  return out;
}
