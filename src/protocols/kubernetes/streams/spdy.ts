/**
 * Frames of SPDY/3.1, which `kubectl` and API servers before 1.30 speak for exec, attach and
 * port-forward. There is no flow control in that use: neither side of Kubernetes has ever kept
 * windows, so what is not read holds up the connection.
 *
 * Source: SPDY protocol draft 3.1, section 2; `k8s.io/apimachinery/pkg/util/httpstream/spdy`.
 */
import { GatewayError } from '#core/errors.ts';
import { streamLimits } from '#core/limits.ts';
import { SpdyHeaderReader, type SpdyHeaders, SpdyHeaderWriter } from './spdy-headers.ts';

/** What a peer can be told; every number is a stream's, unless it says otherwise. */
export interface SpdySink {
  /** A stream is opened; `fin` when nothing will come on it. */
  opened(stream: number, headers: SpdyHeaders, fin: boolean): void;
  replied(stream: number, headers: SpdyHeaders, fin: boolean): void;
  /** Bytes of a stream, as they come; valid during the call. */
  data(stream: number, bytes: Uint8Array): void;
  /** Nothing more will come on it. */
  finished(stream: number): void;
  reset(stream: number, status: number): void;
  ping(id: number): void;
  goAway(): void;
}

const HEAD_BYTES = 8;
const FIN = 1;
const control = { syn: 1, reply: 2, reset: 3, settings: 4, ping: 6, goAway: 7, window: 9 } as const;

const malformed = (detail: string): GatewayError =>
  new GatewayError('SP_FRAME_MALFORMED', { detail });

/** Reads one direction of a connection. */
export class SpdyReader {
  readonly #sink: SpdySink;
  readonly #headers = new SpdyHeaderReader();
  /** The head of a frame, or a whole control frame, until it is there. */
  #held: Uint8Array = new Uint8Array(0);
  #stream = 0;
  #dataLeft = 0;
  #fin = false;

  constructor(sink: SpdySink) {
    this.#sink = sink;
  }

  /** @throws GatewayError `SP_FRAME_MALFORMED` */
  push(chunk: Uint8Array): void {
    let at = 0;
    while (at < chunk.length) {
      if (this.#dataLeft > 0) {
        const end = Math.min(chunk.length, at + this.#dataLeft);
        this.#dataLeft -= end - at;
        this.#sink.data(this.#stream, chunk.subarray(at, end));
        if (this.#dataLeft === 0) this.#dataOver();
        at = end;
        continue;
      }
      const missing = this.#wanted() - this.#held.length;
      const end = Math.min(chunk.length, at + missing);
      this.#held = Buffer.concat([this.#held, chunk.subarray(at, end)]);
      at = end;
      if (this.#held.length === this.#wanted()) this.#frame();
    }
  }

  /** Bytes of the frame that is being held; of a data frame only the head is. */
  #wanted(): number {
    if (this.#held.length < HEAD_BYTES || !isControl(this.#held)) return HEAD_BYTES;
    const length = lengthOf(this.#held);
    if (length > streamLimits.controlBytesMax) throw malformed('a control frame that is too large');
    return HEAD_BYTES + length;
  }

  #frame(): void {
    const frame = this.#held;
    if (isControl(frame)) {
      if (frame.length < HEAD_BYTES + lengthOf(frame)) return;
      this.#held = new Uint8Array(0);
      return this.#control(frame);
    }
    this.#held = new Uint8Array(0);
    this.#stream = numberAt(frame, 0);
    this.#dataLeft = lengthOf(frame);
    this.#fin = ((frame[4] ?? 0) & FIN) !== 0;
    if (this.#dataLeft === 0) this.#dataOver();
  }

  #dataOver(): void {
    if (this.#fin) this.#sink.finished(this.#stream);
  }

  #control(frame: Uint8Array): void {
    const version = (((frame[0] ?? 0) & 0x7f) << 8) | (frame[1] ?? 0);
    if (version !== 3) throw malformed(`SPDY version ${version}`);
    const type = ((frame[2] ?? 0) << 8) | (frame[3] ?? 0);
    const fin = ((frame[4] ?? 0) & FIN) !== 0;
    const stream = numberAt(frame, HEAD_BYTES);
    switch (type) {
      case control.syn:
        return this.#sink.opened(stream, this.#headers.read(frame.subarray(18)), fin);
      case control.reply:
        return this.#sink.replied(stream, this.#headers.read(frame.subarray(12)), fin);
      case control.reset:
        return this.#sink.reset(stream, numberAt(frame, 12));
      case control.ping:
        return this.#sink.ping(stream);
      case control.goAway:
        return this.#sink.goAway();
      case control.settings:
      case control.window:
        return undefined;
      default:
        throw malformed(`SPDY control frame ${type}`);
    }
  }
}

/** Writes one direction of a connection: each call gives the bytes of one frame. */
export class SpdyWriter {
  readonly #headers = new SpdyHeaderWriter();

  open(stream: number, headers: SpdyHeaders): Uint8Array {
    const head = Buffer.alloc(10);
    head.writeUInt32BE(stream);
    return controlFrame(control.syn, 0, [head, this.#headers.write(headers)]);
  }

  reply(stream: number, headers: SpdyHeaders = []): Uint8Array {
    return controlFrame(control.reply, 0, [number(stream), this.#headers.write(headers)]);
  }

  reset(stream: number, status: number): Uint8Array {
    return controlFrame(control.reset, 0, [number(stream), number(status)]);
  }

  ping(id: number): Uint8Array {
    return controlFrame(control.ping, 0, [number(id)]);
  }

  goAway(lastStream: number): Uint8Array {
    return controlFrame(control.goAway, 0, [number(lastStream), number(0)]);
  }

  data(stream: number, bytes: Uint8Array, fin = false): Uint8Array {
    const head = Buffer.alloc(HEAD_BYTES);
    head.writeUInt32BE(stream);
    head.writeUInt32BE(bytes.length, 4);
    head[4] = fin ? FIN : 0;
    return Buffer.concat([head, bytes]);
  }
}

function controlFrame(type: number, flags: number, parts: readonly Uint8Array[]): Uint8Array {
  const body = Buffer.concat(parts);
  const head = Buffer.alloc(HEAD_BYTES);
  head.writeUInt16BE(0x8003);
  head.writeUInt16BE(type, 2);
  head.writeUInt32BE(body.length, 4);
  head[4] = flags;
  return Buffer.concat([head, body]);
}

function number(value: number): Uint8Array {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32BE(value);
  return bytes;
}

const isControl = (frame: Uint8Array): boolean => ((frame[0] ?? 0) & 0x80) !== 0;

const lengthOf = (frame: Uint8Array): number =>
  ((frame[5] ?? 0) << 16) | ((frame[6] ?? 0) << 8) | (frame[7] ?? 0);

/** 31 bits; a frame that is too short for it is malformed. */
function numberAt(frame: Uint8Array, at: number): number {
  if (frame.length < at + 4) throw malformed('a frame that ends early');
  return new DataView(frame.buffer, frame.byteOffset + at, 4).getUint32(0) & 0x7fffffff;
}
