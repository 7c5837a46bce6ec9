/**
 * What is in the blocks: decrypts, decompresses, takes frames apart and puts records together.
 * Bounded: a block gives at most 64 KiB, a record at most {@link RECORD_BYTES_MAX}.
 */
import type { KeyObject } from 'node:crypto';
import { zstdDecompressSync } from 'node:zlib';
import type {
  RecordedCommand,
  RecordedParameter,
  RecordedVerdict,
} from '#core/ports/recording-archive.ts';
import type { Direction } from '#core/tape.ts';
import { type FileKeys, openBytes } from './encryption.ts';
import { blockFlags } from './format.ts';
import { FIELD_HEADER_BYTES, FRAME_HEADER_BYTES, FRAME_MORE, frameKinds } from './frames.ts';
import { ENTRY_HEAD_BYTES } from './journal.ts';
import { readEntry } from './journal-reader.ts';
import { objectOf, parseObject, textOf, textsOf } from './json.ts';
import { commandFields, markFields, verdictFields } from './records.ts';
import type { ScannedBlock } from './scan.ts';

/** Bytes of the largest record: twice the largest frame of a protocol, and room. */
export const RECORD_BYTES_MAX: number = 160 * 1024 * 1024;

/** One thing that happened. Bytes are valid until the next block is read. */
export type Entry =
  | {
      readonly kind: 'data';
      readonly atUs: number;
      readonly direction: Direction;
      readonly bytes: Uint8Array;
    }
  | { readonly kind: 'command'; readonly command: RecordedCommand }
  | {
      readonly kind: 'verdict';
      readonly atUs: number;
      readonly command: string;
      readonly verdict: RecordedVerdict;
    }
  | { readonly kind: 'mark'; readonly atUs: number; readonly mark: string; readonly data: string };

interface Part {
  readonly startedUs: number;
  readonly raw: Uint8Array;
}

/** Reads the entries of one recording; feed it its blocks in order. */
export class EntryReader {
  readonly #keys: FileKeys | undefined;
  #kind = 0;
  #atUs = 0;
  #pieces: Uint8Array[] = [];
  #pieceBytes = 0;

  /** @param keys - undefined when the recording is not encrypted. */
  constructor(keys: FileKeys | undefined) {
    this.#keys = keys;
  }

  /** Whether the last record so far goes on. */
  get unfinished(): boolean {
    return this.#kind !== 0;
  }

  /** @returns the entries that the block completes, or what is wrong with it. */
  read(block: ScannedBlock): readonly Entry[] | string {
    const parts = block.header.type === 'salvage' ? this.#salvaged(block) : this.#framed(block);
    if (typeof parts === 'string') return parts;
    const entries: Entry[] = [];
    for (const part of parts) {
      const wrong = this.#frames(part, entries);
      if (wrong !== undefined) return wrong;
    }
    return entries;
  }

  #framed({ header, headerBytes, stored }: ScannedBlock): readonly Part[] | string {
    let body: Uint8Array | undefined = stored;
    if ((header.flags & blockFlags.encrypted) !== 0) {
      body = open(this.#keys?.block, header.index, headerBytes, stored);
      if (body === undefined) return 'the block cannot be decrypted';
    }
    const raw = inflate(body, header.flags, header.rawBytes);
    return raw === undefined
      ? 'the block cannot be decompressed'
      : [{ startedUs: header.startedUs, raw }];
  }

  #salvaged({ header, stored }: ScannedBlock): readonly Part[] | string {
    const raw = inflate(stored, header.flags, header.rawBytes);
    if (raw === undefined) return 'the block cannot be decompressed';
    const view = new DataView(raw.buffer, raw.byteOffset, raw.length);
    const sealed = (header.flags & blockFlags.encrypted) !== 0;
    const parts: Part[] = [];
    let at = 0;
    while (at < raw.length) {
      const bodyAt = at + ENTRY_HEAD_BYTES + 4;
      if (bodyAt > raw.length) return 'a salvaged entry is cut';
      const bodyBytes = view.getUint32(bodyAt - 4);
      if (bodyBytes > raw.length - bodyAt) return 'a salvaged entry is cut';
      const head = raw.subarray(at, at + ENTRY_HEAD_BYTES);
      const entry = readEntry(head, raw.subarray(bodyAt, bodyAt + bodyBytes));
      if (entry === undefined) return 'a salvaged entry has a time out of range';
      const plain = sealed
        ? open(this.#keys?.journal, entry.counter, head, entry.body)
        : entry.body;
      if (plain === undefined) return 'a salvaged entry cannot be decrypted';
      parts.push({ startedUs: entry.startedUs, raw: plain });
      at = bodyAt + bodyBytes;
    }
    return parts;
  }

