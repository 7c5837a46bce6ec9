/**
 * Accepts connections, gives each its own failure domain, and hands it to whoever serves it.
 *
 * Invariants: nothing that one connection does ends another, the accept loop or the process; a
 * connection that is not authenticated is bounded in time, bytes and number; when `drain` has
 * resolved, no connection of this listener is left. It knows nothing of protocols or identities.
 */
import { once } from 'node:events';
import {
  type AddressInfo,
  BlockList,
  createServer,
  isIPv6,
  type Server,
  type Socket,
} from 'node:net';
import type { Clock } from '#core/clock.ts';
import { type ErrorCode, GatewayError, toGatewayError } from '#core/errors.ts';
import type { Limits } from '#core/limits.ts';
import type { PeerAddress, WireSink } from '#core/wire.ts';
import { SocketWire } from '#wire/socket-wire.ts';
import { proxyHeaderBytesMax, readProxyHeader } from './proxy-protocol.ts';
import type { Strangers } from './strangers.ts';

/** What a served connection has against the bounds of strangers. */
export interface Stranger {
  /** Counts bytes that were read; throws `SP_FRAME_TOO_LARGE` above the budget. */
  spend(count: number): void;
  /** The connection is authenticated: deadline, budget and count no longer apply. */
  admitted(): void;
}

export interface ListenerOptions {
  /** For messages to the operator. */
  readonly name: string;
  readonly host: string;
  /** 0 takes any free port. */
  readonly port: number;
  /** Addresses and networks (`10.0.0.0/8`) whose connections begin with a PROXY header. */
  readonly proxies: readonly string[];
  readonly limits: Limits;
  readonly clock: Clock;
  /** Shared by all listeners of the process. */
  readonly strangers: Strangers;
  /**
   * Serves one connection to its end. Whatever it throws ends that connection. When `signal` is
   * aborted it has a moment to say so; `signal.reason` is a GatewayError.
   */
  readonly serve: (wire: SocketWire, stranger: Stranger, signal: AbortSignal) => Promise<void>;
  /** Tells the operator: connections refused, broken or failed. Never called with secrets. */
  readonly report: (
    code: ErrorCode,
    detail: string,
    facts: Readonly<Record<string, string | number>>,
  ) => void;
}

/** How long one that was told to go may take to say so, and its last words to arrive. */
const graceMs = 1_000;
/** What is read and thrown away meanwhile, so that the last words are not lost to a reset. */
const graceBytesMax = 64 * 1024;
/** Refusals are told at most this often: a flood must not become a flood of log lines. */
const reportMs = 1_000;

export class Listener {
  readonly #options: ListenerOptions;
  readonly #server: Server;
  readonly #proxies: BlockList;
  readonly #connections = new Set<Connection>();
  #idle: (() => void) | undefined;
  #refused = 0;
  #reportedAtMs = Number.NEGATIVE_INFINITY;
  #draining: Promise<void> | undefined;

  private constructor(options: ListenerOptions) {
    this.#options = options;
    this.#proxies = networks(options);
    this.#server = createServer({ pauseOnConnect: true, allowHalfOpen: true });
    this.#server.on('connection', (socket) => this.#accept(socket));
  }

