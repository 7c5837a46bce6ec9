/**
 * Reads a handshake from a wire piece by piece, in the order in which the protocol wants it. Both
 * handshakes, downstream and upstream, are conversations of a few small messages, so they read as
 * straight code; the relay, which is hot, does not come here.
 *
 * Invariants: at most `bytesMax` wait unread; the wire is read only while somebody waits; every
 * byte is accounted for by `spend` before it is looked at.
 */
import { errorTable, type ErrorCode, GatewayError } from '#core/errors.ts';
import type { TlsClientOptions, TlsServerOptions, Wire, WireSecurity } from '#core/wire.ts';
import { headerBytes, int32 } from './codec/frames.ts';

/** The peer closed the connection, in order or not. Nobody is left to be told anything. */
export class PeerGone extends Error {
  constructor(cause?: unknown) {
    super('the peer closed the connection', { cause });
    this.name = 'PeerGone';
  }
}

export interface HandshakeMessage {
  readonly type: number;
  readonly body: Uint8Array;
  /** Header and body, as the codec's readers take it. */
  readonly bytes: Uint8Array;
}

export class Handshake {
  readonly wire: Wire;
  readonly #bytesMax: number;
  readonly #spend: (count: number) => void;
  readonly #signal: AbortSignal;
  readonly #aborted: () => void;
  #buffer: Uint8Array;
  #failure: Error | undefined;
  #wake: (() => void) | undefined;

  /**
   * @param bytesMax - the longest message, and what may wait unread besides one read.
   * @param spend - told of every read; may throw to end the handshake.
   * @param rest - bytes that were read before.
   */
  constructor(
    wire: Wire,
    options: {
      readonly bytesMax: number;
      readonly spend: (count: number) => void;
      readonly rest?: Uint8Array;
    },
    signal: AbortSignal,
  ) {
    this.wire = wire;
    this.#buffer = options.rest ?? new Uint8Array(0);
    this.#bytesMax = options.bytesMax;
    this.#spend = options.spend;
    this.#signal = signal;
    this.#aborted = () => this.#fail(abortError(signal));
    signal.addEventListener('abort', this.#aborted);
    if (signal.aborted) this.#aborted();
    wire.attach({
      data: (chunk) => this.#take(chunk),
      drained() {},
      ended: () => this.#fail(new PeerGone()),
      closed: (error) => this.#fail(new PeerGone(error)),
    });
  }

  /** The first byte that waits, without taking it. */
  async peek(): Promise<number> {
    await this.#has(1);
    return this.#buffer[0] ?? 0;
  }

  /** Exactly `count` bytes. */
  async take(count: number): Promise<Uint8Array> {
    await this.#has(count);
    return this.#cut(count);
  }

  /**
   * One message: type, length, body.
   *
   * @throws GatewayError `SP_FRAME_TOO_LARGE`, `SP_FRAME_MALFORMED`, {@link PeerGone}, or the
   * signal's reason.
   */
  async message(): Promise<HandshakeMessage> {
    await this.#has(headerBytes);
    const length = int32(this.#buffer, 1);
    if (length < 4) throw new GatewayError('SP_FRAME_MALFORMED', { detail: `length ${length}` });
    if (length > this.#bytesMax) throw new GatewayError('SP_FRAME_TOO_LARGE');
    await this.#has(length + 1);
    const whole = this.#cut(length + 1);
    return { type: whole[0] ?? 0, body: whole.subarray(headerBytes), bytes: whole };
  }

  /** Everything that has come and was not taken; ends the handshake's hold on the wire. */
  finish(): Uint8Array {
    this.#signal.removeEventListener('abort', this.#aborted);
    this.wire.pause();
    return this.#cut(this.#buffer.length);
  }

  /** TLS, the server's side. With `direct`, what was read so far is part of TLS. */
  async startTls(options: TlsServerOptions, direct: boolean): Promise<WireSecurity | null> {
    this.wire.pause();
    const head = direct ? this.#cut(this.#buffer.length) : undefined;
    this.#refuseBytesBeforeTls();
    await this.wire.upgradeServer(options, this.#signal, head);
    return this.wire.security;
  }

  /** TLS, the client's side. */
  async startTlsAsClient(options: TlsClientOptions): Promise<void> {
    this.wire.pause();
    this.#refuseBytesBeforeTls();
    await this.wire.upgradeClient(options, this.#signal);
  }

  #refuseBytesBeforeTls(): void {
    if (this.#buffer.length === 0) return;
    // CVE-2021-23214: whoever sits between could have put them there.
    throw new GatewayError('SP_PROTOCOL', {
      detail: 'received unencrypted data after SSL request',
    });
  }

  async #has(count: number): Promise<void> {
    while (this.#buffer.length < count) {
      if (this.#failure !== undefined) throw this.#failure;
      const woken = new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
      this.wire.resume();
      await woken;
    }
    if (this.#failure instanceof GatewayError) throw this.#failure;
  }

  #cut(count: number): Uint8Array {
    const piece = this.#buffer.subarray(0, count);
    this.#buffer = this.#buffer.subarray(count);
    return piece;
  }

  #take(chunk: Uint8Array): void {
    this.wire.pause();
    try {
      this.#spend(chunk.length);
    } catch (thrown) {
      this.#fail(thrown instanceof Error ? thrown : new GatewayError('SP_INTERNAL'));
      return;
    }
    // Fresh memory each time, so that pieces already given out stay as they are.
    const bytes = new Uint8Array(this.#buffer.length + chunk.length);
    bytes.set(this.#buffer);
    bytes.set(chunk, this.#buffer.length);
    this.#buffer = bytes;
    this.#notify();
  }

  #fail(error: Error): void {
    this.#failure ??= error;
    this.#notify();
  }

  #notify(): void {
    const wake = this.#wake;
    this.#wake = undefined;
    wake?.();
  }
}

/** Why a signal was aborted, as an error: reasons may be errors or refusals. */
export function abortError(signal: AbortSignal): GatewayError {
  const reason: unknown = signal.reason;
  if (reason instanceof GatewayError) return reason;
  if (typeof reason === 'object' && reason !== null && 'code' in reason) {
    const { code } = reason;
    if (isErrorCode(code)) return new GatewayError(code, { cause: reason });
  }
  return new GatewayError('SP_INTERNAL', { detail: 'ended', cause: reason });
}

const isErrorCode = (code: unknown): code is ErrorCode =>
  typeof code === 'string' && Object.hasOwn(errorTable, code);
