/**
 * Reads a connection for one consumer after the other. What nobody wants yet is held up to a bound,
 * then the connection is not read: so that a client that leaves is noticed, and one that floods is
 * not.
 *
 * Invariants: bytes are handed over in order, each once; a view is valid only during the call.
 */
import type { GatewayError } from '#core/errors.ts';
import type { Wire, WireSink } from '#core/wire.ts';

/** Takes bytes until it has what it wants. */
export interface Consumer {
  /**
   * Takes bytes from `start` on.
   *
   * @returns the offset behind what it took; less than the length only when it is done.
   */
  take(bytes: Uint8Array, start: number): number;
  readonly isDone: boolean;
}

/** What the owner of an input is told and asked, beside the bytes. */
export interface InputEvents {
  /** What a consumer's exception is to whoever waits for it. */
  fault(thrown: unknown): GatewayError;
  /** The peer has sent FIN or is gone; called once. */
  gone(): void;
  /** Everything written to the connection is in the kernel's hands. */
  drained(): void;
}

const nothing: Uint8Array = new Uint8Array(0);

interface Waiting {
  readonly consumer: Consumer;
  readonly resolve: (isWhole: boolean) => void;
  readonly reject: (error: Error) => void;
}

export class Input implements WireSink {
  readonly #wire: Wire;
  readonly #events: InputEvents;
  #heldBytesMax: number;
  #held: Uint8Array = nothing;
  #waiting: Waiting | undefined;
  #isPaused: boolean = false;
  #isGone: boolean = false;

  constructor(wire: Wire, heldBytesMax: number, events: InputEvents) {
    this.#wire = wire;
    this.#heldBytesMax = heldBytesMax;
    this.#events = events;
    wire.attach(this);
  }

  /** Whether the peer has sent FIN or is gone. */
  get isGone(): boolean {
    return this.#isGone;
  }

  /** Bytes that came and that nobody has taken. */
  get heldBytes(): number {
    return this.#held.length;
  }

  set heldBytesMax(count: number) {
    this.#heldBytesMax = count;
    this.#flow();
  }

  /**
   * Hands bytes to `consumer` until it is done. One at a time.
   *
   * @returns whether it was done; false when the peer ended first. At once, when that is known.
   * @throws what the consumer throws, as a GatewayError.
   */
  consume(consumer: Consumer): boolean | Promise<boolean> {
    const held = this.#held;
    if (held.length > 0 || consumer.isDone) {
      this.#held = nothing;
      if (this.#takeHeld(consumer, held)) return true;
    }
    if (this.#isGone) return false;
    return new Promise((resolve, reject) => {
      this.#waiting = { consumer, resolve, reject };
      this.#flow();
    });
  }

  /** Gives bytes back that were taken and belong to the next consumer. */
  unread(bytes: Uint8Array): void {
    const later = this.#held;
    this.#held = bytes.slice();
    this.#hold(later, 0);
  }

  /** Whoever waits is told that there will be no more. */
  abandon(): void {
    this.#finish(false);
  }

  /** Stops reading until {@link Input.resume}: whoever is to take the bytes on cannot. */
  pause(): void {
    this.#isPaused = true;
    this.#flow();
  }

  resume(): void {
    if (!this.#isPaused) return;
    this.#isPaused = false;
    this.#flow();
  }

  /** Everything that came and was not taken; reading goes on elsewhere. */
  release(): Uint8Array {
    const held = this.#held;
    this.#held = nothing;
    this.#wire.pause();
    return held;
  }

  data(chunk: Uint8Array): void {
    if (this.#waiting === undefined) this.#hold(chunk, 0);
    else this.#hand(chunk);
    this.#flow();
  }

  drained(): void {
    this.#events.drained();
  }

  ended(): void {
    this.#leave();
  }

  closed(): void {
    this.#leave();
  }

  #leave(): void {
    if (this.#isGone) return;
    this.#isGone = true;
    this.#finish(false);
    this.#events.gone();
  }

  #hand(bytes: Uint8Array): void {
    const waiting = this.#waiting;
    if (waiting === undefined) return;
    try {
      if (this.#take(waiting.consumer, bytes)) this.#finish(true);
    } catch (thrown) {
      this.#waiting = undefined;
      waiting.reject(this.#events.fault(thrown));
    }
  }

  #takeHeld(consumer: Consumer, held: Uint8Array): boolean {
    try {
      return this.#take(consumer, held);
    } catch (thrown) {
      throw this.#events.fault(thrown);
    } finally {
      this.#flow();
    }
  }

  /** Answers whether the consumer is done; then the rest is held for the next. */
  #take(consumer: Consumer, bytes: Uint8Array): boolean {
    const next = consumer.take(bytes, 0);
    if (!consumer.isDone) return false;
    this.#hold(bytes, next);
    return true;
  }

  #finish(isWhole: boolean): void {
    const waiting = this.#waiting;
    this.#waiting = undefined;
    waiting?.resolve(isWhole);
  }

  /** Copies: the chunk's memory is the connection's. */
  #hold(chunk: Uint8Array, from: number): void {
    if (from >= chunk.length) return;
    const { buffer, byteOffset, length } = Buffer.allocUnsafe(
      this.#held.length + chunk.length - from,
    );
    // A plain view: parts of it cost less than those of a Buffer, and `slice` copies.
    const all = new Uint8Array(buffer, byteOffset, length);
    all.set(this.#held);
    all.set(chunk.subarray(from), this.#held.length);
    this.#held = all;
  }

  #flow(): void {
    const isFull = this.#waiting === undefined && this.#held.length >= this.#heldBytesMax;
    if (this.#isPaused || isFull) this.#wire.pause();
    else this.#wire.resume();
  }
}
