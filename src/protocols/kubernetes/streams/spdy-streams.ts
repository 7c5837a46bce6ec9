/**
 * A program's streams over SPDY/3.1: one stream each, named by its header `streamtype`, of which
 * the client opens all (`v4.channel.k8s.io` over SPDY). Both ends of it: the gateway is the server
 * of the client and the client of the API server.
 *
 * Source: `k8s.io/client-go/tools/remotecommand`, `k8s.io/kubelet/pkg/cri/streaming`.
 */
import { GatewayError } from '#core/errors.ts';
import { streamLimits } from '#core/limits.ts';
import { encodeSize, ResizeReader, type TerminalSize } from './resize.ts';
import { SpdyReader, type SpdySink, SpdyWriter } from './spdy.ts';
import { headerOf, type SpdyHeaders } from './spdy-headers.ts';
import {
  type ClientEvents,
  type ClientStreams,
  streamNames,
  type StreamSet,
  type TargetEvents,
} from './standard-streams.ts';

const malformed = (detail: string): GatewayError =>
  new GatewayError('SP_FRAME_MALFORMED', { detail });
const nothing: Uint8Array = new Uint8Array(0);

/** The client's end: it opens the streams of a set. */
export class SpdyClientStreams implements ClientStreams {
  readonly #events: ClientEvents;
  readonly #send: (bytes: Uint8Array) => void;
  readonly #reader: SpdyReader;
  readonly #writer: SpdyWriter = new SpdyWriter();
  readonly #missing: Set<string>;
  readonly #names = new Map<number, string>();
  readonly #resizes: ResizeReader = new ResizeReader();
  #isInputOver: boolean = false;

