/**
 * Framing in place: where a message begins and ends in bytes as they were read. A message is a type
 * byte, a 4-byte length that counts itself, and a body. Nothing here copies, except into an
 * {@link Inbox}, which holds what must be whole before it can be judged.
 */
import { GatewayError } from '#core/errors.ts';
import type { MessageRow } from './messages.ts';

/** A copy of `bytes[start, end)`. Not `slice`, which for Node's own buffers is a view. */
export const copyOf = (bytes: Uint8Array, start: number, end: number): Uint8Array =>
  new Uint8Array(bytes.subarray(start, end));

/** Type byte and length. */
export const headerBytes = 5;

export function int16(bytes: Uint8Array, at: number): number {
  return (((bytes[at] ?? 0) << 24) >> 16) | (bytes[at + 1] ?? 0);
}

export function int32(bytes: Uint8Array, at: number): number {
  return (
    ((bytes[at] ?? 0) << 24) |
    ((bytes[at + 1] ?? 0) << 16) |
    ((bytes[at + 2] ?? 0) << 8) |
    (bytes[at + 3] ?? 0)
  );
}

export function putInt16(bytes: Uint8Array, at: number, value: number): void {
  bytes[at] = value >> 8;
  bytes[at + 1] = value;
}

export function putInt32(bytes: Uint8Array, at: number, value: number): void {
  bytes[at] = value >> 24;
  bytes[at + 1] = value >> 16;
  bytes[at + 2] = value >> 8;
  bytes[at + 3] = value;
}

/**
 * Bytes of the whole message whose header starts at `at`; {@link headerBytes} must be there.
 *
 * @throws GatewayError `SP_FRAME_MALFORMED` when the length is below 4 or above 2^31: the stream
 * cannot be trusted afterwards.
 */
export function frameBytes(bytes: Uint8Array, at: number): number {
  const length = int32(bytes, at + 1);
  if (length < 4) throw malformed(`a length of ${length}`);
  return length + 1;
}

/**
 * The row of a message's type.
 *
 * @throws GatewayError `SP_FRAME_MALFORMED` for a type that has none, or a body of a wrong size.
 */
export function rowOf(
  table: readonly (MessageRow | undefined)[],
  type: number,
  total: number,
): MessageRow {
  const row = table[type];
  if (row === undefined) throw malformed(`message type 0x${type.toString(16)}`);
  if (row.bodyBytes !== undefined && row.bodyBytes !== total - headerBytes) {
    throw malformed(`${row.name} with a body of ${total - headerBytes} bytes`);
  }
  return row;
}

export const malformed = (detail: string): GatewayError =>
  new GatewayError('SP_FRAME_MALFORMED', { detail });

const EMPTY = new Uint8Array(0);
const KEPT_BYTES_MAX = 64 * 1024;

/**
 * A first-in first-out store of bytes of one direction: the beginning of a message whose end was
 * not read yet, or what waits while a command is held. The owner bounds it.
 */
export class Inbox {
  #bytes: Uint8Array = EMPTY;
  #start = 0;
  #end = 0;

  get length(): number {
    return this.#end - this.#start;
  }

  /** Copies `bytes[start, end)` to the end. */
  append(bytes: Uint8Array, start: number, end: number): void {
    const count = end - start;
    if (this.#end + count > this.#bytes.length) this.#grow(count);
    this.#bytes.set(bytes.subarray(start, end), this.#end);
    this.#end += count;
  }

  /** What is stored; a view that is valid until the next call of {@link append}. */
  view(): Uint8Array {
    return this.#bytes.subarray(this.#start, this.#end);
  }

  /** Forgets the first `count` bytes; gives a large store back when nothing is left. */
  consume(count: number): void {
    this.#start += count;
    if (this.#start < this.#end) return;
    this.#start = 0;
    this.#end = 0;
    if (this.#bytes.length > KEPT_BYTES_MAX) this.#bytes = EMPTY;
  }

  /**
   * How many more bytes complete the first message's header, or else the message; 0 when whole.
   *
   * @throws GatewayError `SP_FRAME_MALFORMED`
   */
  missing(): number {
    if (this.length < headerBytes) return headerBytes - this.length;
    return Math.max(0, frameBytes(this.#bytes, this.#start) - this.length);
  }

  #grow(count: number): void {
    const held = this.view();
    const size = Math.max(4096, held.length + count, held.length * 2);
    // A view of the old memory may still be in use by a caller, so it is never moved in place.
    const bytes = new Uint8Array(size);
    bytes.set(held);
    this.#bytes = bytes;
    this.#end = held.length;
    this.#start = 0;
  }
}
