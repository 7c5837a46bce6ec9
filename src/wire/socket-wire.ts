/**
 * `Wire` over a TCP socket. Reads land in one private buffer that is reused for every read
 * (`onread`), so that the data path allocates nothing per read but a view. Under TLS, where Node
 * offers no such buffer, chunks are fresh.
 *
 * Invariants: bytes are handed over in order, each once; nothing is handed over while paused; the
 * sink's exceptions end this connection and no other; `closed` is the last call and is made once
 * per sink even when the connection ended before the sink came.
 */
import { Socket, type SocketConstructorOpts } from 'node:net';
import type { TLSSocket } from 'node:tls';
import { GatewayError } from '#core/errors.ts';
import type {
  PeerAddress,
  TlsClientOptions,
  TlsServerOptions,
  Wire,
  WireSecurity,
  WireSink,
} from '#core/wire.ts';
import { securityOf, startClient, startServer, verifyClient } from './tls.ts';

const readBytes = 64 * 1024;
/** A read that fills the buffer shows bulk: fewer, larger reads cost a third less CPU. */
const bulkReadBytes = 256 * 1024;
/** Reads in a row that would have fitted a small buffer: then the large one is given back. */
const calmReads = 16;
const keepAliveMs = 60_000;
const nothing: Uint8Array = new Uint8Array(0);

export class SocketWire implements Wire {
  #socket: Socket;
  #peer: PeerAddress;
  #security: WireSecurity | null = null;
  #sink: WireSink | undefined;
  #buffer: Uint8Array = Buffer.allocUnsafeSlow(readBytes);
  /** Bytes to hand over before the next read; see {@link SocketWire.unread}. */
  #backlog: Uint8Array = nothing;
  #calm = 0;
  #paused = true;
  #upgrading = false;
  /** A `write` has answered false and `drained` was not yet called. */
  #isHeld = false;
  #hasEnded = false;
  #hasClosed = false;
  #error: Error | undefined;
  readonly #written = (): void => this.#checkDrained();

  private constructor(handle: unknown) {
    const options: SocketConstructorOpts = {
      allowHalfOpen: true,
      onread: {
        buffer: () => this.#buffer,
        callback: (count, buffer) => this.#received(count, buffer),
      },
    };
    // Two options that Node has but does not describe; its own server uses both.
    Object.assign(options, { handle, pauseOnCreate: true });
    this.#socket = new Socket(options);
    this.#peer = { address: '', port: 0 };
    this.#listen(this.#socket);
  }

  /**
   * Takes over a socket that a server accepted with `pauseOnConnect`, before anything was read.
   * Node offers `onread` only to sockets that it makes itself, so the handle moves to a new one.
   *
   * @returns undefined when the peer has left already.
   */
  static accept(socket: Socket): SocketWire | undefined {
    const { remoteAddress, remotePort } = socket;
    const handle: unknown = Reflect.get(socket, '_handle');
    if (typeof handle !== 'object' || handle === null || remoteAddress === undefined) {
      socket.destroy();
      return undefined;
    }
    Reflect.set(socket, '_handle', null);
    // Without its handle this closes nothing; it lets the server count the connection out.
    socket.destroy();
    const wire = new SocketWire(handle);
    wire.#peer = { address: plainAddress(remoteAddress), port: remotePort ?? 0 };
    wire.#tune();
    return wire;
  }

  /**
   * Connects to an address. Callers outside `upstream/` and tests have no business here.
   *
   * @throws whatever the system says, or the signal's reason.
   */
  static async dial(
    to: { readonly host: string; readonly port: number },
    signal: AbortSignal,
  ): Promise<SocketWire> {
    signal.throwIfAborted();
    const wire = new SocketWire(undefined);
    const socket = wire.#socket;
    // Paused before it connects, or Node would start to read at once.
    socket.pause();
    socket.connect({ host: to.host, port: to.port });
    await wire.#settled(socket, 'connect', signal);
    wire.#peer = { address: plainAddress(socket.remoteAddress ?? to.host), port: to.port };
    wire.#tune();
    return wire;
  }

  get peer(): PeerAddress {
    return this.#peer;
  }

  /** This end of the connection. */
  get local(): PeerAddress {
    const { localAddress, localPort } = this.#socket;
    return { address: plainAddress(localAddress ?? ''), port: localPort ?? 0 };
  }

