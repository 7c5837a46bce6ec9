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
  ftruncateSync,
  mkdirSync,
  openSync,
  readdirSync,
  unlink,
  unlinkSync,
  writeSync,
} from 'node:fs';
import { basename, join } from 'node:path';
import { crc32 } from 'node:zlib';
import { GatewayError } from '#core/errors.ts';
import { sealBytes } from './encryption.ts';
import { BLOCK_RAW_BYTES_MAX, TAG_BYTES, writeUint53 } from './format.ts';

/** Bytes of an entry's head: the part that is authenticated, and kept by a salvaged block. */
export const ENTRY_HEAD_BYTES = 24;
/** Bytes of a record before its entry head: magic, checksum, payload length, flags, id length. */
export const RECORD_LEAD_BYTES = 16;
export const RECORD_MAGIC = 0x53504a31; // 'SPJ1'
export const recordFlags = { sealed: 1, finished: 2 } as const;
export const SESSION_ID_BYTES_MAX = 64;
export const SEGMENT_SUFFIX = '.spj';

const SEGMENT_BYTES_MAX = 16 * 1024 * 1024;
/** An idle current segment is emptied when it is longer than this. */
const SEGMENT_TRIM_BYTES = 1024 * 1024;
const RECORD_BYTES_MAX =
  RECORD_LEAD_BYTES + ENTRY_HEAD_BYTES + SESSION_ID_BYTES_MAX + BLOCK_RAW_BYTES_MAX + TAG_BYTES;

/** The system calls of a journal; a test gives others to see a full disk. */
export interface JournalFiles {
  /** Creates the file; fails when it exists. Appends only. */
  create(path: string): number;
  write(fd: number, bytes: Uint8Array, length: number): number;
  truncate(fd: number): void;
  close(fd: number): void;
  /** Removes in the background; a failure leaves the file to the next start. */
  remove(path: string): void;
}

/** The real ones. */
export const systemJournalFiles: JournalFiles = {
  create: (path) => openSync(path, 'ax', 0o600),
  write: (fd, bytes, length) => writeSync(fd, bytes, 0, length),
  truncate: (fd) => ftruncateSync(fd, 0),
  close: (fd) => closeSync(fd),
  remove: (path) => unlink(path, () => undefined),
};

/** One file of the journal. */
export interface Segment {
  readonly path: string;
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
  readonly #record: Uint8Array<ArrayBuffer> = new Uint8Array(RECORD_BYTES_MAX);
  readonly #view: DataView = new DataView(this.#record.buffer);
  #number: number;
  #fd = -1;
  #bytes = 0;

  /** Makes the directory; the first segment is made by {@link rotate}. */
  constructor(directory: string, files: JournalFiles) {
    mkdirSync(directory, { recursive: true, mode: 0o700 });
    this.#directory = directory;
    this.#files = files;
    this.#number = 1 + Math.max(0, ...segmentNames(directory).map((name) => parseInt(name, 10)));
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
    const record = this.#record;
    const view = this.#view;
    const { session } = entry;
    const headAt = RECORD_LEAD_BYTES + session.length;
    const bodyAt = headAt + ENTRY_HEAD_BYTES;
    view.setUint32(0, RECORD_MAGIC);
    view.setUint8(12, flags | (key === undefined ? 0 : recordFlags.sealed));
    view.setUint8(13, session.length);
    view.setUint16(14, 0);
    record.set(session, RECORD_LEAD_BYTES);
    view.setUint32(headAt, entry.block);
    view.setUint32(headAt + 4, entry.offset);
    writeUint53(view, headAt + 8, entry.startedUs);
    writeUint53(view, headAt + 16, entry.counter);
    let length = bytes.length;
    if (key === undefined) {
      record.set(bytes, bodyAt);
    } else {
      const head = record.subarray(headAt, bodyAt);
      const [sealed, tag] = sealBytes(key, entry.counter, head, bytes);
      record.set(sealed, bodyAt);
      record.set(tag, bodyAt + length);
      length += TAG_BYTES;
    }
    view.setUint32(8, length);
    view.setUint32(4, crc32(record.subarray(8, bodyAt + length)));
    return this.#write(bodyAt + length);
  }

  /** Starts a new segment. Must be called before the first record and after each failure. */
  rotate(): void {
    if (this.#fd >= 0) this.#files.close(this.#fd);
    this.#fd = -1;
    const path = join(this.#directory, String(this.#number).padStart(12, '0') + SEGMENT_SUFFIX);
    this.#number += 1;
    this.#fd = this.#files.create(path);
    this.#bytes = 0;
    this.#segments.push({ path, blocks: 0 });
    this.#prune();
  }

  /** Names of the segments that this process wrote and still has. */
  get names(): readonly string[] {
    return this.#segments.map((segment) => basename(segment.path));
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
    this.#segments.length = 0;
  }

  #write(length: number): Segment {
    if (this.#bytes + length > SEGMENT_BYTES_MAX) this.rotate();
    const current = this.#segments.at(-1);
    if (current === undefined || this.#fd < 0) {
      throw new GatewayError('SP_RECORDING_FAILED', { detail: 'the journal is closed' });
    }
    const written = this.#files.write(this.#fd, this.#record, length);
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
      if (this.#segments.length === 1) break;
      this.#segments.shift();
      this.#files.remove(oldest.path);
    }
    // Only the current segment is left, and nothing needs it.
    if (this.#bytes > SEGMENT_TRIM_BYTES) {
      this.#files.truncate(this.#fd);
      this.#bytes = 0;
    }
  }
}

/** Names of the segments in `directory`, oldest first. */
export function segmentNames(directory: string): string[] {
  return readdirSync(directory)
    .filter((name) => /^\d{12}\.spj$/.test(name))
    .sort();
}
