/** Takes a body out of a connection's bytes, however it is framed. */
import { ChunkedDecoder, type TakeBody } from './chunked.ts';
import type { Field } from './fields.ts';
import type { Framing } from './framing.ts';

const noFields: readonly Field[] = [];

export class BodyReader {
  readonly #chunked: ChunkedDecoder | undefined;
  readonly #isUntilClose: boolean;
  #left: number;

  constructor(framing: Framing) {
    this.#chunked = framing.kind === 'chunked' ? new ChunkedDecoder() : undefined;
    this.#isUntilClose = framing.kind === 'close';
    this.#left = framing.kind === 'length' ? framing.length : 0;
  }

  /** Whether all of it was taken. A body that ends with the connection never is by itself. */
  get isDone(): boolean {
    if (this.#isUntilClose) return false;
    return this.#chunked?.isDone ?? this.#left === 0;
  }

  /** Whether the end of the connection is the end of the body. */
  get mayEndByClose(): boolean {
    return this.#isUntilClose;
  }

  /** The fields behind a chunked body, once it is done. */
  get trailers(): readonly Field[] {
    return this.#chunked?.trailers ?? noFields;
  }

  /**
   * Takes bytes from `start` on until the body ends or they do.
   *
   * @returns the offset of the first byte that is not of this body.
   * @throws GatewayError `SP_FRAME_MALFORMED`, `SP_FRAME_TOO_LARGE`
   */
  push(bytes: Uint8Array, start: number, take: TakeBody): number {
    if (this.#chunked !== undefined) return this.#chunked.push(bytes, start, take);
    const end = this.#isUntilClose ? bytes.length : Math.min(bytes.length, start + this.#left);
    if (end > start) take(bytes, start, end);
    if (!this.#isUntilClose) this.#left -= end - start;
    return end;
  }
}
