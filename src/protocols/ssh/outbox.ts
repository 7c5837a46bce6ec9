/**
 * What a connection sends in one turn of the event loop, put together for one write.
 *
 * Invariants: memory that the wire still holds is not touched before it says that it drained; a
 * quiet connection holds none.
 */
import type { Wire } from '#core/wire.ts';

/** What one read of bulk becomes: a little more than was read, behind other heads. */
const BATCH_BYTES = (256 + 16) * 1024;
/** Batches that are kept for whoever writes next. */
const FREE_MAX = 16;

/** Shared by all connections: whoever writes has one until the kernel has taken it. */
const free: Uint8Array[] = [];

export class Outbox {
  readonly #wire: Wire;
  #batch: Uint8Array | undefined;
  #used = 0;
  /** Batches that the wire holds. */
  #held: Uint8Array[] = [];

  constructor(wire: Wire) {
    this.#wire = wire;
  }

  /** Bytes that the kernel does not have yet. */
  get bytes(): number {
    return this.#used + this.#wire.pendingBytes;
  }

  /** Copies `bytes` behind what is there; what fills a batch is written at once. */
  append(bytes: Uint8Array): void {
    for (let at = 0; at < bytes.length; ) {
      this.#batch ??= free.pop() ?? Buffer.allocUnsafeSlow(BATCH_BYTES);
      const part = bytes.subarray(at, at + this.#batch.length - this.#used);
      this.#batch.set(part, this.#used);
      this.#used += part.length;
      at += part.length;
      if (this.#used === this.#batch.length) this.flush();
    }
  }

  /** Writes what was put together; true when there was some and the kernel has all of it. */
  flush(): boolean {
    const batch = this.#batch;
    if (batch === undefined) return false;
    const bytes = batch.subarray(0, this.#used);
    this.#batch = undefined;
    this.#used = 0;
    const isTaken = this.#wire.write(bytes);
    if (isTaken) giveBack(batch);
    else this.#held.push(batch);
    return isTaken;
  }

  /** The wire holds nothing any more. */
  drained(): void {
    for (const batch of this.#held) giveBack(batch);
    this.#held = [];
  }
}

function giveBack(batch: Uint8Array): void {
  if (free.length < FREE_MAX) free.push(batch);
}
