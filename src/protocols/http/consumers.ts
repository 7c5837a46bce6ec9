/** What a connection is read for: a head, a body, or whatever comes first. */
import { GatewayError } from '#core/errors.ts';
import { httpLimits } from '#core/limits.ts';
import { BodyReader } from './codec/body-reader.ts';
import type { TakeBody } from './codec/chunked.ts';
import type { Field } from './codec/fields.ts';
import type { Framing } from './codec/framing.ts';
import { HeadReader } from './codec/head-reader.ts';
import type { Consumer } from './input.ts';

const nothing: Uint8Array = new Uint8Array(0);

/** The bytes of one head. */
export class HeadConsumer<Head> implements Consumer {
  readonly #reader = new HeadReader(httpLimits.headBytesMax);
  readonly #read: (bytes: Uint8Array) => Head;
  readonly #spend: (count: number) => void;
  #head: Head | undefined;

  /**
   * @param read - makes a head of its bytes, during the call.
   * @param spend - told of the bytes that were taken; may throw.
   */
  constructor(read: (bytes: Uint8Array) => Head, spend: (count: number) => void = () => {}) {
    this.#read = read;
    this.#spend = spend;
  }

  get isDone(): boolean {
    return this.#head !== undefined;
  }

  /** Whether a part of a head has come. */
  get hasBegun(): boolean {
    return this.#reader.heldBytes > 0;
  }

  /** @throws GatewayError when it is not whole. */
  get head(): Head {
    if (this.#head === undefined) throw new GatewayError('SP_INTERNAL', { detail: 'no head' });
    return this.#head;
  }

  take(bytes: Uint8Array, start: number): number {
    const found = this.#reader.push(bytes, start);
    const next = found?.next ?? bytes.length;
    this.#spend(next - start);
    if (found !== undefined) this.#head = this.#read(found.head);
    return next;
  }
}

/** The bytes of one body, handed on as they come. */
export class BodyConsumer implements Consumer {
  readonly #reader: BodyReader;
  readonly #take: TakeBody;
  readonly #flushed: () => void;

  /** @param flushed - called when all of a read was handed on and there is more to come. */
  constructor(reader: BodyReader, take: TakeBody, flushed: () => void = () => {}) {
    this.#reader = reader;
    this.#take = take;
    this.#flushed = flushed;
  }

  get isDone(): boolean {
    return this.#reader.isDone;
  }

  /** Whether the end of the connection is the end of the body. */
  get mayEndByClose(): boolean {
    return this.#reader.mayEndByClose;
  }

  /** The fields behind the body. */
  get trailers(): readonly Field[] {
    return this.#reader.trailers;
  }

  take(bytes: Uint8Array, start: number): number {
    const next = this.#reader.push(bytes, start, this.#take);
    if (!this.#reader.isDone) this.#flushed();
    return next;
  }
}

/** A body that is kept whole, up to a bound; what comes above it stays with the connection. */
export class WholeBody implements Consumer {
  readonly #reader: BodyReader;
  readonly #bytesMax: number;
  #bytes: Uint8Array = nothing;
  #length: number = 0;

  constructor(framing: Framing, bytesMax: number) {
    this.#reader = new BodyReader(framing);
    this.#bytesMax = bytesMax;
    if (framing.kind === 'length') this.#bytes = new Uint8Array(Math.min(framing.length, bytesMax));
  }

  get isDone(): boolean {
    return this.#reader.isDone || this.isOver;
  }

  /** Whether it is larger than the bound; then only its beginning is here. */
  get isOver(): boolean {
    return this.#length > this.#bytesMax;
  }

  /** Where reading goes on when it is over. */
  get reader(): BodyReader {
    return this.#reader;
  }

  get bytes(): Uint8Array {
    return this.#bytes.subarray(0, this.#length);
  }

  take(bytes: Uint8Array, start: number): number {
    return this.#reader.push(bytes, start, (view, from, to) => this.#keep(view, from, to));
  }

  #keep(view: Uint8Array, from: number, to: number): void {
    const needed = this.#length + to - from;
    if (needed > this.#bytes.length) {
      const grown = new Uint8Array(Math.max(needed, 2 * this.#bytes.length));
      grown.set(this.#bytes.subarray(0, this.#length));
      this.#bytes = grown;
    }
    this.#bytes.set(view.subarray(from, to), this.#length);
    this.#length = needed;
  }
}

/** Whatever comes first: tells TLS from plain text. */
export class FirstBytes implements Consumer {
  bytes: Uint8Array = nothing;

  get isDone(): boolean {
    return this.bytes.length > 0;
  }

  take(bytes: Uint8Array, start: number): number {
    this.bytes = bytes.slice(start);
    return bytes.length;
  }
}
