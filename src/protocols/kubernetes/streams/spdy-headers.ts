/**
 * Header blocks of SPDY/3.1: names and values behind their lengths, compressed by zlib with a
 * dictionary and one window for all blocks of one direction (SPDY draft 3.1, section 2.6.10).
 *
 * Each block ends on a byte, for its writer flushes: so it is read with no more state than the last
 * 32 KiB of text, and without zlib's streams, which would answer later.
 */
import { deflateRawSync, inflateRawSync, constants } from 'node:zlib';
import { GatewayError } from '#core/errors.ts';
import { streamLimits } from '#core/limits.ts';
import { lengthAndText, spdyDictionary } from './spdy-dictionary.ts';

/** Name and value, in order; a value may hold several, apart by NUL. */
export type SpdyHeaders = readonly (readonly [string, string])[];

/** The value of a header; undefined when it does not stand once. */
export function headerOf(headers: SpdyHeaders, name: string): string | undefined {
  const found = headers.filter(([each]) => each.toLowerCase() === name);
  return found.length === 1 ? found[0]?.[1] : undefined;
}

const WINDOW_BYTES = 32_768;

/** zlib's header (32 KiB window, a preset dictionary) and the dictionary's checksum (RFC 1950). */
const zlibHead: Uint8Array = Uint8Array.of(0x78, 0xbb, 0xe3, 0xc6, 0xa7, 0xc2);

const malformed = (detail: string): GatewayError =>
  new GatewayError('SP_FRAME_MALFORMED', { detail });

/** One direction of a connection, as its reader. */
export class SpdyHeaderReader {
  #window: Uint8Array = spdyDictionary;
  #isFirst = true;

  /** @throws GatewayError `SP_FRAME_MALFORMED` */
  read(block: Uint8Array): SpdyHeaders {
    let compressed = block;
    if (this.#isFirst) {
      const [method = 0, flags = 0] = block;
      const isZlib = (method & 0x0f) === 8 && ((method << 8) | flags) % 31 === 0;
      const isKnown = zlibHead.every((byte, at) => at < 2 || block[at] === byte);
      if (!isZlib || (flags & 0x20) === 0 || !isKnown) throw malformed('a header block');
      compressed = block.subarray(zlibHead.length);
      this.#isFirst = false;
    }
    const text = this.#inflate(compressed);
    this.#window = windowOf(this.#window, text);
    return headersOf(text);
  }

  #inflate(compressed: Uint8Array): Uint8Array {
    try {
      return inflateRawSync(compressed, {
        dictionary: this.#window,
        finishFlush: constants.Z_SYNC_FLUSH,
        maxOutputLength: streamLimits.headersBytesMax,
      });
    } catch (cause) {
      throw new GatewayError('SP_FRAME_MALFORMED', { detail: 'a header block', cause });
    }
  }
}

/** One direction of a connection, as its writer. */
export class SpdyHeaderWriter {
  #window: Uint8Array = spdyDictionary;
  #isFirst = true;

  write(headers: SpdyHeaders): Uint8Array {
    const count = Buffer.alloc(4);
    count.writeUInt32BE(headers.length);
    const text = Buffer.concat([count, ...headers.flat().map(lengthAndText)]);
    const block = deflateRawSync(text, {
      dictionary: this.#window,
      finishFlush: constants.Z_SYNC_FLUSH,
    });
    this.#window = windowOf(this.#window, text);
    if (!this.#isFirst) return block;
    this.#isFirst = false;
    return Buffer.concat([zlibHead, block]);
  }
}

function windowOf(before: Uint8Array, text: Uint8Array): Uint8Array {
  const all = Buffer.concat([before, text]);
  return all.subarray(Math.max(0, all.length - WINDOW_BYTES));
}

function headersOf(text: Uint8Array): SpdyHeaders {
  const view = new DataView(text.buffer, text.byteOffset, text.byteLength);
  let at = 0;
  const number = (): number => {
    if (at + 4 > text.length) throw malformed('a header block that ends early');
    at += 4;
    return view.getUint32(at - 4);
  };
  const word = (): string => {
    const length = number();
    if (at + length > text.length) throw malformed('a header block that ends early');
    at += length;
    return Buffer.from(text.subarray(at - length, at)).toString('latin1');
  };
  const count = number();
  if (count > streamLimits.headersMax) throw malformed('too many headers');
  const headers = Array.from({ length: count }, (): [string, string] => [word(), word()]);
  if (at !== text.length) throw malformed('a header block with a rest');
  return headers;
}