  /**
   * Binds and starts to accept.
   *
   * @throws GatewayError `SP_CONFIG`, which says what to change.
   */
  static async open(options: ListenerOptions): Promise<Listener> {
    const listener = new Listener(options);
    const server = listener.#server;
    server.listen({ host: options.host, port: options.port });
    try {
      await once(server, 'listening');
    } catch (thrown) {
      throw bindError(options, thrown);
    }
    // Out of descriptors, for one: accepting goes on when there are some again.
    server.on('error', (error) => options.report('SP_INTERNAL', error.message, listener.#facts()));
    return listener;
  }

  /** Where it listens: the port when 0 was asked for. */
  get address(): PeerAddress {
    const bound = this.#server.address();
    return isAddressInfo(bound)
      ? { address: bound.address, port: bound.port }
      : { address: this.#options.host, port: this.#options.port };
  }

  /** Connections that are open, authenticated or not. */
  get size(): number {
    return this.#connections.size;
  }

  /**
   * Stops accepting, lets what runs go on for `drainMsMax`, then ends it.
   *
   * @param waitMs - for a shorter wait; 0 ends everything now.
   */
  drain(waitMs: number = this.#options.limits.drainMsMax): Promise<void> {
    this.#draining ??= this.#drain(waitMs);
    return this.#draining;
  }

  async #drain(waitMs: number): Promise<void> {
    this.#server.close();
    if (this.#connections.size === 0) return;
    const gone = new Promise<void>((resolve) => {
      this.#idle = resolve;
    });
    const abort = (): void => {
      for (const one of this.#connections) one.abort(new GatewayError('SP_DRAINING'));
    };
    const cancel = this.#options.clock.after(waitMs, abort);
    await gone;
    cancel();
  }

  #accept(socket: Socket): void {
    const wire = SocketWire.accept(socket);
    if (wire === undefined) return;
    const { strangers } = this.#options;
    const isProxy = this.#isProxy(wire.peer.address);
    const leave = strangers.enter(isProxy ? undefined : wire.peer.address);
    if (leave === undefined || this.#draining !== undefined) {
      leave?.();
      wire.destroy();
      this.#refuse();
      return;
    }
    const connection = new Connection(wire, this.#options, leave);
    this.#connections.add(connection);
    void connection.run(isProxy).then(() => {
      this.#connections.delete(connection);
      if (this.#connections.size === 0) this.#idle?.();
    });
  }

  #refuse(): void {
    this.#refused += 1;
    const now = this.#options.clock.monotonicMs();
    if (now - this.#reportedAtMs < reportMs) return;
    const facts = { ...this.#facts(), count: this.#refused };
    this.#reportedAtMs = now;
    this.#refused = 0;
    this.#options.report('SP_TOO_MANY', 'connections refused', facts);
  }

  #isProxy(address: string): boolean {
    return this.#proxies.check(address, isIPv6(address) ? 'ipv6' : 'ipv4');
  }

  #facts(): Readonly<Record<string, string>> {
    return { listener: this.#options.name };
  }
}

/** One connection, from accept to closed. */
class Connection implements Stranger {
  readonly #wire: SocketWire;
  readonly #options: ListenerOptions;
  readonly #controller = new AbortController();
  readonly #cancelDeadline: () => void;
  readonly #givenUp: Promise<void>;
  #giveUp: () => void = () => {};
  readonly #leave: (() => void)[];
  #isAdmitted = false;
  #spentBytes = 0;

  constructor(wire: SocketWire, options: ListenerOptions, leave: () => void) {
    this.#wire = wire;
    this.#options = options;
    this.#leave = [leave];
    this.#givenUp = new Promise((resolve) => {
      this.#giveUp = resolve;
    });
    this.#cancelDeadline = options.clock.after(options.limits.loginMsMax, () => {
      this.abort(new GatewayError('SP_LOGIN_TIMEOUT'));
    });
  }

  spend(count: number): void {
    if (this.#isAdmitted) return;
    this.#spentBytes += count;
    if (this.#spentBytes > this.#options.limits.strangerBytesMax) {
      throw new GatewayError('SP_FRAME_TOO_LARGE', { detail: 'too many bytes before login' });
    }
  }

  admitted(): void {
    this.#isAdmitted = true;
    this.#cancelDeadline();
    for (const leave of this.#leave.splice(0)) leave();
  }

  /** Tells whoever serves to end; does it for them when they do not. */
  abort(reason: GatewayError): void {
    if (this.#controller.signal.aborted) return;
    this.#controller.abort(reason);
    this.#options.clock.after(graceMs, () => {
      this.#wire.destroy();
      this.#giveUp();
    });
  }

  /** Resolves when the connection is closed. Never rejects. */
  async run(isProxied: boolean): Promise<void> {
    const { signal } = this.#controller;
    try {
      if (isProxied) await this.#readProxyHeader(signal);
      // Whoever serves does not decide whether a connection that was told to go is gone.
      await Promise.race([this.#options.serve(this.#wire, this, signal), this.#givenUp]);
    } catch (thrown) {
      const error = toGatewayError(thrown);
      const { address } = this.#wire.peer;
      this.#options.report(error.code, describe(error), { listener: this.#options.name, address });
    }
    this.#cancelDeadline();
    await this.#close();
    // Not before it is closed: a stranger that is on its way out still costs a socket.
    this.admitted();
  }

  async #readProxyHeader(signal: AbortSignal): Promise<void> {
    const { header, rest } = await readHeader(this.#wire, signal);
    this.#wire.unread(rest);
    if (header.source !== undefined) this.#wire.peer = header.source;
    const leave = this.#options.strangers.enterAddress(this.#wire.peer.address);
    if (leave === undefined) throw new GatewayError('SP_TOO_MANY');
    this.#leave.push(leave);
  }

  /** Lets the last words arrive, for a moment. */
  #close(): Promise<void> {
    const wire = this.#wire;
    return new Promise((resolve) => {
      const cancel = this.#options.clock.after(graceMs, () => wire.destroy());
      let discarded = 0;
      const sink: WireSink = {
        data(chunk) {
          discarded += chunk.length;
          if (discarded > graceBytesMax) wire.destroy();
        },
        drained() {},
        ended() {},
        closed() {
          cancel();
          resolve();
        },
      };
      wire.attach(sink);
      wire.end();
    });
  }
}

/** Collects a PROXY header, and what came behind it in the same read. */
function readHeader(
  wire: SocketWire,
  signal: AbortSignal,
): Promise<{
  readonly header: ReturnType<typeof readProxyHeader> & {};
  readonly rest: Uint8Array;
}> {
  return new Promise((resolve, reject) => {
    let seen: Uint8Array = new Uint8Array(0);
    const fail = (error: unknown): void => {
      wire.pause();
      reject(error);
    };
    const gone = (): void =>
      fail(new GatewayError('SP_FRAME_MALFORMED', { detail: 'no PROXY header' }));
    signal.addEventListener('abort', () => fail(signal.reason), { once: true });
    wire.attach({
      data(chunk) {
        seen = Buffer.concat([seen, chunk]);
        try {
          const header = readProxyHeader(seen);
          if (header !== undefined) {
            wire.pause();
            resolve({ header, rest: seen.subarray(header.bytes) });
          } else if (seen.length > proxyHeaderBytesMax) gone();
        } catch (thrown) {
          fail(thrown);
        }
      },
      drained() {},
      ended: gone,
      closed: gone,
    });
  });
}

function describe(error: GatewayError): string {
  const { cause } = error;
  return cause instanceof Error ? `${error.message}: ${cause.message}` : error.message;
}

function networks(options: ListenerOptions): BlockList {
  const list = new BlockList();
  for (const entry of options.proxies) {
    const [address = '', prefix] = entry.split('/');
    const family = isIPv6(address) ? 'ipv6' : 'ipv4';
    try {
      if (prefix === undefined) list.addAddress(address, family);
      else list.addSubnet(address, Number(prefix), family);
    } catch (cause) {
      const detail = `listener "${options.name}": ${entry} is not an address or a network`;
      throw new GatewayError('SP_CONFIG', { detail, cause });
    }
  }
  return list;
}

function bindError(options: ListenerOptions, thrown: unknown): GatewayError {
  const code = thrown instanceof Error && 'code' in thrown ? String(thrown.code) : 'unknown error';
  const words: Readonly<Record<string, string>> = {
    EADDRINUSE: 'is taken by another process; choose another port or stop that process',
    EACCES: 'may not be bound; choose a port above 1023 or give the process the right',
    EADDRNOTAVAIL: 'is not an address of this machine',
    ENOTFOUND: 'is not an address of this machine',
  };
  const where = `${options.host}:${options.port}`;
  const why = words[code] ?? `cannot be bound (${code})`;
  const detail = `listener "${options.name}": ${where} ${why}`;
  return new GatewayError('SP_CONFIG', { detail, cause: thrown });
}

const isAddressInfo = (value: AddressInfo | string | null): value is AddressInfo =>
  typeof value === 'object' && value !== null;
