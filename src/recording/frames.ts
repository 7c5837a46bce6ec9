/**
 * Frames: what a block holds once it is decrypted and decompressed. A frame never spans blocks. A
 * record (command, verdict, mark) that does not fit one frame goes on in the next of its kind; the
 * `more` flag says so. A record is a sequence of fields, each a tag, a length and bytes.
 *
 * The writer is the data path's: it copies into a pooled block and allocates nothing per call
 * except one view. It performs no I/O; a full block is handed to its owner.
 */
import type { Direction } from '#core/tape.ts';
import { BLOCK_RAW_BYTES_MAX } from './format.ts';

export const FRAME_HEADER_BYTES = 8;
export const FIELD_HEADER_BYTES = 5;

/** Kinds of frames. */
export const frameKinds = {
  fromClient: 1,
  toClient: 2,
  command: 3,
  verdict: 4,
  mark: 5,
} as const;
export type RecordKind = 'command' | 'verdict' | 'mark';

/** Bit of the frame header's flags: the record goes on in the next frame. */
export const FRAME_MORE = 1;

/** Blocks start small, so that thousands of quiet sessions cost little, and grow once. */
export const SMALL_BLOCK_BYTES: number = 8 * 1024;
/** A data frame is not split into pieces smaller than this to fill a block. */
const SPLIT_BYTES_MIN = 256;
/** What a record's first frame must have room for; any more goes on in the next block. */
const RECORD_ROOM = 256;
/** Text that is no longer is written character by character, if it is ASCII. */
const SHORT_TEXT = 48;
/** Bytes at which one way to copy gets cheaper than another. */
const FEW_BYTES = 32;
const MANY_BYTES = 2_048;
/** A block takes no frames when it has been open for so long. */
const BLOCK_US_MAX = 1_000_000;

/**
 * Memory of a block, shared with the recording thread: sending it costs a number, not a transfer.
 */
export interface BlockMemory {
  readonly id: number;
  readonly bytes: Uint8Array<SharedArrayBuffer>;
}

/** Where blocks come from and go back to. */
export interface BlockPool {
  take(bytes: number): BlockMemory;
  give(block: BlockMemory): void;
}

/** Free blocks of both sizes; a bounded number is kept. */
export class RecyclingPool implements BlockPool {
  readonly #small: BlockMemory[] = [];
  readonly #large: BlockMemory[] = [];
  readonly #keep: number;
  readonly #dropped: (id: number) => void;
  #id = 0;

  /** @param dropped - told the id of a block that is not kept. */
  constructor(keep: number, dropped: (id: number) => void) {
    this.#keep = keep;
    this.#dropped = dropped;
  }

  take(bytes: number): BlockMemory {
    const kept = this.#list(bytes).pop();
    if (kept !== undefined) return kept;
    this.#id += 1;
    return { id: this.#id, bytes: new Uint8Array(new SharedArrayBuffer(bytes)) };
  }

  give(block: BlockMemory): void {
    const list = this.#list(block.bytes.length);
    if (list.length < this.#keep) list.push(block);
    else this.#dropped(block.id);
  }

  #list(bytes: number): BlockMemory[] {
    return bytes === SMALL_BLOCK_BYTES ? this.#small : this.#large;
  }
}

/** What the writer asks of its owner. */
export interface FrameOwner {
  readonly pool: BlockPool;
  /** Microseconds since the session's start; never goes backwards. */
  nowUs(): number;
  /** The block takes no more; the owner calls {@link FrameWriter.take} before it returns. */
  full(): void;
  /** A block was opened. */
  opened(): void;
}

const encoder = new TextEncoder();
const none: BlockMemory = { id: 0, bytes: new Uint8Array(new SharedArrayBuffer(0)) };

/** Writes frames into the open block of one session. */
export class FrameWriter {
  readonly #owner: FrameOwner;
  #block: BlockMemory = none;
  /** The block's bytes. */
  #memory: Uint8Array = none.bytes;
  #used = 0;
  #startedUs = 0;
  /** Where the header of the open record's current frame stands. */
  #frameAt = 0;
  #kind = 0;
  #recordUs = 0;
  #prefixName = '';
  #prefixBytes: Uint8Array = Uint8Array.of(0);

