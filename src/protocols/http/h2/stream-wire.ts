/**
 * One HTTP/2 stream as a connection of HTTP/1.1 that carries one request and its answer. So
 * whatever reads, judges, masks and records HTTP is the same for both, and what HTTP/2 brings is
 * read as strictly as if it had come as HTTP/1.1.
 *
 * Invariants: bytes are handed over in order, each once, and none while paused; what was written
 * is copied before `write` returns; a message that is not whole is reset, never ended.
 */
import { GatewayError } from '#core/errors.ts';
import type { PeerAddress, Wire, WireSecurity, WireSink } from '#core/wire.ts';

/** The stream behind a wire, once there is one. */
export interface StreamEnd {
  /** Takes bytes of a message of HTTP/1.1. @returns whether more should come now. */
  write(bytes: Uint8Array): boolean;
  readonly pendingBytes: number;
  /** Nothing more is written. */
  end(): void;
  destroy(): void;
  pause(): void;
  resume(): void;
}

export class StreamWire implements Wire {
  readonly peer: PeerAddress;
  readonly security: WireSecurity | null;
  readonly #end: StreamEnd;
  #sink: WireSink | undefined;
  #backlog: Uint8Array[] = [];
  #isPaused: boolean = true;
  #hasEnded: boolean = false;
  #hasClosed: boolean = false;
  /** Whether the sink knows that the stream is gone. */
  #isOver: boolean = false;
  #error: Error | undefined;

  /** @param connect - gives the stream, which hands over what comes by {@link StreamWire.deliver}. */
  constructor(
    { peer, security }: Pick<Wire, 'peer' | 'security'>,
    connect: (wire: StreamWire) => StreamEnd,
  ) {
    this.peer = peer;
    this.security = security;
    this.#end = connect(this);
  }

  attach(sink: WireSink): void {
    this.#sink = sink;
    this.#isOver = false;
    this.resume();
    // Later, as for every other event, so that a sink is never called from inside `attach`.
    if (this.#hasEnded || this.#hasClosed) queueMicrotask(() => this.#handOver());
  }

  pause(): void {
    if (this.#isPaused) return;
    this.#isPaused = true;
    this.#end.pause();
  }

  resume(): void {
    if (!this.#isPaused) return;
    this.#isPaused = false;
    if (this.#backlog.length > 0) queueMicrotask(() => this.#handOver());
    else if (!this.#hasClosed) this.#end.resume();
  }

  write(bytes: Uint8Array): boolean {
    return bytes.length === 0 || this.#hasClosed || this.#end.write(bytes);
  }

  get pendingBytes(): number {
    return this.#end.pendingBytes;
  }

  end(): void {
    this.#end.end();
  }

  destroy(): void {
    this.#end.destroy();
  }

  upgradeServer(): Promise<void> {
    return Promise.reject(new GatewayError('SP_PROTOCOL', { detail: 'TLS inside of a stream' }));
  }

  upgradeClient(): Promise<void> {
    return this.upgradeServer();
  }

  /** Bytes came; the memory is the wire's from now on. */
  deliver(bytes: Uint8Array): void {
    if (this.#hasClosed) return;
    this.#backlog.push(bytes);
    this.#handOver();
  }

  /** Everything written is on its way. */
  drained(): void {
    this.#sink?.drained();
  }

  /** The peer has sent all that it will. */
  ended(): void {
    this.#hasEnded = true;
    this.#handOver();
  }

  /** The stream is gone. */
  closed(error: Error | undefined): void {
    if (this.#hasClosed) return;
    this.#hasClosed = true;
    this.#error ??= error;
    // A message that is whole is handed over all the same; nobody wants a part of one.
    if (!this.#hasEnded) this.#backlog = [];
    this.#handOver();
  }

  #handOver(): void {
    const sink = this.#sink;
    if (sink === undefined) return;
    while (!this.#isPaused && this.#backlog.length > 0) {
      const bytes = this.#backlog.shift();
      if (bytes !== undefined) this.#guarded(() => sink.data(bytes));
    }
    if (this.#sink !== sink || this.#backlog.length > 0 || this.#isOver) return;
    this.#isOver = this.#hasClosed;
    if (this.#hasEnded) sink.ended();
    if (this.#hasClosed) sink.closed(this.#error);
    else if (!this.#isPaused) this.#end.resume();
  }

  /** What a sink throws ends its own stream and no other. */
  #guarded(run: () => void): void {
    try {
      run();
    } catch (thrown) {
      this.#error ??= thrown instanceof Error ? thrown : new Error(String(thrown));
      this.#backlog = [];
      this.#end.destroy();
    }
  }
}
