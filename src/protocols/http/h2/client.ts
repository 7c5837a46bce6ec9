/**
 * A connection to a target that speaks HTTP/2. Each request has a stream of its own, which its
 * relay sees as a connection of HTTP/1.1 that carries that one request.
 *
 * Invariants: nothing is sent twice; an answer that was reset never looks whole.
 */
import {
  type ClientHttp2Session,
  type ClientHttp2Stream,
  connect,
  constants,
  sensitiveHeaders,
} from 'node:http2';
import { GatewayError, toGatewayError } from '#core/errors.ts';
import type { Wire } from '#core/wire.ts';
import { BodyReader } from '../codec/body-reader.ts';
import { encodeChunk, lastChunkWith } from '../codec/chunked.ts';
import type { Field } from '../codec/fields.ts';
import { requestFraming } from '../codec/framing.ts';
import { readRequestHead } from '../codec/head.ts';
import { HeadReader } from '../codec/head-reader.ts';
import { requestTarget } from '../request.ts';
import { clientOptions, http2Bounds } from './bounds.ts';
import { type Body, http1Answer, http2Fields, readHttp2Head } from './messages.ts';
import { type StreamEnd, StreamWire } from './stream-wire.ts';
import { WireStream } from './wire-stream.ts';

const { NGHTTP2_CANCEL, NGHTTP2_FLAG_END_STREAM, NGHTTP2_NO_ERROR } = constants;

export class Http2Client {
  readonly #wire: Wire;
  readonly #session: ClientHttp2Session;

  /** @param closed - called when the connection is gone. */
  constructor(wire: Wire, closed: () => void) {
    this.#wire = wire;
    const stream = new WireStream(wire, new Uint8Array(0), Number.POSITIVE_INFINITY);
    this.#session = connect('http://target', { ...clientOptions, createConnection: () => stream });
    // Each of its streams tells for itself.
    this.#session.on('error', () => undefined);
    this.#session.once('close', closed);
  }

  /** Whether another request can be sent on it. */
  get isOpen(): boolean {
    return !this.#session.closed && !this.#session.destroyed;
  }

  /** A connection for one request. */
  request(): Wire {
    const scheme = this.#wire.security === null ? 'http' : 'https';
    return new StreamWire(this.#wire, (wire) => new RequestWriter(this.#session, wire, scheme));
  }

  close(): void {
    this.#session.destroy();
    this.#wire.destroy();
  }
}

class RequestWriter implements StreamEnd {
  readonly #session: ClientHttp2Session;
  readonly #wire: StreamWire;
  readonly #scheme: string;
  readonly #heads = new HeadReader(http2Bounds.headBytesMax);
  #body: BodyReader | undefined;
  #stream: ClientHttp2Stream | undefined;
  #hasAnswer: boolean = false;
  #isPaused: boolean = false;
  #isDestroyed: boolean = false;

  constructor(session: ClientHttp2Session, wire: StreamWire, scheme: string) {
    this.#session = session;
    this.#wire = wire;
    this.#scheme = scheme;
  }

  get pendingBytes(): number {
    return this.#stream?.writableLength ?? 0;
  }

  write(bytes: Uint8Array): boolean {
    let at = 0;
    if (this.#body === undefined) {
      const found = this.#heads.push(bytes, 0);
      if (found === undefined) return true;
      at = found.next;
      this.#open(found.head);
    }
    const stream = this.#stream;
    const body = this.#body;
    if (stream === undefined || body === undefined || stream.destroyed || stream.writableEnded) {
      return true;
    }
    let mayGoOn = true;
    body.push(bytes, at, (view, from, to) => {
      mayGoOn = stream.write(Buffer.from(view.subarray(from, to)));
    });
    if (body.isDone) stream.end();
    return mayGoOn;
  }

  end(): void {
    this.#stream?.end();
  }

  destroy(): void {
    this.#isDestroyed = true;
    const stream = this.#stream;
    if (stream === undefined) this.#wire.closed(undefined);
    else if (!stream.closed) {
      stream.close(
        stream.readableEnded && stream.writableEnded ? NGHTTP2_NO_ERROR : NGHTTP2_CANCEL,
      );
    }
  }

  pause(): void {
    this.#isPaused = true;
    this.#stream?.pause();
  }

  resume(): void {
    this.#isPaused = false;
    if (this.#hasAnswer) this.#stream?.resume();
  }

  #open(bytes: Uint8Array): void {
    const head = readRequestHead(bytes, http2Bounds.fieldsMax);
    if (head.fields.some(({ name }) => name === 'upgrade')) {
      throw new GatewayError('SP_UNSUPPORTED', { detail: 'an upgrade at a target of HTTP/2' });
    }
    const body = new BodyReader(requestFraming(head));
    this.#body = body;
    if (this.#isDestroyed || this.#session.closed || this.#session.destroyed) {
      throw new GatewayError('SP_TARGET_LOST');
    }
    const headers = {
      ':method': head.method,
      ':scheme': this.#scheme,
      ':authority': head.host,
      ':path': requestTarget(head),
      ...http2Fields(head.fields),
      // The gateway itself always understands them.
      te: 'trailers',
      [sensitiveHeaders]: ['authorization'],
    };
    const stream = this.#session.request(headers, { endStream: body.isDone });
    this.#stream = stream;
    readAnswer({ stream, wire: this.#wire, method: head.method }, () => {
      this.#hasAnswer = true;
      if (!this.#isPaused) stream.resume();
    });
  }
}

interface Answering {
  readonly stream: ClientHttp2Stream;
  readonly wire: StreamWire;
  readonly method: string;
}

/**
 * Hands an answer on as bytes of HTTP/1.1.
 *
 * @param begun - called when its head is there, before anything of its body.
 */
function readAnswer({ stream, wire, method }: Answering, begun: () => void): void {
  let body: Body | undefined;
  let trailers: readonly Field[] = [];
  let failure: Error | undefined;
  const guarded = (run: () => void): void => {
    try {
      run();
    } catch (thrown) {
      failure ??= toGatewayError(thrown);
      stream.close(NGHTTP2_CANCEL);
    }
  };
  stream.on('response', (_headers, flags, raw: readonly string[]) => {
    guarded(() => {
      const isWhole = (flags & NGHTTP2_FLAG_END_STREAM) !== 0;
      const answer = http1Answer(readHttp2Head(raw), { isWhole, method });
      body = answer.body;
      wire.deliver(answer.head);
      begun();
    });
  });
  stream.on('trailers', (_headers, _flags, raw: readonly string[]) => {
    guarded(() => {
      trailers = readHttp2Head(raw).fields;
    });
  });
  stream.on('data', (chunk: Uint8Array) => {
    wire.deliver(body === 'chunked' ? encodeChunk(chunk, 0, chunk.length) : chunk);
  });
  // Node tells of a head later than of what follows it in the same read.
  stream.pause();
  stream.on('drain', () => wire.drained());
  stream.on('end', () => {
    // What was reset in the middle has an end too, and is not whole.
    const isReset = (stream.rstCode ?? NGHTTP2_NO_ERROR) !== NGHTTP2_NO_ERROR;
    if (body === undefined || isReset || failure !== undefined) return;
    if (body === 'chunked') wire.deliver(lastChunkWith(trailers));
    wire.ended();
  });
  stream.on('error', (error) => (failure ??= error));
  stream.on('close', () => wire.closed(failure));
}