  constructor(owner: FrameOwner) {
    this.#owner = owner;
  }

  /** Bytes in use of the open block; 0 when there is none. */
  get used(): number {
    return this.#used;
  }

  /** The open block; empty when there is none. */
  get memory(): Uint8Array {
    return this.#memory;
  }

  /** Microseconds from the session's start to the open block's time zero. */
  get startedUs(): number {
    return this.#startedUs;
  }

  /** Takes the open block away; the next frame opens another. */
  take(): BlockMemory {
    const block = this.#block;
    this.#use(none);
    this.#used = 0;
    return block;
  }

  /** Copies `bytes[start, end)` into data frames, and counts them. */
  data(direction: Direction, bytes: Uint8Array, start: number, end: number): number {
    const kind = direction === 'from-client' ? frameKinds.fromClient : frameKinds.toClient;
    const nowUs = this.#owner.nowUs();
    let frames = 0;
    let at = start;
    while (at < end) {
      const left = end - at;
      this.#room(FRAME_HEADER_BYTES + left, FRAME_HEADER_BYTES + SPLIT_BYTES_MIN, nowUs);
      const part = Math.min(left, this.#memory.length - this.#used - FRAME_HEADER_BYTES);
      this.#header(kind, part, nowUs);
      copy(bytes, at, at + part, this.#memory, this.#used);
      this.#used += part;
      at += part;
      frames += 1;
    }
    return frames;
  }

  /** Starts a record; only {@link text}, {@link bytes} and {@link end} may follow. */
  begin(kind: RecordKind): void {
    this.#kind = frameKinds[kind];
    this.#recordUs = this.#owner.nowUs();
    this.#room(FRAME_HEADER_BYTES + RECORD_ROOM, FRAME_HEADER_BYTES + RECORD_ROOM, this.#recordUs);
    this.#frameAt = this.#used;
    this.#header(this.#kind, 0, this.#recordUs);
  }

  /** Adds a field of text. */
  text(tag: number, value: string): void {
    const at = this.#used;
    if (value.length <= SHORT_TEXT && this.#ascii(tag, value)) return;
    // UTF-8 takes at most three bytes for a unit of UTF-16.
    if (this.#memory.length - at < FIELD_HEADER_BYTES + 3 * value.length) {
      this.bytes(tag, encoder.encode(value));
      return;
    }
    const target = this.#memory.subarray(at + FIELD_HEADER_BYTES);
    const { written } = encoder.encodeInto(value, target);
    this.#fieldHeader(tag, written);
    this.#used += written;
  }

  /** Adds a short field of ASCII, which costs less by hand; false when it is not one. */
  #ascii(tag: number, value: string): boolean {
    const memory = this.#memory;
    const { length } = value;
    const from = this.#used + FIELD_HEADER_BYTES;
    if (from + length > memory.length) return false;
    for (let at = 0; at < length; at += 1) {
      const unit = value.charCodeAt(at);
      if (unit > 0x7f) return false;
      memory[from + at] = unit;
    }
    this.#fieldHeader(tag, length);
    this.#used += length;
    return true;
  }

  /** Adds a field of bytes, as long as it may be. */
  bytes(tag: number, value: Uint8Array): void {
    this.#field(tag, value.length);
    this.#append(value);
  }

  /** Adds one field of `name`, a zero byte and `value`. `name` holds no zero. */
  prefixed(tag: number, name: string, value: Uint8Array): void {
    const prefix = this.#prefix(name);
    this.#field(tag, prefix.length + value.length);
    this.#append(prefix);
    this.#append(value);
  }

  /** Names are those of types, so one is mostly the one before. */
  #prefix(name: string): Uint8Array {
    if (name !== this.#prefixName) {
      this.#prefixName = name;
      this.#prefixBytes = encoder.encode(`${name}\0`);
    }
    return this.#prefixBytes;
  }

  /** Ends the record. */
  end(): void {
    this.#closeFrame(0);
  }

  #append(value: Uint8Array): void {
    let at = 0;
    while (at < value.length) {
      if (this.#memory.length === this.#used) this.#continue();
      const part = Math.min(value.length - at, this.#memory.length - this.#used);
      copy(value, at, at + part, this.#memory, this.#used);
      this.#used += part;
      at += part;
    }
  }

  /** A field header where there is room for one; the value may go on in the next frame. */
  #field(tag: number, length: number): void {
    if (this.#memory.length - this.#used < FIELD_HEADER_BYTES) this.#continue();
    this.#fieldHeader(tag, length);
  }

  #fieldHeader(tag: number, length: number): void {
    const memory = this.#memory;
    const at = this.#used;
    memory[at] = tag;
    writeUint32(memory, at + 1, length);
    this.#used = at + FIELD_HEADER_BYTES;
  }

  /** The block is full in mid-record: grows it, or goes on in the next one. */
  #continue(): void {
    if (this.#memory.length < BLOCK_RAW_BYTES_MAX) {
      this.#grow();
      return;
    }
    this.#closeFrame(FRAME_MORE);
    this.#owner.full();
    this.#openBlock(this.#recordUs);
    this.#grow();
    this.#frameAt = this.#used;
    this.#header(this.#kind, 0, this.#recordUs);
  }

  #closeFrame(flags: number): void {
    const length = this.#used - this.#frameAt - FRAME_HEADER_BYTES;
    this.#memory[this.#frameAt + 1] = flags;
    this.#memory[this.#frameAt + 2] = length >>> 8;
    this.#memory[this.#frameAt + 3] = length;
  }

