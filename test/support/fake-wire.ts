/**
 * A `Wire` in memory. What is written is kept; a write can be told to be held, as by a slow peer:
 * then the view is read only when it is let go, so that memory that was touched too early shows.
 */
import type { PeerAddress, Wire, WireSink } from '#core/wire.ts';

export class FakeWire implements Wire {
  readonly peer: PeerAddress = { address: '127.0.0.1', port: 1 };
  readonly security = null;
  sink: WireSink | undefined;
  paused = true;
  ended = false;
  destroyed = false;
  /** Whether writes are held until {@link FakeWire.drain}. */
  holds = false;
  /** How often something was written. */
  writes = 0;
  readonly #written: Uint8Array[] = [];
  #held: Uint8Array[] = [];

  attach(sink: WireSink): void {
    this.sink = sink;
    this.paused = false;
  }

  pause(): void {
    this.paused = true;
  }

  resume(): void {
    this.paused = false;
  }

  write(bytes: Uint8Array): boolean {
    this.writes += 1;
    if (this.holds || this.#held.length > 0) {
      this.#held.push(bytes);
      return false;
    }
    this.#written.push(new Uint8Array(bytes));
    return true;
  }

  get pendingBytes(): number {
    return this.#held.reduce((sum, bytes) => sum + bytes.length, 0);
  }

  /** Lets go of what was held. */
  drain(): void {
    if (this.#held.length === 0) return;
    for (const bytes of this.#held.splice(0)) this.#written.push(new Uint8Array(bytes));
    this.sink?.drained();
  }

  /** Everything that was written, in order. */
  get output(): Uint8Array {
    return Buffer.concat(this.#written);
  }

  end(): void {
    this.ended = true;
  }

  destroy(): void {
    this.destroyed = true;
  }

  upgradeServer(): Promise<void> {
    return Promise.reject(new Error('no TLS here'));
  }

  upgradeClient(): Promise<void> {
    return Promise.reject(new Error('no TLS here'));
  }
}
