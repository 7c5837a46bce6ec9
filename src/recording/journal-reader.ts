/**
 * Reads a segment of the journal. The bytes may be torn anywhere: a record counts when its checksum
 * holds, and a gap between records is told.
 */
import { crc32 } from 'node:zlib';
import { BLOCK_RAW_BYTES_MAX, readUint53, TAG_BYTES } from './format.ts';
import {
  ENTRY_HEAD_BYTES,
  RECORD_LEAD_BYTES,
  RECORD_MAGIC,
  recordFlags,
  SESSION_ID_BYTES_MAX,
} from './journal.ts';

/** A record as found; the arrays are views into the segment. */
export interface JournalRecord {
  readonly session: string;
  readonly sealed: boolean;
  /** The recording is whole without what the journal has of it. */
  readonly finished: boolean;
  readonly entry: SalvagedEntry;
  /** The whole record, to set aside what fits nowhere. */
  readonly bytes: Uint8Array;
  /** Where in the segment it ends. */
  readonly end: number;
}

/** Bytes of a block that did not reach its recording. */
export interface SalvagedEntry {
  readonly block: number;
  readonly offset: number;
  readonly startedUs: number;
  readonly counter: number;
  /** The encoded form of the four numbers, which a sealed body is bound to. */
  readonly head: Uint8Array;
  /** Whole frames, or their sealed form. */
  readonly body: Uint8Array;
}

const MAGIC = Buffer.from('SPJ1');

/**
 * Reads a segment. Files are used again, so behind the last record there may be older ones, of
 * another number: they are passed over.
 *
 * @returns the records in order, and whether one that is not whole stands between them.
 */
export function readSegment(
  bytes: Uint8Array,
  number: number,
): { readonly records: readonly JournalRecord[]; readonly damaged: boolean } {
  const buffer = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length);
  const records: JournalRecord[] = [];
  let damaged = false;
  let at = 0;
  while (at >= 0) {
    const record = readRecord(bytes.subarray(at), number);
    if (record === undefined) {
      at = buffer.indexOf(MAGIC, at + 1);
      continue;
    }
    const end = records.at(-1)?.end ?? 0;
    damaged ||= at !== end;
    records.push({ ...record, end: at + record.bytes.length });
    at += record.bytes.length;
  }
  return { records, damaged };
}

function readRecord(bytes: Uint8Array, number: number): Omit<JournalRecord, 'end'> | undefined {
  if (bytes.length < RECORD_LEAD_BYTES + ENTRY_HEAD_BYTES) return undefined;
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  if (view.getUint32(0) !== RECORD_MAGIC || view.getUint32(16) !== number) return undefined;
  const bodyBytes = view.getUint32(8);
  const idBytes = view.getUint8(13);
  if (bodyBytes > BLOCK_RAW_BYTES_MAX + TAG_BYTES || idBytes > SESSION_ID_BYTES_MAX) {
    return undefined;
  }
  const headAt = RECORD_LEAD_BYTES + idBytes;
  const end = headAt + ENTRY_HEAD_BYTES + bodyBytes;
  if (bytes.length < end || crc32(bytes.subarray(8, end)) !== view.getUint32(4)) return undefined;
  const entry = readEntry(
    bytes.subarray(headAt, headAt + ENTRY_HEAD_BYTES),
    bytes.subarray(headAt + ENTRY_HEAD_BYTES, end),
  );
  if (entry === undefined) return undefined;
  const flags = view.getUint8(12);
  return {
    session: Buffer.from(bytes.subarray(RECORD_LEAD_BYTES, headAt)).toString('latin1'),
    sealed: (flags & recordFlags.sealed) !== 0,
    finished: (flags & recordFlags.finished) !== 0,
    entry,
    bytes: bytes.subarray(0, end),
  };
}

/** Reads the four numbers of an entry's head; undefined when they are out of range. */
export function readEntry(head: Uint8Array, body: Uint8Array): SalvagedEntry | undefined {
  const view = new DataView(head.buffer, head.byteOffset, ENTRY_HEAD_BYTES);
  const startedUs = readUint53(view, 8);
  const counter = readUint53(view, 16);
  if (startedUs === undefined || counter === undefined) return undefined;
  return { block: view.getUint32(0), offset: view.getUint32(4), startedUs, counter, head, body };
}
