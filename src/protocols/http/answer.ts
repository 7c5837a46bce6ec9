/**
 * Writes one answer to the client: its head, then its body in a framing that fits what is known of
 * its length. A masked body is held back for a moment, so that a short one that cannot be masked is
 * refused in words instead of being cut.
 */
import { GatewayError } from '#core/errors.ts';
import { httpLimits } from '#core/limits.ts';
import { encodeChunk, lastChunkWith } from './codec/chunked.ts';
import type { Field } from './codec/fields.ts';
import type { Framing } from './codec/framing.ts';
import { encodeHead, statusLine } from './codec/write.ts';
import type { BodyMasker } from './dialect.ts';
import type { Outlet } from './outlet.ts';

export interface AnswerParts {
  readonly outlet: Outlet;
  readonly status: number;
  readonly reason: string;
  readonly fields: readonly Field[];
  /** How the target framed it. */
  readonly framing: Framing;
  /** For an answer without a body: the length that it tells of (HEAD), if any. */
  readonly toldLength: string | undefined;
  readonly masker: BodyMasker | undefined;
  /** Whether the client understands chunks. */
  readonly mayChunk: boolean;
  /** Whether the connection ends behind it. */
  readonly isLast: boolean;
}

export class Answer {
  readonly #parts: AnswerParts;
  #held: Uint8Array[] = [];
  #heldBytes: number = 0;
  #hasStarted: boolean = false;
  #isChunked: boolean = false;
  /** Whether the head says how long the body is, or that there is none. */
  #hasLength: boolean = false;

  constructor(parts: AnswerParts) {
    this.#parts = parts;
  }

  /** Whether a byte of it may be on its way: then it can only be cut, not refused. */
  get hasStarted(): boolean {
    return this.#hasStarted;
  }

  /** Whether its end is the end of the connection. */
  get endsByClose(): boolean {
    return this.#hasStarted && !this.#isChunked && !this.#hasLength;
  }

  /** Writes the head of an answer that is passed on as it comes, or that has no body. */
  begin(): void {
    const { masker, outlet } = this.#parts;
    if (masker === undefined) this.#start(this.#length);
    else if (masker.isEndless === true && this.#length === undefined) {
      this.#start(undefined);
      outlet.flush();
    }
  }

  /** A piece of the body, as the target sent it. */
  take(bytes: Uint8Array, start: number, end: number): void {
    const { masker, outlet } = this.#parts;
    if (masker !== undefined) this.#put(masker.push(bytes, start, end));
    else if (this.#isChunked) outlet.put(encodeChunk(bytes, start, end));
    else outlet.pass(bytes.subarray(start, end));
  }

  /** All of a read was taken: an answer of unknown length may be one that goes on for hours. */
  flush(): void {
    const { framing, outlet } = this.#parts;
    if (framing.kind !== 'length' && this.#heldBytes > 0) {
      if (!this.#hasStarted) this.#start(undefined);
      this.#release();
    }
    outlet.flush();
  }

  /**
   * The body is whole.
   *
   * @param trailers - what goes out behind it, where the framing has a place for them.
   */
  end(trailers: readonly Field[] = []): void {
    const { masker, outlet } = this.#parts;
    if (masker !== undefined) {
      this.#put(masker.end());
      // All of it is here: its length is known after all.
      if (!this.#hasStarted) this.#start(this.#heldBytes);
      this.#release();
    }
    if (this.#isChunked) outlet.put(lastChunkWith(trailers));
    outlet.flush();
  }

  get #length(): number | undefined {
    const { framing } = this.#parts;
    return framing.kind === 'length' ? framing.length : undefined;
  }

  #put(bytes: Uint8Array): void {
    if (bytes.length === 0) return;
    this.#held.push(bytes);
    this.#heldBytes += bytes.length;
    if (!this.#hasStarted) {
      if (this.#heldBytes < httpLimits.answerHeldBytesMax) return;
      this.#start(undefined);
    }
    this.#release();
  }

  #release(): void {
    const { outlet } = this.#parts;
    for (const bytes of this.#held) {
      outlet.put(this.#isChunked ? encodeChunk(bytes, 0, bytes.length) : bytes);
    }
    this.#held = [];
    this.#heldBytes = 0;
  }

  #start(length: number | undefined): void {
    const { framing, status, reason, mayChunk, isLast, toldLength, outlet } = this.#parts;
    if (this.#hasStarted) throw new GatewayError('SP_INTERNAL', { detail: 'two heads' });
    this.#hasStarted = true;
    this.#hasLength = length !== undefined || framing.kind === 'none';
    const fields = [...this.#parts.fields];
    if (framing.kind === 'none') {
      if (toldLength !== undefined) fields.push({ name: 'content-length', value: toldLength });
    } else if (length !== undefined) {
      fields.push({ name: 'content-length', value: String(length) });
    } else if (mayChunk) {
      fields.push({ name: 'transfer-encoding', value: 'chunked' });
      this.#isChunked = true;
    }
    if (isLast) fields.push({ name: 'connection', value: 'close' });
    outlet.put(encodeHead(statusLine(status, reason), fields));
  }
}
