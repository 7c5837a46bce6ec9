/**
 * Frames of WebSocket (RFC 6455, section 5), without extensions: both ends are the gateway's own,
 * so none is ever agreed on.
 *
 * Payload comes as it arrives, unmasked; a frame is never held whole but for the 125 bytes of a
 * control frame.
 */
import { GatewayError } from '#core/errors.ts';

/** What a connection carries. */
export const webSocketOpcode = {
  continuation: 0,
  text: 1,
  binary: 2,
  close: 8,
  ping: 9,
  pong: 10,
} as const;

export interface WebSocketSink {
  /**
   * A piece of a message; valid during the call.
   *
   * @param last - whether the message ends with it.
   */
  data(kind: 'text' | 'binary', bytes: Uint8Array, last: boolean): void;
  ping(payload: Uint8Array): void;
  pong(payload: Uint8Array): void;
  /** The peer closes; 1005 when it gave no reason (section 7.1.5). */
  closed(code: number, reason: Uint8Array): void;
}

const CONTROL_BYTES_MAX = 125;
const NO_STATUS = 1005;
const FIN = 0x80;
const MASKED = 0x80;

const malformed = (detail: string): GatewayError =>
  new GatewayError('SP_FRAME_MALFORMED', { detail: `WebSocket: ${detail}` });

/** Reads what one end sends. */
export class WebSocketReader {
  readonly #sink: WebSocketSink;
  readonly #isMasked: boolean;
  /** The head of a frame as far as it is there: 14 bytes at most. */
  readonly #head: Uint8Array = new Uint8Array(14);
  #headLength = 0;
  #left = 0;
  #opcode = 0;
  #fin = false;
  #inPayload = false;
  #mask: Uint8Array | undefined;
  #maskAt = 0;
  /** What the pieces of a fragmented message are. */
  #message: 'text' | 'binary' | undefined;
  #control: Uint8Array = new Uint8Array(0);
  #isOver = false;

  /** @param isMasked - whether the peer is a client, who must mask (section 5.1). */
  constructor(sink: WebSocketSink, isMasked: boolean) {
    this.#sink = sink;
    this.#isMasked = isMasked;
  }