  get security(): WireSecurity | null {
    return this.#security;
  }

  get pendingBytes(): number {
    return this.#socket.writableLength;
  }

  /** Whether the connection is gone, both ways. */
  get isClosed(): boolean {
    return this.#hasClosed;
  }

  /** The client's own address, once a trusted balancer in front has told it. */
  set peer(peer: PeerAddress) {
    this.#peer = peer;
  }

  attach(sink: WireSink): void {
    this.#sink = sink;
    if (this.#hasEnded || this.#hasClosed) {
      // Later, as for every other event, so that a sink is never called from inside `attach`.
      queueMicrotask(() => {
        if (this.#sink !== sink) return;
        if (this.#hasEnded) this.#guard(() => sink.ended());
        if (this.#hasClosed) this.#guard(() => sink.closed(this.#error));
      });
    }
    this.resume();
  }

  pause(): void {
    if (this.#paused) return;
    this.#paused = true;
    this.#socket.pause();
  }

  resume(): void {
    if (!this.#paused || this.#hasClosed) return;
    this.#paused = false;
    if (this.#backlog.length > 0) queueMicrotask(() => this.#handOverBacklog());
    else if (!this.#upgrading) this.#socket.resume();
  }

  /**
   * Gives bytes back that were read but belong to the next sink. They are copied, and come first.
   * Only while paused.
   */
  unread(bytes: Uint8Array): void {
    if (!this.#paused) throw new GatewayError('SP_INTERNAL', { detail: 'unread while reading' });
    this.#backlog = Buffer.concat([bytes, this.#backlog]);
  }

  write(bytes: Uint8Array): boolean {
    const socket = this.#socket;
    if (bytes.length === 0 || socket.destroyed || socket.writableEnded) return true;
    const wasIdle = socket.writableLength === 0;
    socket.write(bytes);
    // Over TCP an empty queue means that the kernel took all. TLS reports late, but has encrypted
    // into memory of its own whatever was handed to it while it was idle.
    if (this.#security === null ? socket.writableLength === 0 : wasIdle) return true;
    if (!this.#isHeld) {
      this.#isHeld = true;
      // An empty write is queued behind the others, so its callback tells that they are out. A
      // callback on each write would cost every one of them a turn of the tick queue.
      socket.write(nothing, this.#written);
    }
    return false;
  }

  end(): void {
    if (!this.#socket.destroyed) this.#socket.end();
  }

  destroy(): void {
    this.#socket.destroy();
  }

  async upgradeServer(
    options: TlsServerOptions,
    signal: AbortSignal,
    head: Uint8Array = nothing,
  ): Promise<void> {
    const secure = await this.#upgrade('secure', signal, (raw) => {
      if (head.length > 0) raw.unshift(Buffer.from(head));
      return startServer(raw, options);
    });
    try {
      verifyClient(secure, options);
    } catch (thrown) {
      this.destroy();
      throw thrown;
    }
    this.#secured(securityOf(secure, 'server'));
  }

  async upgradeClient(options: TlsClientOptions, signal: AbortSignal): Promise<void> {
    const secure = await this.#upgrade('secureConnect', signal, (raw) => startClient(raw, options));
    this.#secured(securityOf(secure, 'client', options.serverName));
  }

  async #upgrade(
    event: 'secure' | 'secureConnect',
    signal: AbortSignal,
    start: (raw: Socket) => TLSSocket,
  ): Promise<TLSSocket> {
    this.pause();
    const raw = this.#socket;
    if (this.#security !== null || this.#upgrading || this.#hasClosed || raw.destroyed) {
      throw new GatewayError('SP_PROTOCOL', { detail: 'TLS cannot start in this state' });
    }
    if (this.#backlog.length > 0 || raw.readableLength > 0) {
      // CVE-2021-23214 and its kin: these bytes were not protected, so nobody may believe them.
      this.destroy();
      throw new GatewayError('SP_PROTOCOL', { detail: 'bytes came before TLS' });
    }
    this.#upgrading = true;
    let secure: TLSSocket;
    try {
      secure = start(raw);
    } catch (thrown) {
      this.destroy();
      throw new GatewayError('SP_CONFIG', { detail: 'TLS cannot start', cause: thrown });
    }
    this.#socket = secure;
    this.#listen(secure);
    // Not paused during the handshake: a peer that leaves in the middle of it must be noticed.
    secure.on('data', (chunk: Uint8Array) => {
      this.#deliver(plain(chunk, chunk.length));
    });
    await this.#settled(secure, event, signal);
    return secure;
  }

  #secured(security: WireSecurity): void {
    this.#security = security;
    this.#upgrading = false;
    this.#buffer = nothing;
    if (!this.#paused) this.#socket.resume();
  }

  /** Resolves at `event`; the connection does not outlive a failure to get there. */
  #settled(socket: Socket, event: string, signal: AbortSignal): Promise<void> {
    return new Promise((resolve, reject) => {
      const settle = (finish: () => void): void => {
        signal.removeEventListener('abort', aborted);
        socket.off(event, reached);
        socket.off('close', closed);
        socket.off('end', ended);
        finish();
      };
      const reached = (): void => {
        socket.pause();
        settle(resolve);
      };
      const ended = (): void => void socket.destroy();
      const closed = (): void =>
        settle(() => reject(this.#error ?? new Error('the connection was closed')));
      const aborted = (): void => {
        settle(() => reject(signal.reason));
        socket.destroy();
      };
      socket.once(event, reached);
      socket.once('close', closed);
      socket.once('end', ended);
      signal.addEventListener('abort', aborted);
      if (signal.aborted) aborted();
    });
  }

  #tune(): void {
    this.#socket.setNoDelay(true);
    this.#socket.setKeepAlive(true, keepAliveMs);
  }

  /** Events of a socket that a TLS upgrade has replaced are its own affair. */
  #listen(socket: Socket): void {
    socket.on('error', (error) => {
      this.#error ??= error;
    });
    socket.on('end', () => {
      if (socket !== this.#socket || this.#hasEnded) return;
      this.#hasEnded = true;
      this.#guard(() => this.#sink?.ended());
    });
    socket.on('close', () => {
      if (socket !== this.#socket || this.#hasClosed) return;
      this.#hasClosed = true;
      this.#guard(() => this.#sink?.closed(this.#error));
    });
  }

  #received(count: number, buffer: Uint8Array): boolean {
    this.#deliver(plain(buffer, count));
    this.#fit(count);
    return !this.#paused;
  }

  /** Chooses the buffer of the next read by what the last one brought. */
  #fit(count: number): void {
    const { length } = this.#buffer;
    this.#calm = count < readBytes ? this.#calm + 1 : 0;
    if (count === length && length < bulkReadBytes) {
      this.#buffer = Buffer.allocUnsafeSlow(bulkReadBytes);
    } else if (length > readBytes && this.#calm >= calmReads) {
      this.#buffer = Buffer.allocUnsafeSlow(readBytes);
    }
  }

  #deliver(chunk: Uint8Array): void {
    if (this.#paused) {
      // A resume that was taken back in the same tick still lets Node start one read.
      this.#backlog = Buffer.concat([this.#backlog, chunk]);
      return;
    }
    // An exception out of a socket's callback would end the process; it is one connection's fault.
    try {
      this.#sink?.data(chunk);
    } catch (thrown) {
      this.#fail(thrown);
    }
  }

  #handOverBacklog(): void {
    if (this.#paused || this.#hasClosed) return;
    const backlog = this.#backlog;
    this.#backlog = nothing;
    if (backlog.length > 0) this.#deliver(backlog);
    if (!this.#paused && !this.#upgrading) this.#socket.resume();
  }

  #checkDrained(): void {
    if (this.#socket.destroyed) return;
    if (this.#socket.writableLength > 0) {
      this.#socket.write(nothing, this.#written);
      return;
    }
    this.#isHeld = false;
    this.#guard(() => this.#sink?.drained());
  }

  #guard(run: () => void): void {
    try {
      run();
    } catch (thrown) {
      this.#fail(thrown);
    }
  }

  #fail(thrown: unknown): void {
    this.#error ??= thrown instanceof Error ? thrown : new Error(String(thrown));
    this.destroy();
  }
}

/** A typed array's own view: a part of it costs a fraction of what a part of a Buffer does. */
const plain = (bytes: Uint8Array, count: number): Uint8Array =>
  new Uint8Array(bytes.buffer, bytes.byteOffset, count);

/** An IPv4 address as such, also where the socket speaks both families. */
function plainAddress(address: string): string {
  return /^::ffff:\d+\.\d+\.\d+\.\d+$/i.test(address) ? address.slice(7) : address;
}
