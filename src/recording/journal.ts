/**
 * The journal: where a session's bytes are kept between `commit()` and the moment when the worker
 * has written their block. One journal a process, in segments; a record is one write to the kernel.
 * What a killed process had committed is found here by the next start.
 *
 * Records of an encrypted recording are sealed under its journal key, which is wrapped to the
 * recipients and gone with the process: recovery moves them as they are and cannot read them.
 *
 * Invariant: a segment is removed only when every block that has its first record in it, or in an
 * older one, is in its recording.
 */
import type { KeyObject } from 'node:crypto';
import {
  closeSync,
  mkdirSync,
  openSync,
  readdirSync,
  renameSync,
  unlink,
  unlinkSync,
  writevSync,
} from 'node:fs';
import { basename, join } from 'node:path';
import { crc32 } from 'node:zlib';
import { GatewayError } from '#core/errors.ts';
import { sealBytes } from './encryption.ts';
import { BLOCK_RAW_BYTES_MAX, TAG_BYTES, writeUint53 } from './format.ts';

/** Bytes of an entry's head: the part that is authenticated, and kept by a salvaged block. */
export const ENTRY_HEAD_BYTES = 24;
/** Bytes before the session id: magic, checksum, payload length, flags, id length, segment. */
export const RECORD_LEAD_BYTES = 20;
export const RECORD_MAGIC = 0x53504a31; // 'SPJ1'
export const recordFlags = { sealed: 1, finished: 2 } as const;
export const SESSION_ID_BYTES_MAX = 64;
export const SEGMENT_SUFFIX = '.spj';

/** A segment takes no more records when it is as long as this. */
export const SEGMENT_BYTES_MAX: number = 16 * 1024 * 1024;
/** A segment that nothing needs is written from its start again when it is longer than this. */
const SEGMENT_RESTART_BYTES = 1024 * 1024;
/** Files kept for later segments: writing over pages that the kernel has is three times faster. */
const SPARE_SEGMENTS_MAX = 2;
const RECORD_HEAD_BYTES_MAX = RECORD_LEAD_BYTES + SESSION_ID_BYTES_MAX + ENTRY_HEAD_BYTES;
const RECORD_BYTES_MAX = RECORD_HEAD_BYTES_MAX + BLOCK_RAW_BYTES_MAX + TAG_BYTES;
/** The checksum and what stands before it. */
const UNCHECKED_BYTES = 8;

/** The system calls of a journal; a test gives others to see a full disk. */
export interface JournalFiles {
  /** Creates the file; fails when it exists. */
  create(path: string): number;
  rename(from: string, to: string): void;
  reopen(path: string): number;
  /** Writes `parts` in a row; gives the number of bytes that were written. */
  write(fd: number, parts: readonly Uint8Array[], at: number): number;
  close(fd: number): void;
  /** Removes in the background; a failure leaves the file to the next start. */
  remove(path: string): void;
}

/** The real ones. */
export const systemJournalFiles: JournalFiles = {
  create: (path) => openSync(path, 'wx', 0o600),
  rename: renameSync,
  reopen: (path) => openSync(path, 'r+'),
  write: (fd, parts, at) => writevSync(fd, parts, at),
  close: (fd) => closeSync(fd),
  remove: (path) => unlink(path, () => undefined),
};

/** One file of the journal. */
export interface Segment {
  path: string;
  /** Blocks whose first record is here and that are not yet in their recording. */
  blocks: number;
}

/** What a record is about. */
export interface JournalEntry {
  /** The session's id in ASCII, at most 64 bytes. */
  readonly session: Uint8Array;
  readonly block: number;
  /** Where in the raw block the bytes stand. */
  readonly offset: number;
  readonly startedUs: number;
  /** Numbers the records of a session; the nonce of a sealed one. */
  readonly counter: number;
}

/** The journal of this process. */
export class Journal {
  readonly #directory: string;
  readonly #files: JournalFiles;
  readonly #segments: Segment[] = [];
  /** Of the record that is being written, everything before its bytes. */
  readonly #head: Uint8Array<ArrayBuffer> = new Uint8Array(RECORD_HEAD_BYTES_MAX);
  readonly #view: DataView = new DataView(this.#head.buffer);
  /** Files that no segment needs any more. */
  readonly #spares: string[] = [];
  /** Of the current segment; every record carries it, so that old bytes are not taken for new. */
  #number: number;
  #fd = -1;
  #bytes = 0;

  /** Makes the directory; the first segment is made by {@link rotate}. */
  constructor(directory: string, files: JournalFiles) {
    mkdirSync(directory, { recursive: true, mode: 0o700 });
    this.#directory = directory;
    this.#files = files;
    this.#number = Math.max(0, ...segmentNames(directory).map(segmentNumber));
  }

