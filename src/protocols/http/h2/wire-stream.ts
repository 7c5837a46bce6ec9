/**
 * A wire as a stream of Node's, which is what `node:http2` takes for a connection. Bytes are copied
 * on the way in, because a wire hands over views of memory that it uses again.
 */
import { Duplex } from 'node:stream';
import type { Wire } from '#core/wire.ts';

export class WireStream extends Duplex {
  readonly #wire: Wire;
  #written: (() => void) | undefined;
  /** Bytes that may still be read. */
  #bytesLeft: number;

  /**
   * @param first - what was read of the connection already.
   * @param bytesMax - what is read before {@link WireStream.release}.
   */
  constructor(wire: Wire, first: Uint8Array, bytesMax: number) {
    super();
    this.#wire = wire;
    this.#bytesLeft = bytesMax;
    if (first.length > 0) this.push(Buffer.from(first));
    wire.attach({
      data: (chunk) => {
        this.#bytesLeft -= chunk.length;
        if (!this.push(Buffer.from(chunk)) || this.#bytesLeft <= 0) wire.pause();
      },
      drained: () => {
        const written = this.#written;
        this.#written = undefined;
        written?.();
      },
      ended: () => this.push(null),
      closed: () => this.destroy(),
    });
  }

  /** From now on all is read. */
  release(): void {
    this.#bytesLeft = Number.POSITIVE_INFINITY;
    this.#wire.resume();
  }

  override _read(): void {
    if (this.#bytesLeft > 0) this.#wire.resume();
  }

  override _write(chunk: Uint8Array, _encoding: string, done: () => void): void {
    if (this.#wire.write(chunk)) done();
    else this.#written = done;
  }

  override _final(done: () => void): void {
    this.#wire.end();
    done();
  }

  override _destroy(error: Error | null, done: (error: Error | null) => void): void {
    this.#wire.destroy();
    done(error);
  }
}