  constructor(streams: StreamSet, events: ClientEvents, send: (bytes: Uint8Array) => void) {
    this.#events = events;
    this.#send = send;
    this.#missing = new Set(streamNames(streams));
    this.#reader = new SpdyReader({
      opened: (stream, headers, fin) => this.#opened(stream, headers, fin),
      replied: () => {
        throw malformed('an answer to a stream that nobody opened');
      },
      data: (stream, bytes) => this.#data(stream, bytes),
      finished: (stream) => this.#finished(stream),
      reset: (stream) => this.#finished(stream),
      ping: (id) => send(this.#writer.ping(id)),
      goAway: () => undefined,
    });
  }

  start(): void {
    // The client opens them.
  }

  push(bytes: Uint8Array): void {
    this.#reader.push(bytes);
  }

  output(bytes: Uint8Array, isStderr: boolean): void {
    const stream = this.#streamOf(isStderr ? 'stderr' : 'stdout');
    if (stream !== undefined) this.#send(this.#writer.data(stream, bytes));
  }

  alive(): void {
    // No client takes silence for an end.
  }

  finish(status: Uint8Array): void {
    for (const [stream, name] of this.#names) {
      if (name === 'stdout' || name === 'stderr') {
        this.#send(this.#writer.data(stream, nothing, true));
      }
    }
    const stream = this.#streamOf('error');
    if (stream !== undefined) this.#send(this.#writer.data(stream, status, true));
  }

  #streamOf(name: string): number | undefined {
    for (const [stream, each] of this.#names) if (each === name) return stream;
    return undefined;
  }

  #opened(stream: number, headers: SpdyHeaders, fin: boolean): void {
    const name = headerOf(headers, 'streamtype') ?? '';
    if (!this.#missing.delete(name)) throw malformed('a stream that was not asked for');
    if (stream % 2 === 0 || this.#names.has(stream)) throw malformed('the number of a stream');
    this.#names.set(stream, name);
    this.#send(this.#writer.reply(stream));
    if (this.#missing.size === 0) this.#events.opened();
    if (fin) this.#finished(stream);
  }

  #data(stream: number, bytes: Uint8Array): void {
    const name = this.#names.get(stream);
    if (name === 'stdin') {
      if (!this.#isInputOver) this.#events.input(bytes);
    } else if (name === 'resize') {
      for (const size of this.#resizes.push(bytes)) this.#events.resized(size);
    } else {
      throw malformed('data of a stream that the target writes');
    }
  }

  #finished(stream: number): void {
    if (this.#names.get(stream) !== 'stdin' || this.#isInputOver) return;
    this.#isInputOver = true;
    this.#events.inputEnded();
  }
}

/** The target's end: the gateway opens the streams of a set. */
export class SpdyTargetStreams implements SpdySink {
  readonly #events: TargetEvents;
  readonly #send: (bytes: Uint8Array) => void;
  readonly #reader: SpdyReader = new SpdyReader(this);
  readonly #writer: SpdyWriter = new SpdyWriter();
  readonly #names = new Map<number, string>();
  /** Streams on which the target still has something to tell. */
  readonly #telling = new Set<number>();
  #status: Uint8Array = nothing;
  #isInputOver: boolean = false;
  #isFinished: boolean = false;

  constructor(streams: StreamSet, events: TargetEvents, send: (bytes: Uint8Array) => void) {
    this.#events = events;
    this.#send = send;
    for (const [at, name] of streamNames(streams).entries()) {
      const stream = 2 * at + 1;
      this.#names.set(stream, name);
      if (name !== 'stdin' && name !== 'resize') this.#telling.add(stream);
    }
  }

  /** Opens all streams. */
  open(): void {
    for (const [stream, name] of this.#names) {
      this.#send(this.#writer.open(stream, [['streamtype', name]]));
    }
  }

  /** Bytes of the target. @throws GatewayError `SP_FRAME_MALFORMED` */
  push(bytes: Uint8Array): void {
    this.#reader.push(bytes);
  }

  input(bytes: Uint8Array): void {
    const stream = this.#streamOf('stdin');
    if (stream === undefined || this.#isInputOver) return;
    for (let at = 0; at < bytes.length; at += DATA_BYTES_MAX) {
      this.#send(this.#writer.data(stream, bytes.subarray(at, at + DATA_BYTES_MAX)));
    }
  }

  inputEnded(): void {
    const stream = this.#streamOf('stdin');
    if (stream === undefined || this.#isInputOver) return;
    this.#isInputOver = true;
    this.#send(this.#writer.data(stream, nothing, true));
  }

  resized(size: TerminalSize): void {
    const stream = this.#streamOf('resize');
    if (stream !== undefined) this.#send(this.#writer.data(stream, encodeSize(size)));
  }

  /** The connection is gone: what was not told will not be. */
  gone(): void {
    this.#finish();
  }

  opened(stream: number): void {
    this.#send(this.#writer.reset(stream, REFUSED));
  }

  replied(stream: number, _headers: SpdyHeaders, fin: boolean): void {
    if (fin) this.finished(stream);
  }

  data(stream: number, bytes: Uint8Array): void {
    const name = this.#names.get(stream);
    if (name === 'stdout' || name === 'stderr') {
      this.#events.output(bytes, name === 'stderr');
    } else if (name === 'error') {
      if (this.#status.length + bytes.length > streamLimits.statusBytesMax) {
        throw malformed('a status that is too large');
      }
      this.#status = Buffer.concat([this.#status, bytes]);
    }
  }

  finished(stream: number): void {
    this.#telling.delete(stream);
    if (this.#telling.size === 0) this.#finish();
  }

  reset(stream: number): void {
    this.finished(stream);
  }

  ping(id: number): void {
    this.#send(this.#writer.ping(id));
  }

  goAway(): void {
    // What is under way goes on.
  }

  #finish(): void {
    if (this.#isFinished) return;
    this.#isFinished = true;
    this.#events.finished(this.#status);
  }

  #streamOf(name: string): number | undefined {
    for (const [stream, each] of this.#names) if (each === name) return stream;
    return undefined;
  }
}

const REFUSED = 3;
/** Servers hold a frame whole. */
const DATA_BYTES_MAX = 32 * 1024;