  #frames({ raw, startedUs }: Part, entries: Entry[]): string | undefined {
    const view = new DataView(raw.buffer, raw.byteOffset, raw.length);
    let at = 0;
    while (at < raw.length) {
      if (raw.length - at < FRAME_HEADER_BYTES) return 'a frame is cut';
      const kind = view.getUint8(at);
      const flags = view.getUint8(at + 1);
      const length = view.getUint16(at + 2);
      const atUs = startedUs + view.getUint32(at + 4);
      at += FRAME_HEADER_BYTES;
      if (length > raw.length - at) return 'a frame is cut';
      const bytes = raw.subarray(at, at + length);
      at += length;
      const wrong = this.#frame({ kind, flags, atUs, bytes }, entries);
      if (wrong !== undefined) return wrong;
    }
    return undefined;
  }

  #frame(
    frame: {
      readonly kind: number;
      readonly flags: number;
      readonly atUs: number;
      readonly bytes: Uint8Array;
    },
    entries: Entry[],
  ): string | undefined {
    const { kind, flags, bytes } = frame;
    if ((flags & ~FRAME_MORE) !== 0) return 'a frame has unknown flags';
    if (this.#kind !== 0 && kind !== this.#kind) return 'a record breaks off';
    const isData = kind === frameKinds.fromClient || kind === frameKinds.toClient;
    if (isData) {
      if (flags !== 0) return 'a data frame says that it goes on';
      const direction = kind === frameKinds.fromClient ? 'from-client' : 'to-client';
      entries.push({ kind: 'data', atUs: frame.atUs, direction, bytes });
      return undefined;
    }
    if (this.#kind === 0) this.#atUs = frame.atUs;
    const more = (flags & FRAME_MORE) !== 0;
    if (!more && this.#kind === 0) return this.#record(kind, bytes, entries);
    this.#kind = kind;
    // The block's memory lives on in these pieces until the record is whole.
    this.#pieces.push(bytes);
    this.#pieceBytes += bytes.length;
    if (this.#pieceBytes > RECORD_BYTES_MAX) return 'a record is larger than the limit';
    if (more) return undefined;
    const whole = Buffer.concat(this.#pieces, this.#pieceBytes);
    this.#pieces = [];
    this.#pieceBytes = 0;
    this.#kind = 0;
    return this.#record(kind, whole, entries);
  }

  #record(kind: number, bytes: Uint8Array, entries: Entry[]): string | undefined {
    const fields = readFields(bytes);
    if (fields === undefined) return 'a record has a field that is cut';
    switch (kind) {
      case frameKinds.command:
        entries.push({ kind: 'command', command: readCommand(fields, this.#atUs) });
        return undefined;
      case frameKinds.verdict: {
        const { command, verdict } = readVerdict(fields);
        entries.push({ kind: 'verdict', atUs: this.#atUs, command, verdict });
        return undefined;
      }
      case frameKinds.mark: {
        const mark = text(fields, markFields.kind);
        entries.push({ kind: 'mark', atUs: this.#atUs, mark, data: text(fields, markFields.data) });
        return undefined;
      }
      default:
        return 'a frame is of an unknown kind';
    }
  }
}

function open(
  key: KeyObject | undefined,
  number: number,
  associated: Uint8Array,
  sealed: Uint8Array,
): Uint8Array | undefined {
  return key === undefined ? undefined : openBytes(key, number, associated, sealed);
}

function inflate(body: Uint8Array, flags: number, rawBytes: number): Uint8Array | undefined {
  if ((flags & blockFlags.zstd) === 0) return body.length === rawBytes ? body : undefined;
  try {
    const raw = zstdDecompressSync(body, { maxOutputLength: rawBytes });
    return raw.length === rawBytes ? raw : undefined;
  } catch {
    return undefined;
  }
}

interface Field {
  readonly tag: number;
  readonly value: Uint8Array;
}

/** Fields of a record; undefined when one is cut. Unknown tags are kept and passed over. */
function readFields(bytes: Uint8Array): readonly Field[] | undefined {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  const fields: Field[] = [];
  let at = 0;
  while (at < bytes.length) {
    if (bytes.length - at < FIELD_HEADER_BYTES) return undefined;
    const tag = view.getUint8(at);
    const length = view.getUint32(at + 1);
    at += FIELD_HEADER_BYTES;
    if (length > bytes.length - at) return undefined;
    fields.push({ tag, value: bytes.subarray(at, at + length) });
    at += length;
  }
  return fields;
}

const decoder = new TextDecoder();

function text(fields: readonly Field[], tag: number): string {
  const field = fields.find((candidate) => candidate.tag === tag);
  return field === undefined ? '' : decoder.decode(field.value);
}

function readCommand(fields: readonly Field[], atUs: number): RecordedCommand {
  return {
    id: text(fields, commandFields.id),
    atUs,
    kind: text(fields, commandFields.kind),
    text: text(fields, commandFields.text),
    state: text(fields, commandFields.state),
    facts: text(fields, commandFields.facts),
    history: text(fields, commandFields.history),
    parameters: fields.flatMap(readParameter),
    verdict: undefined,
  };
}

function readParameter({ tag, value }: Field): readonly RecordedParameter[] {
  if (tag === commandFields.parameterNull) {
    return [{ type: decoder.decode(value), format: 'text', bytes: null }];
  }
  if (tag !== commandFields.parameterText && tag !== commandFields.parameterBinary) return [];
  const zero = value.indexOf(0);
  const type = decoder.decode(value.subarray(0, Math.max(0, zero)));
  const format = tag === commandFields.parameterText ? 'text' : 'binary';
  // A copy: the record may be as large as its block, and these are kept.
  return [{ type, format, bytes: new Uint8Array(value.subarray(zero + 1)) }];
}

function readVerdict(fields: readonly Field[]): {
  readonly command: string;
  readonly verdict: RecordedVerdict;
} {
  const refusal = parseObject(text(fields, verdictFields.refusal));
  const lifted = parseObject(`{"masks":${text(fields, verdictFields.liftedMasks) || '[]'}}`);
  const hold = textOf(refusal, 'hold');
  return {
    command: text(fields, verdictFields.command),
    verdict: {
      outcome: text(fields, verdictFields.outcome),
      rule: text(fields, verdictFields.rule),
      reason: text(fields, verdictFields.reason),
      policy: text(fields, verdictFields.policy),
      allowed: fields.some(({ tag }) => tag === verdictFields.decision),
      decision: text(fields, verdictFields.decision),
      liftedMasks: textsOf(objectOf(lifted), 'masks'),
      code: textOf(refusal, 'code'),
      refusal: textOf(refusal, 'reason'),
      hold: hold === '' ? undefined : hold,
    },
  };
}
