/**
 * A `Wire` without a socket, for tests that feed thousands of connections: what the peer sends is
 * fed by hand, what is written is kept. It keeps to the contract: nothing is handed over while
 * paused, and events come later than the call that caused them.
 */
import type { PeerAddress, Wire, WireSecurity, WireSink } from '#core/wire.ts';

export class MemoryWire implements Wire {
  readonly peer: PeerAddress = { address: '127.0.0.1', port: 1 };
  security: WireSecurity | null = null;
  readonly pendingBytes = 0;
  /** Everything written so far. */
  written: Uint8Array = new Uint8Array(0);
  /** What `end` and `destroy` were called. */
  state: 'open' | 'ended' | 'destroyed' = 'open';
  #sink: WireSink | undefined;
  #paused = true;
  #isScheduled = false;
  #hasEnded = false;
  readonly #chunks: Uint8Array[] = [];

  attach(sink: WireSink): void {
    this.#sink = sink;
    this.resume();
  }

  pause(): void {
    this.#paused = true;
  }

  resume(): void {
    this.#paused = false;
    this.#schedule();
  }

  write(bytes: Uint8Array): boolean {
    if (this.state === 'open') this.written = Buffer.concat([this.written, bytes]);
    return true;
  }

  end(): void {
    if (this.state === 'open') this.state = 'ended';
  }

  destroy(): void {
    this.state = 'destroyed';
    this.#chunks.length = 0;
    queueMicrotask(() => this.#sink?.closed(undefined));
  }

  upgradeServer(): Promise<void> {
    return Promise.reject(new Error('no TLS in memory'));
  }

  upgradeClient(): Promise<void> {
    return Promise.reject(new Error('no TLS in memory'));
  }

  /** The peer sends `bytes`, as one read. */
  feed(bytes: Uint8Array): void {
    if (bytes.length > 0) this.#chunks.push(bytes);
    this.#schedule();
  }

  /** The peer sends FIN behind what was fed. */
  feedEnd(): void {
    this.#hasEnded = true;
    this.#schedule();
  }

  #schedule(): void {
    if (this.#isScheduled) return;
    this.#isScheduled = true;
    queueMicrotask(() => {
      this.#isScheduled = false;
      this.#handOver();
    });
  }

  #handOver(): void {
    while (!this.#paused && this.state !== 'destroyed') {
      const chunk = this.#chunks.shift();
      if (chunk === undefined) break;
      // Memory that is gone after the call, as with a real read buffer.
      const scratch = Uint8Array.from(chunk);
      this.#sink?.data(scratch);
      scratch.fill(0xee);
    }
    if (this.#chunks.length === 0 && this.#hasEnded && !this.#paused) {
      this.#hasEnded = false;
      this.#sink?.ended();
    }
  }
}
