/**
 * What goes to the client: recorded, then written, in one write where pieces come together. Tells
 * its source to wait while the client or the recorder is behind.
 */
import type { Tape } from '#core/tape.ts';
import type { Wire } from '#core/wire.ts';

/** Where the bytes come from; it can wait. */
export interface Source {
  pause(): void;
  resume(): void;
}

/** Pieces up to this size are put together. */
const JOINED_BYTES_MAX = 16 * 1024;
const nothing: Uint8Array = new Uint8Array(0);

export class Outlet {
  readonly #wire: Wire;
  readonly #tape: Tape;
  #source: Source | undefined;
  #pending: Uint8Array = nothing;
  #isClientBehind: boolean = false;
  #isTapeBehind: boolean = false;

  constructor(wire: Wire, tape: Tape) {
    this.#wire = wire;
    this.#tape = tape;
  }

  /** Who has to wait from now on when somebody is behind. */
  from(source: Source | undefined): void {
    // Who no longer has to wait is told so now: later nobody would.
    this.#source?.resume();
    this.#source = source;
    if (this.#isBehind) source?.pause();
  }

  /** Adds bytes of the gateway's own memory. */
  put(bytes: Uint8Array): void {
    if (bytes.length === 0) return;
    this.#record(bytes);
    if (this.#pending.length === 0 && bytes.length <= JOINED_BYTES_MAX) this.#pending = bytes;
    else if (this.#pending.length + bytes.length <= JOINED_BYTES_MAX) {
      this.#pending = Buffer.concat([this.#pending, bytes]);
    } else {
      this.flush();
      this.#write(bytes);
    }
  }

  /** Adds a view of a read; it is free again when the source is read on. */
  pass(bytes: Uint8Array): void {
    if (bytes.length === 0) return;
    if (this.#pending.length > 0 && this.#pending.length + bytes.length <= JOINED_BYTES_MAX) {
      this.put(bytes);
      this.flush();
      return;
    }
    this.#record(bytes);
    this.flush();
    this.#write(bytes);
  }

  /** Writes bytes that are recorded elsewhere, in another form. */
  send(bytes: Uint8Array): void {
    this.flush();
    this.#write(bytes);
  }

  /** Bytes that were written and that the kernel does not have yet. */
  get pendingBytes(): number {
    return this.#wire.pendingBytes;
  }

  /** Writes what was put. */
  flush(): void {
    const pending = this.#pending;
    this.#pending = nothing;
    if (pending.length > 0) this.#write(pending);
  }

  /** The client has taken everything. */
  drained(): void {
    this.#isClientBehind = false;
    this.#goOn();
  }

  get #isBehind(): boolean {
    return this.#isClientBehind || this.#isTapeBehind;
  }

  #record(bytes: Uint8Array): void {
    this.#tape.data('to-client', bytes, 0, bytes.length);
    if (!this.#tape.behind || this.#isTapeBehind) return;
    this.#isTapeBehind = true;
    this.#source?.pause();
    this.#tape.whenReady(() => {
      this.#isTapeBehind = false;
      this.#goOn();
    });
  }

  #write(bytes: Uint8Array): void {
    if (this.#wire.write(bytes)) return;
    this.#isClientBehind = true;
    this.#source?.pause();
  }

  #goOn(): void {
    if (!this.#isBehind) this.#source?.resume();
  }
}
