/**
 * One direction of a session: takes chunks as they are read and offers them to a reader, which
 * deals with whole messages in place. What it leaves (a message whose end is not there, or
 * everything while it waits) is kept, and offered again with what comes next.
 */
import type { Outlet } from './relay-outlet.ts';
import { Inbox } from './codec/frames.ts';

export interface LaneReader {
  /**
   * Deals with `bytes[start, end)` as far as it can. The outlet's run is open at `start`.
   *
   * @returns where it stopped; the rest is offered again.
   */
  consume(bytes: Uint8Array, start: number, end: number): number;
  /** It threw: what it had not finished of this chunk does not leave. */
  broken(): void;
  /** True while it waits for something other than bytes. */
  readonly stalled: boolean;
}

export class Lane {
  readonly #reader: LaneReader;
  readonly #outlet: Outlet;
  readonly #inbox = new Inbox();
  #busy = false;

  constructor(reader: LaneReader, outlet: Outlet) {
    this.#reader = reader;
    this.#outlet = outlet;
  }

  /** Bytes that were read and not dealt with. */
  get heldBytes(): number {
    return this.#inbox.length;
  }

  /** What {@link heldBytes} counts; valid until the next call of anything here. */
  held(): Uint8Array {
    return this.#inbox.view();
  }

  /** Takes a chunk; it is not kept. */
  feed(chunk: Uint8Array): void {
    const { length } = chunk;
    let at = 0;
    if (this.#reader.stalled || this.#busy) {
      this.#inbox.append(chunk, 0, length);
      return;
    }
    while (this.#inbox.length > 0 && at < length) {
      // Completes only the message that was cut, so that the rest is dealt with where it lies.
      const count = Math.min(Math.max(this.#inbox.missing(), 1), length - at);
      this.#inbox.append(chunk, at, at + count);
      at += count;
      this.#drain();
      if (this.#reader.stalled) {
        this.#inbox.append(chunk, at, length);
        this.#outlet.flush();
        return;
      }
    }
    if (at < length) {
      this.#outlet.open(chunk, at);
      const used = this.#offer(chunk, at, length);
      this.#outlet.close(used);
      if (used < length) this.#inbox.append(chunk, used, length);
    } else {
      this.#outlet.flush();
    }
  }

  /** Goes on after the reader stalled. */
  resume(): void {
    if (this.#busy || this.#reader.stalled) return;
    if (this.#inbox.length > 0) this.#drain();
    this.#outlet.flush();
  }

  #drain(): void {
    const view = this.#inbox.view();
    this.#outlet.open(view, 0);
    const used = this.#offer(view, 0, view.length);
    this.#outlet.closeCopied(used);
    this.#inbox.consume(used);
  }

  #offer(bytes: Uint8Array, start: number, end: number): number {
    this.#busy = true;
    try {
      return this.#reader.consume(bytes, start, end);
    } catch (thrown) {
      this.#reader.broken();
      throw thrown;
    } finally {
      this.#busy = false;
    }
  }
}