  /** @throws GatewayError `SP_FRAME_MALFORMED` */
  push(chunk: Uint8Array): void {
    let at = 0;
    while (at < chunk.length) {
      // Whatever follows a close is nothing (section 5.5.1).
      if (this.#isOver) return;
      if (!this.#inPayload) {
        this.#head[this.#headLength] = chunk[at] ?? 0;
        this.#headLength += 1;
        at += 1;
        if (this.#headLength >= 2 && this.#headLength === this.#headWanted()) this.#begin();
        continue;
      }
      const end = Math.min(chunk.length, at + this.#left);
      this.#payload(this.#unmasked(chunk.subarray(at, end)));
      at = end;
    }
  }

  #headWanted(): number {
    const short = (this.#head[1] ?? 0) & 0x7f;
    const mask = ((this.#head[1] ?? 0) & MASKED) === 0 ? 0 : 4;
    return 2 + mask + (short === 126 ? 2 : 0) + (short === 127 ? 8 : 0);
  }

  #begin(): void {
    const [first = 0, second = 0] = this.#head;
    if ((first & 0x70) !== 0) throw malformed('a reserved bit');
    this.#fin = (first & FIN) !== 0;
    this.#opcode = first & 0x0f;
    if (((second & MASKED) !== 0) !== this.#isMasked) throw malformed('masking');
    this.#left = this.#length(second & 0x7f);
    this.#mask = this.#isMasked
      ? this.#head.slice(this.#headLength - 4, this.#headLength)
      : undefined;
    this.#maskAt = 0;
    this.#headLength = 0;
    this.#check();
    this.#inPayload = true;
    if (this.#left === 0) this.#payload(new Uint8Array(0));
  }

  #length(short: number): number {
    const view = new DataView(this.#head.buffer);
    if (short < 126) return short;
    const isLong = short === 127;
    const length = isLong ? Number(view.getBigUint64(2)) : view.getUint16(2);
    // The shortest form is the only one (section 5.2).
    const isShortest = length > (isLong ? 0xffff : 125);
    if (!isShortest || !Number.isSafeInteger(length)) throw malformed('a length');
    return length;
  }

  #check(): void {
    const { continuation, text, binary, close, ping, pong } = webSocketOpcode;
    switch (this.#opcode) {
      case continuation:
        if (this.#message === undefined) throw malformed('a continuation of nothing');
        return;
      case text:
      case binary:
        if (this.#message !== undefined) throw malformed('a message within a message');
        this.#message = this.#opcode === text ? 'text' : 'binary';
        return;
      case close:
      case ping:
      case pong:
        if (!this.#fin || this.#left > CONTROL_BYTES_MAX) throw malformed('a control frame');
        this.#control = new Uint8Array(0);
        return;
      default:
        throw malformed(`the opcode ${this.#opcode}`);
    }
  }

  #unmasked(bytes: Uint8Array): Uint8Array {
    const mask = this.#mask;
    if (mask === undefined) return bytes;
    const clear = new Uint8Array(bytes.length);
    for (let at = 0; at < bytes.length; at += 1) {
      clear[at] = (bytes[at] ?? 0) ^ (mask[this.#maskAt & 3] ?? 0);
      this.#maskAt += 1;
    }
    return clear;
  }

  #payload(bytes: Uint8Array): void {
    this.#left -= bytes.length;
    const isFrameOver = this.#left === 0;
    if (isFrameOver) this.#inPayload = false;
    if (this.#opcode >= webSocketOpcode.close) {
      this.#control = Buffer.concat([this.#control, bytes]);
      if (isFrameOver) this.#controlOver();
      return;
    }
    const kind = this.#message;
    if (kind === undefined) throw malformed('a frame of no message');
    const last = isFrameOver && this.#fin;
    if (last) this.#message = undefined;
    if (bytes.length > 0 || last) this.#sink.data(kind, bytes, last);
  }

  #controlOver(): void {
    const payload = this.#control;
    if (this.#opcode === webSocketOpcode.ping) return this.#sink.ping(payload);
    if (this.#opcode === webSocketOpcode.pong) return this.#sink.pong(payload);
    if (payload.length === 1) throw malformed('a close of one byte');
    this.#isOver = true;
    const code = ((payload[0] ?? 0) << 8) | (payload[1] ?? 0);
    return this.#sink.closed(payload.length === 0 ? NO_STATUS : code, payload.subarray(2));
  }
}

/**
 * One frame.
 *
 * @param mask - four fresh random bytes where the gateway is the client, undefined where it serves.
 */
export function webSocketFrame(
  opcode: number,
  payload: Uint8Array,
  mask: Uint8Array | undefined,
  fin: boolean = true,
): Uint8Array {
  const { length } = payload;
  const extra = length < 126 ? 0 : length <= 0xffff ? 2 : 8;
  const start = 2 + extra + (mask === undefined ? 0 : 4);
  const frame = new Uint8Array(start + length);
  const view = new DataView(frame.buffer);
  frame[0] = (fin ? FIN : 0) | opcode;
  frame[1] = (mask === undefined ? 0 : MASKED) | (extra === 0 ? length : extra === 2 ? 126 : 127);
  if (extra === 2) view.setUint16(2, length);
  if (extra === 8) view.setBigUint64(2, BigInt(length));
  if (mask === undefined) {
    frame.set(payload, start);
    return frame;
  }
  frame.set(mask.subarray(0, 4), start - 4);
  for (let at = 0; at < length; at += 1) {
    frame[start + at] = (payload[at] ?? 0) ^ (mask[at & 3] ?? 0);
  }
  return frame;
}

/** A close frame's payload. */
export function closePayload(code: number, reason = ''): Uint8Array {
  const text = new TextEncoder().encode(reason).subarray(0, CONTROL_BYTES_MAX - 2);
  const payload = new Uint8Array(2 + text.length);
  new DataView(payload.buffer).setUint16(0, code);
  payload.set(text, 2);
  return payload;
}
