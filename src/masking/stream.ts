/**
 * Masks text that arrives in pieces, exactly as it would mask the whole: what is masked together
 * depends on the text, never on how it arrived (see `segments.ts`).
 *
 * Holds back the line that is not whole yet, and at most 64 KiB.
 */
import type { TextStream } from '#core/masking.ts';
import type { Examiner } from './examine.ts';
import { nextPiece, PIECE_BYTES_MAX, type Piece, type Position, startOfText } from './segments.ts';

/** Gives what leaves of a piece that `examiner` has examined. */
export type MaskPiece = (bytes: Uint8Array, piece: Piece) => Uint8Array;

const nothing: Uint8Array = new Uint8Array(0);

export class MaskingStream implements TextStream {
  readonly #examiner: Examiner;
  readonly #mask: MaskPiece;
  #held: Uint8Array = nothing;
  #length: number = 0;
  readonly #position: Position = startOfText();

  constructor(examiner: Examiner, mask: MaskPiece) {
    this.#examiner = examiner;
    this.#mask = mask;
  }

  /** Bytes that wait for more. */
  get heldBytes(): number {
    return this.#length - this.#position.start;
  }

  push(chunk: Uint8Array): Uint8Array {
    const pieces: Uint8Array[] = [];
    // In portions, so that a large chunk does not make a large buffer.
    for (let from = 0; from < chunk.length; from += PIECE_BYTES_MAX) {
      this.#hold(chunk.subarray(from, from + PIECE_BYTES_MAX));
      this.#release(false, pieces);
    }
    return concat(pieces);
  }

  end(): Uint8Array {
    const pieces: Uint8Array[] = [];
    this.#release(true, pieces);
    return concat(pieces);
  }

  #hold(chunk: Uint8Array): void {
    const needed = this.#length + chunk.length;
    if (needed > this.#held.length) {
      const grown = new Uint8Array(Math.max(1_024, 2 * needed));
      grown.set(this.#held.subarray(0, this.#length));
      this.#held = grown;
    }
    this.#held.set(chunk, this.#length);
    this.#length = needed;
  }

  #release(isLast: boolean, pieces: Uint8Array[]): void {
    const position = this.#position;
    const text = { bytes: this.#held, end: this.#length, isLast };
    for (;;) {
      const piece = nextPiece(this.#examiner, text, position);
      if (piece === undefined) break;
      pieces.push(this.#mask(this.#held, piece));
    }
    const { context } = position;
    if (context === 0) return;
    this.#held.copyWithin(0, context, this.#length);
    this.#length -= context;
    position.start -= context;
    position.line -= context;
    position.seen -= context;
    position.context = 0;
  }
}

function concat(pieces: readonly Uint8Array[]): Uint8Array {
  const [only] = pieces;
  if (pieces.length === 1 && only !== undefined) return only;
  const all = new Uint8Array(pieces.reduce((sum, piece) => sum + piece.length, 0));
  let at = 0;
  for (const piece of pieces) {
    all.set(piece, at);
    at += piece.length;
  }
  return all;
}
