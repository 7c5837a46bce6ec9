/**
 * One direction of one channel: what its sender may send, what its receiver may get, and what waits
 * in between. Output and errors are each in order; between them there is none while they wait, as
 * SSH promises none.
 *
 * Invariant: the sender may have at most the window's bytes under way, whatever the receiver does,
 * so that what waits here is bounded by the window and what a mask makes of it.
 */
import { malformed } from '#core/ssh-fields.ts';
import { ByteQueue } from './byte-queue.ts';

/** The largest piece that is sent or accepted, as every SSH implementation has it. */
export const PACKET_BYTES_MAX: number = 32 * 1024;
/** The smallest that a receiver may ask for: single bytes would cost fifty times their size. */
export const PACKET_BYTES_MIN: number = 256;
const WINDOW_MAX = 0xffffffff;

/** The two ends of a direction. */
export interface FlowEnds {
  /** Sends data on. The bytes are valid only during the call. */
  forward(bytes: Uint8Array, isStderr: boolean): void;
  /** Lets the sender send so many bytes more. */
  grant(count: number): void;
}

export class Flow {
  readonly #ends: FlowEnds;
  readonly #window: number;
  /** What the sender may still send. */
  #granted: number;
  /** What the receiver still takes. */
  #credit = 0;
  #packetMax = 0;
  readonly #output = new ByteQueue();
  readonly #errors = new ByteQueue();
  #actions: (() => void)[] = [];
  #keptBytes = 0;
  #isDiscarding = false;

  constructor(ends: FlowEnds, window: number) {
    this.#ends = ends;
    this.#window = window;
    this.#granted = window;
  }

  /** The receiver is there. */
  open(window: number, packetMax: number): void {
    if (packetMax < PACKET_BYTES_MIN) throw malformed('a channel of packets that are too small');
    this.#packetMax = Math.min(packetMax, PACKET_BYTES_MAX);
    this.adjust(window);
  }

  /** The receiver takes more. */
  adjust(count: number): void {
    this.#credit += count;
    if (this.#credit > WINDOW_MAX) throw malformed('a window that is too large');
    this.#drain();
    this.#regrant();
  }

  /** The sender sent `count` bytes; malformed when it may not. */
  sent(count: number): void {
    this.#granted -= count;
    if (this.#granted < 0) throw malformed('more data than the window lets through');
  }

  /** Says how many of the bytes that came are kept elsewhere, to be pushed later. */
  keep(count: number): void {
    this.#keptBytes = count;
    this.#regrant();
  }

  /** Passes bytes on, now or later. */
  push(bytes: Uint8Array, isStderr: boolean): void {
    if (this.#isDiscarding) return this.#regrant();
    const isFree = this.#isEmpty && this.#packetMax > 0;
    const now = isFree ? this.#send(bytes, isStderr) : 0;
    if (now === bytes.length) return this.#regrant();
    (isStderr ? this.#errors : this.#output).push(bytes.subarray(now));
  }

  /** Runs `action` when nothing waits any more, once the receiver is there. */
  behind(action: () => void): void {
    const isReady = this.#packetMax > 0 || this.#isDiscarding;
    if (isReady && this.#isEmpty) action();
    else this.#actions.push(action);
  }

  /** The receiver takes no more data: what waits and what comes goes nowhere; actions still run. */
  discard(): void {
    this.#isDiscarding = true;
    this.#output.clear();
    this.#errors.clear();
    this.#act();
  }

  get #isEmpty(): boolean {
    return this.#output.length === 0 && this.#errors.length === 0;
  }

  /** Sends as much as the receiver takes; answers how much. */
  #send(bytes: Uint8Array, isStderr: boolean): number {
    let at = 0;
    while (at < bytes.length && this.#credit > 0) {
      const end = Math.min(bytes.length, at + this.#credit, at + this.#packetMax);
      this.#ends.forward(bytes.subarray(at, end), isStderr);
      this.#credit -= end - at;
      at = end;
    }
    return at;
  }

  #drain(): void {
    // A window alone is no receiver: without packets nothing would ever be sent.
    if (this.#packetMax === 0) return;
    this.#errors.drop(this.#send(this.#errors.peek(), true));
    this.#output.drop(this.#send(this.#output.peek(), false));
    if (this.#isEmpty) this.#act();
  }

  #act(): void {
    const actions = this.#actions;
    this.#actions = [];
    for (const action of actions) action();
  }

  /** A mask can make more of the bytes than came; then nothing is granted until it went. */
  #regrant(): void {
    const waiting = this.#output.length + this.#errors.length;
    const underWay = this.#granted + waiting + this.#keptBytes;
    if (underWay > this.#window / 2) return;
    const count = this.#window - underWay;
    this.#granted += count;
    this.#ends.grant(count);
  }
}
