/**
 * Finds the end of a head in bytes that arrive in pieces. Looks at each byte once, keeps at most
 * one head, and refuses a line that ends in anything but CR LF.
 */
import { GatewayError } from '#core/errors.ts';

const CR = 0x0d;
const LF = 0x0a;
const nothing: Uint8Array = new Uint8Array(0);

/** A head that is whole. */
export interface FoundHead {
  /** With the empty line. Valid until the chunk's memory is used again. */
  readonly head: Uint8Array;
  /** Offset in the chunk behind the head. */
  readonly next: number;
}

export class HeadReader {
  readonly #bytesMax: number;
  #held: Uint8Array = nothing;
  #length: number = 0;

  constructor(bytesMax: number) {
    this.#bytesMax = bytesMax;
  }

  /** Bytes of a head that has begun and is not whole. */
  get heldBytes(): number {
    return this.#length;
  }

  /**
   * Takes `chunk` from `start` on.
   *
   * @returns the head, or undefined when all was taken and it is not whole.
   * @throws GatewayError `SP_FRAME_MALFORMED`, `SP_FRAME_TOO_LARGE`
   */
  push(chunk: Uint8Array, start: number): FoundHead | undefined {
    const before = this.#length;
    if (before > 0) this.#hold(chunk.subarray(start));
    const bytes = before === 0 ? chunk.subarray(start) : this.#held.subarray(0, this.#length);
    // The last three bytes may be the beginning of the end.
    const end = endOfHead(bytes, Math.max(0, before - 3), this.#bytesMax);
    if (end > 0) {
      this.#length = 0;
      this.#held = nothing;
      return { head: bytes.subarray(0, end), next: start + end - before };
    }
    if (bytes.length > this.#bytesMax) throw tooLarge();
    if (before === 0) this.#hold(bytes);
    return undefined;
  }

  #hold(bytes: Uint8Array): void {
    const needed = this.#length + bytes.length;
    if (needed > this.#held.length) {
      const grown = new Uint8Array(2 * needed);
      grown.set(this.#held.subarray(0, this.#length));
      this.#held = grown;
    }
    this.#held.set(bytes, this.#length);
    this.#length = needed;
  }
}

const tooLarge = (): GatewayError =>
  new GatewayError('SP_FRAME_TOO_LARGE', { detail: 'the head of a message' });

/** The offset behind the empty line; 0 when it has not come. */
function endOfHead(bytes: Uint8Array, from: number, max: number): number {
  for (let at = bytes.indexOf(LF, from); at >= 0; at = bytes.indexOf(LF, at + 1)) {
    if (at >= max) throw tooLarge();
    if (bytes[at - 1] !== CR) {
      throw new GatewayError('SP_FRAME_MALFORMED', { detail: 'a line that ends without CR' });
    }
    if (at === 1) throw new GatewayError('SP_FRAME_MALFORMED', { detail: 'an empty head' });
    if (at >= 3 && bytes[at - 2] === LF) return at + 1;
  }
  return 0;
}