  /**
   * Gives bytes to the kernel, in one write. Throws what the write threw, or an error when it was
   * short: then the segment's end cannot be trusted, and {@link rotate} must come before the next.
   *
   * @param key - seals the bytes when given.
   * @returns the segment that holds them.
   */
  append(
    entry: JournalEntry,
    bytes: Uint8Array,
    key: KeyObject | undefined,
    flags: number = 0,
  ): Segment {
    if (this.#bytes + RECORD_BYTES_MAX > SEGMENT_BYTES_MAX) this.rotate();
    const view = this.#view;
    const { session } = entry;
    const headAt = RECORD_LEAD_BYTES + session.length;
    const head = this.#head.subarray(0, headAt + ENTRY_HEAD_BYTES);
    view.setUint32(0, RECORD_MAGIC);
    view.setUint8(12, flags | (key === undefined ? 0 : recordFlags.sealed));
    view.setUint8(13, session.length);
    view.setUint16(14, 0);
    view.setUint32(16, this.#number);
    head.set(session, RECORD_LEAD_BYTES);
    view.setUint32(headAt, entry.block);
    view.setUint32(headAt + 4, entry.offset);
    writeUint53(view, headAt + 8, entry.startedUs);
    writeUint53(view, headAt + 16, entry.counter);
    // Not copied behind the head: that costs as much as the write.
    const body: readonly Uint8Array[] =
      key === undefined ? [bytes] : sealBytes(key, entry.counter, head.subarray(headAt), bytes);
    let bodyBytes = 0;
    for (const { length } of body) bodyBytes += length;
    view.setUint32(8, bodyBytes);
    let checksum = crc32(head.subarray(UNCHECKED_BYTES));
    for (const part of body) checksum = crc32(part, checksum);
    view.setUint32(4, checksum);
    return this.#write([head, ...body], head.length + bodyBytes);
  }

  /** Starts a new segment. Must be called before the first record and after each failure. */
  rotate(): void {
    if (this.#fd >= 0) this.#files.close(this.#fd);
    this.#fd = -1;
    this.#number += 1;
    const path = this.#path();
    const spare = this.#spares.pop();
    if (spare === undefined) {
      this.#fd = this.#files.create(path);
    } else {
      this.#files.rename(spare, path);
      this.#fd = this.#files.reopen(path);
    }
    this.#bytes = 0;
    this.#segments.push({ path, blocks: 0 });
    this.#prune();
  }

  /** Names of the segments that this process wrote and still has. */
  get names(): readonly string[] {
    return [...this.#segments.map(({ path }) => path), ...this.#spares].map((path) =>
      basename(path),
    );
  }

  /** A block whose first record is in `segment` is in its recording now. */
  release(segment: Segment): void {
    segment.blocks -= 1;
    if (segment.blocks === 0) this.#prune();
  }

  /** Closes the journal, and removes it when no block needs it. */
  close(): void {
    if (this.#fd >= 0) this.#files.close(this.#fd);
    this.#fd = -1;
    if (this.#segments.some((segment) => segment.blocks > 0)) return;
    for (const segment of this.#segments) unlinkSync(segment.path);
    for (const spare of this.#spares) unlinkSync(spare);
    this.#segments.length = 0;
    this.#spares.length = 0;
  }

  #write(parts: readonly Uint8Array[], length: number): Segment {
    const current = this.#segments.at(-1);
    if (current === undefined || this.#fd < 0) {
      throw new GatewayError('SP_RECORDING_FAILED', { detail: 'the journal is closed' });
    }
    const written = this.#files.write(this.#fd, parts, this.#bytes);
    if (written !== length) {
      throw new GatewayError('SP_RECORDING_SPACE', { detail: 'a journal record was cut' });
    }
    this.#bytes += length;
    return current;
  }

  #prune(): void {
    for (;;) {
      const [oldest] = this.#segments;
      if (oldest === undefined || oldest.blocks > 0) return;
      if (this.#segments.length === 1) {
        this.#restart(oldest);
        return;
      }
      this.#segments.shift();
      if (this.#spares.length < SPARE_SEGMENTS_MAX) this.#spares.push(oldest.path);
      else this.#files.remove(oldest.path);
    }
  }

  /** Nothing needs the current segment: under a new number it can be written over. */
  #restart(current: Segment): void {
    if (this.#bytes < SEGMENT_RESTART_BYTES) return;
    this.#number += 1;
    const path = this.#path();
    this.#files.rename(current.path, path);
    current.path = path;
    this.#bytes = 0;
  }

  #path(): string {
    return join(this.#directory, String(this.#number).padStart(12, '0') + SEGMENT_SUFFIX);
  }
}

/** The number that every record of a segment carries. */
export const segmentNumber = (name: string): number => Number.parseInt(name, 10) >>> 0;

/** Names of the segments in `directory`, oldest first. */
export function segmentNames(directory: string): string[] {
  return readdirSync(directory)
    .filter((name) => /^\d{12}\.spj$/.test(name))
    .sort();
}
