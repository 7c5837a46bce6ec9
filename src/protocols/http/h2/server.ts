/**
 * A client's connection that speaks HTTP/2 (RFC 9113). Each stream is served as a connection of its
 * own that brings one request; what they share is here: TLS, sessions, bounds, the end.
 *
 * Invariants: streams, their resets, heads and memory are bounded by `httpLimits`; a connection on
 * which a login failed, or whose session must end, takes no further streams.
 */
import { constants, performServerHandshake, type ServerHttp2Stream } from 'node:http2';
import type { ServerHttp2Session } from 'node:http2';
import { toGatewayError } from '#core/errors.ts';
import { httpLimits } from '#core/limits.ts';
import type { Door, SessionEnd } from '#core/protocol.ts';
import { Downstream, type DownstreamParts } from '../downstream.ts';
import { sessionOptions } from './bounds.ts';
import { http1Request, readHttp2Head } from './messages.ts';
import { serverWire } from './server-stream.ts';
import { ConnectionSessions } from './shared-sessions.ts';
import { WireStream } from './wire-stream.ts';

/** Serves a connection to its end. @param first - what was read of it already. */
export function serveHttp2(
  parts: DownstreamParts,
  first: Uint8Array,
  signal: AbortSignal,
): Promise<void> {
  return new Http2Connection(parts, signal).run(first);
}

class Http2Connection {
  readonly #parts: DownstreamParts;
  readonly #signal: AbortSignal;
  readonly #door: Door;
  readonly #sessions: ConnectionSessions;
  readonly #running = new Set<Promise<void>>();
  #session: ServerHttp2Session | undefined;
  #stream: WireStream | undefined;
  #end: SessionEnd = { reason: 'client', code: undefined, detail: '' };
  #cancelIdle: () => void = () => {};

  constructor(parts: DownstreamParts, signal: AbortSignal) {
    this.#parts = parts;
    this.#signal = signal;
    this.#door = this.#doorOf(parts.door);
    this.#sessions = new ConnectionSessions({
      door: this.#door,
      signal,
      ended: () => this.#goAway({ reason: 'refused', code: undefined, detail: '' }),
    });
  }

  async run(first: Uint8Array): Promise<void> {
    const { wire, services } = this.#parts;
    // What strangers send beyond it, such as the beginning of a body, waits until one is let in;
    // who never is, is gone when the time for logins is over.
    const stream = new WireStream(wire, first, services.limits.strangerBytesMax);
    this.#stream = stream;
    const session = performServerHandshake(stream, sessionOptions);
    this.#session = session;
    const closed = new Promise<void>((resolve) => session.once('close', resolve));
    session.on('error', (error) => this.#failed(error));
    session.on('stream', (stream, _headers, _flags, raw: readonly string[]) => {
      this.#serve(stream, raw);
    });
    const drain = (): void => this.#goAway({ reason: 'drained', code: 'SP_DRAINING', detail: '' });
    this.#signal.addEventListener('abort', drain, { once: true });
    if (this.#signal.aborted) drain();
    this.#watchIdle();
    await closed;
    this.#cancelIdle();
    this.#signal.removeEventListener('abort', drain);
    await Promise.all(this.#running);
    await this.#sessions.close(this.#end);
  }

  /** The connection's door, as its streams have it: bytes are counted once, for all of them. */
  #doorOf(door: Door): Door {
    return {
      ...door,
      spend: () => {},
      failed: (code, detail) => {
        door.failed(code, detail);
        this.#goAway({ reason: 'error', code, detail });
      },
      admit: async (attempt, signal) => {
        const admission = await door.admit(attempt, signal);
        this.#stream?.release();
        return admission;
      },
    };
  }

  #serve(stream: ServerHttp2Stream, raw: readonly string[]): void {
    const running = this.#request(stream, raw).catch((thrown: unknown) => {
      stream.on('error', () => undefined);
      this.#door.failed(toGatewayError(thrown).code, toGatewayError(thrown).message);
      if (!stream.destroyed) stream.close(constants.NGHTTP2_PROTOCOL_ERROR);
    });
    this.#running.add(running);
    this.#cancelIdle();
    void running.then(() => {
      this.#running.delete(running);
      if (this.#running.size === 0) this.#watchIdle();
    });
  }

  async #request(stream: ServerHttp2Stream, raw: readonly string[]): Promise<void> {
    const { wire } = this.#parts;
    const scheme = wire.security === null ? 'http' : 'https';
    const request = http1Request(readHttp2Head(raw), { isWhole: stream.endAfterHeaders, scheme });
    const shared = this.#sessions.of(stream.id ?? 0);
    const parts = { ...this.#parts, wire: serverWire(stream, request, wire), shared };
    await new Downstream({ ...parts, door: this.#door }, this.#signal).run();
  }

  #watchIdle(): void {
    this.#cancelIdle();
    this.#cancelIdle = this.#parts.services.clock.after(httpLimits.idleMsMax, () => {
      this.#session?.close();
    });
  }

  /** Takes no further streams; those that run may end. */
  #goAway(end: SessionEnd): void {
    this.#end = end;
    const session = this.#session;
    if (session !== undefined && !session.closed && !session.destroyed) session.close();
  }

  #failed(error: Error): void {
    this.#parts.door.failed('SP_PROTOCOL', error.message.slice(0, 256));
  }
}