  /** Sees to an open block with room for `wanted` bytes, or for `least` when that is too much. */
  #room(wanted: number, least: number, nowUs: number): void {
    if (this.#memory.length > 0 && nowUs - this.#startedUs >= BLOCK_US_MAX) this.#owner.full();
    if (this.#memory.length === 0) this.#openBlock(nowUs);
    if (this.#memory.length - this.#used >= wanted) return;
    if (this.#memory.length < BLOCK_RAW_BYTES_MAX) this.#grow();
    if (this.#memory.length - this.#used >= Math.min(wanted, least)) return;
    this.#owner.full();
    this.#openBlock(nowUs);
    if (this.#memory.length < wanted) this.#grow();
  }

  #openBlock(nowUs: number): void {
    this.#use(this.#owner.pool.take(SMALL_BLOCK_BYTES));
    this.#used = 0;
    this.#startedUs = nowUs;
    this.#owner.opened();
  }

  #grow(): void {
    const small = this.#block;
    this.#use(this.#owner.pool.take(BLOCK_RAW_BYTES_MAX));
    this.#memory.set(small.bytes.subarray(0, this.#used));
    this.#owner.pool.give(small);
  }

  #use(block: BlockMemory): void {
    this.#block = block;
    this.#memory = block.bytes;
  }

  #header(kind: number, length: number, nowUs: number): void {
    const memory = this.#memory;
    const at = this.#used;
    memory[at] = kind;
    memory[at + 1] = 0;
    memory[at + 2] = length >>> 8;
    memory[at + 3] = length;
    writeUint32(memory, at + 4, nowUs - this.#startedUs);
    this.#used = at + FRAME_HEADER_BYTES;
  }
}

function writeUint32(memory: Uint8Array, at: number, value: number): void {
  memory[at] = value >>> 24;
  memory[at + 1] = value >>> 16;
  memory[at + 2] = value >>> 8;
  memory[at + 3] = value;
}

/**
 * Copies into a block. By hand where a view would cost more than the bytes; where there are many,
 * by Buffer, because `set` goes byte by byte into shared memory unless both ends are aligned alike.
 */
function copy(from: Uint8Array, start: number, end: number, to: Uint8Array, at: number): void {
  if (end - start > MANY_BYTES) {
    const { buffer, byteOffset } = from;
    Buffer.from(buffer).copy(to, at, byteOffset + start, byteOffset + end);
  } else if (end - start > FEW_BYTES) {
    to.set(from.subarray(start, end), at);
  } else {
    for (let index = start; index < end; index += 1) to[at + index - start] = from[index] ?? 0;
  }
}
