/**
 * One direction of one channel: what its sender may send, what its receiver may get, and what waits
 * in between, in order.
 *
 * Invariant: the sender may have at most the window's bytes under way, whatever the receiver does,
 * so that what waits here is bounded by the window and what a mask makes of it.
 */
import { malformed } from '#core/ssh-fields.ts';

/** The largest piece that is sent or accepted, as every SSH implementation has it. */
export const PACKET_BYTES_MAX: number = 32 * 1024;
const WINDOW_MAX = 0xffffffff;

/** The two ends of a direction. */
export interface FlowEnds {
  /** Sends data on. The bytes are valid only during the call. */
  forward(bytes: Uint8Array, isStderr: boolean): void;
  /** Lets the sender send so many bytes more. */
  grant(count: number): void;
}

type Waiting =
  | { readonly kind: 'data'; readonly bytes: Uint8Array; readonly isStderr: boolean }
  | { readonly kind: 'action'; readonly run: () => void };

export class Flow {
  readonly #ends: FlowEnds;
  readonly #window: number;
  /** What the sender may still send. */
  #granted: number;
  /** What the receiver still takes. */
  #credit = 0;
  #packetMax = 0;
  #waiting: Waiting[] = [];
  #waitingBytes = 0;
  #keptBytes = 0;
  #isDiscarding = false;

  constructor(ends: FlowEnds, window: number) {
    this.#ends = ends;
    this.#window = window;
    this.#granted = window;
  }

  /** The receiver is there. */
  open(window: number, packetMax: number): void {
    this.#packetMax = Math.min(packetMax, PACKET_BYTES_MAX);
    if (this.#packetMax < 1) throw malformed('a channel without room for a packet');
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
    if (this.#waiting.length === 0 && this.#packetMax > 0) {
      const now = this.#send(bytes, isStderr);
      if (now === bytes.length) return this.#regrant();
      this.#wait(bytes.slice(now), isStderr);
    } else {
      this.#wait(bytes.slice(), isStderr);
    }
  }

  /** Runs `action` behind everything that was pushed, once the receiver is there. */
  behind(action: () => void): void {
    const isReady = this.#packetMax > 0 || this.#isDiscarding;
    if (this.#waiting.length === 0 && isReady) action();
    else this.#waiting.push({ kind: 'action', run: action });
  }

  /** The receiver takes no more data: what waits and what comes goes nowhere; actions still run. */
  discard(): void {
    this.#isDiscarding = true;
    const waiting = this.#waiting;
    this.#waiting = [];
    this.#waitingBytes = 0;
    for (const each of waiting) if (each.kind === 'action') each.run();
  }

  #wait(bytes: Uint8Array, isStderr: boolean): void {
    if (bytes.length === 0) return;
    this.#waiting.push({ kind: 'data', bytes, isStderr });
    this.#waitingBytes += bytes.length;
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
    while (this.#waiting.length > 0) {
      const [first] = this.#waiting;
      if (first === undefined) return;
      if (first.kind === 'action') {
        this.#waiting.shift();
        first.run();
        continue;
      }
      const sent = this.#send(first.bytes, first.isStderr);
      this.#waitingBytes -= sent;
      if (sent < first.bytes.length) {
        this.#waiting[0] = { ...first, bytes: first.bytes.subarray(sent) };
        return;
      }
      this.#waiting.shift();
    }
  }

  /** A mask can make more of the bytes than came; then nothing is granted until it went. */
  #regrant(): void {
    const underWay = this.#granted + this.#waitingBytes + this.#keptBytes;
    if (underWay > this.#window / 2) return;
    const count = this.#window - underWay;
    this.#granted += count;
    this.#ends.grant(count);
  }
}
