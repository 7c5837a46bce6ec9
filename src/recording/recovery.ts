/**
 * Completes recordings that a crash left unfinished: cuts a torn last block, adds what the journal
 * has of the blocks after it, seals, and marks all of that as recovered.
 *
 * Invariants: bytes that the journal has and the recording lacks are never dropped. What cannot be
 * added is set aside under `<session>.orphan.spj` and reported. One damaged file does not keep the
 * others from being recovered.
 */
import {
  appendFileSync,
  closeSync,
  existsSync,
  fstatSync,
  fsyncSync,
  ftruncateSync,
  openSync,
  readdirSync,
  readFileSync,
  readSync,
  renameSync,
  unlinkSync,
} from 'node:fs';
import { join } from 'node:path';
import { asEpochMs } from '#core/ids.ts';
import { decodeContext, encodeSeal, type RecordedContext } from './documents.ts';
import {
  BLOCK_BYTES_MAX,
  BLOCK_HEADER_BYTES,
  BLOCK_RAW_BYTES_MAX,
  blockFlags,
  decodeBlockHeader,
  firstPrevious,
  hashBlock,
  preamble,
  PREAMBLE_BYTES,
  SIGNATURE_BYTES,
} from './format.ts';
import { optionalTextOf, textOf } from './json.ts';
import { segmentNames, segmentNumber } from './journal.ts';
import { type JournalRecord, readSegment, type SalvagedEntry } from './journal-reader.ts';
import { OPEN_SUFFIX, SEALED_SUFFIX } from './messages.ts';
import { type BlockSigner, BlockWriter, type Position } from './writer.ts';

/** What became of one unfinished recording. */
export interface RecoveredRecording {
  readonly session: string;
  /**
   * `recovered`: completed and sealed. `sealed`: it was whole, only its name was not. `empty`: the
   * session never began. `damaged`, `missing`: not touched, see `problem`.
   */
  readonly outcome: 'recovered' | 'sealed' | 'empty' | 'damaged' | 'missing';
  /** Hash of the seal, hex. */
  readonly hash: string;
  readonly blocks: number;
  readonly bytes: number;
  /** What is known to be lost. */
  readonly lost: string | undefined;
  readonly problem: string | undefined;
  readonly endedAt: number;
  /** Whose it is, as far as its context could be read. */
  readonly context: RecoveredContext | undefined;
}

/** The index entry's part of a context. */
export interface RecoveredContext {
  readonly identity: string;
  readonly owner: string | undefined;
  readonly target: string;
  readonly account: string;
  readonly protocol: string;
  readonly startedAt: number;
}

/** What to recover. */
export interface RecoveryRequest {
  readonly directory: string;
  readonly journal: string;
  /** Sessions that live and are not to be touched. */
  readonly live: readonly string[];
  /** Names of segments that belong to this process and stay. */
  readonly owned: readonly string[];
}

const SEGMENT_READ_MAX = 64 * 1024 * 1024;
const SALVAGE_HEADER_BYTES = 28;

/** Recovers every unfinished recording of a directory. Throws when the disk fails. */
export function recoverDirectory(
  request: RecoveryRequest,
  signer: BlockSigner,
): readonly RecoveredRecording[] {
  const { directory } = request;
  const live = new Set(request.live);
  const unfinished = new Map<string, Unfinished>();
  const results: RecoveredRecording[] = [];
  for (const name of readdirSync(directory)) {
    if (!name.endsWith(OPEN_SUFFIX)) continue;
    const session = name.slice(0, -OPEN_SUFFIX.length);
    if (!live.has(session)) unfinished.set(session, new Unfinished(directory, session, signer));
  }
  const journal = new JournalRemains(request, live, unfinished);
  const torn = journal.distribute();
  for (const recording of unfinished.values()) results.push(recording.finish(torn));
  for (const session of journal.missing) {
    results.push({ ...nothing, session, outcome: 'missing', problem: 'the recording is gone' });
  }
  for (const name of segmentNames(request.journal)) {
    if (!request.owned.includes(name)) unlinkSync(join(request.journal, name));
  }
  return results;
}

const nothing = {
  hash: '',
  blocks: 0,
  bytes: 0,
  lost: undefined,
  problem: undefined,
  endedAt: 0,
  context: undefined,
};

/** Hands the journal's records to the recordings that lack them. */
class JournalRemains {
  /** Sessions of whom there are records and no recording. */
  readonly missing = new Set<string>();
  readonly #request: RecoveryRequest;
  readonly #live: ReadonlySet<string>;
  readonly #unfinished: ReadonlyMap<string, Unfinished>;

  constructor(
    request: RecoveryRequest,
    live: ReadonlySet<string>,
    unfinished: ReadonlyMap<string, Unfinished>,
  ) {
    this.#request = request;
    this.#live = live;
    this.#unfinished = unfinished;
  }

  /** @returns whether a segment lacks a record between others. */
  distribute(): boolean {
    const { journal } = this.#request;
    const finished = new Set<string>();
    const orphans: JournalRecord[] = [];
    let torn = false;
    for (const name of segmentNames(journal)) {
      const bytes = readFileSync(join(journal, name));
      if (bytes.length > SEGMENT_READ_MAX) throw new Error(`${name} is too large for a segment`);
      // What a process that was killed in mid-write leaves at the end is no damage.
      const { records, damaged } = readSegment(bytes, segmentNumber(name));
      torn ||= damaged;
      for (const record of records) {
        if (record.finished) finished.add(record.session);
        else if (this.#unfinished.get(record.session)?.salvage(record) === undefined) {
          orphans.push(record);
        }
      }
    }
    for (const record of orphans) if (!finished.has(record.session)) this.#setAside(record);
    return torn;
  }

  #setAside(record: JournalRecord): void {
    const { directory } = this.#request;
    const { session } = record;
    if (this.#live.has(session) || !/^[\w-]+$/.test(session)) return;
    if (existsSync(join(directory, session + SEALED_SUFFIX))) return;
    if (!this.#unfinished.has(session)) this.missing.add(session);
    appendFileSync(join(directory, `${session}.orphan.spj`), record.bytes, { mode: 0o600 });
  }
}

/** One unfinished recording. Opens its file when it is first asked something. */
class Unfinished {
  readonly #directory: string;
  readonly #session: string;
  readonly #path: string;
  readonly #fd: number;
  readonly #end: FileEnd;
  readonly #writer: BlockWriter;
  #pending: SalvagedEntry[] = [];
  #pendingBytes = 0;
  #pendingSealed = false;
  #lastUs: number;
  #next: { block: number; offset: number };
  #lost: string | undefined;

  constructor(directory: string, session: string, signer: BlockSigner) {
    this.#directory = directory;
    this.#session = session;
    this.#path = join(directory, session + OPEN_SUFFIX);
    this.#fd = openSync(this.#path, 'r+');
    this.#end = findEnd(this.#fd);
    const { position, bytes } = this.#end;
    if (this.#end.problem === undefined && this.#end.context !== undefined) {
      ftruncateSync(this.#fd, bytes);
    }
    this.#writer = new BlockWriter({ fd: this.#fd, bytes, position }, signer, undefined);
    this.#lastUs = this.#end.lastUs;
    this.#next = { block: position.index, offset: 0 };
  }

  /** Takes a record; undefined when it cannot be added. */
  salvage(record: JournalRecord): true | undefined {
    const { entry, sealed } = record;
    if (this.#end.sealed || entry.block < this.#end.position.index) return true;
    if (this.#end.problem !== undefined || this.#end.context === undefined) return undefined;
    const { block, offset } = this.#next;
    const follows =
      entry.block === block
        ? entry.offset === offset
        : entry.block === block + 1 && entry.offset === 0;
    if (!follows) this.#lost = `before block ${entry.block}, byte ${entry.offset}`;
    const plainBytes = entry.body.length - (sealed ? 16 : 0);
    this.#next = { block: entry.block, offset: entry.offset + plainBytes };
    const bytes = SALVAGE_HEADER_BYTES + entry.body.length;
    if (this.#pendingBytes + bytes > BLOCK_RAW_BYTES_MAX || sealed !== this.#pendingSealed) {
      this.#flush();
    }
    this.#pendingSealed = sealed;
    this.#pending.push(entry);
    this.#pendingBytes += bytes;
    return true;
  }

  /** Seals it, and gives it its final name. */
  finish(torn: boolean): RecoveredRecording {
    const { context, problem } = this.#end;
    const known = { ...nothing, session: this.#session };
    try {
      if (this.#end.sealed) return this.#rename('sealed');
      if (problem !== undefined) return { ...known, outcome: 'damaged', problem };
      if (context === undefined) {
        unlinkSync(this.#path);
        return { ...known, outcome: 'empty' };
      }
      this.#flush();
      this.#seal(torn);
      return this.#rename('recovered');
    } finally {
      closeSync(this.#fd);
    }
  }

  #seal(torn: boolean): void {
    if (this.#end.cutBytes > 0 && this.#next.block === this.#end.position.index) {
      this.#lost ??= `block ${this.#next.block}`;
    }
    if (torn) this.#lost ??= 'the journal was damaged';
    const lost = this.#lost;
    const { index, head } = this.#writer.position;
    const endedAt = asEpochMs(this.#endedAt());
    const detail = 'the gateway ended before the session did';
    const end = { reason: 'error', code: 'SP_RECORDING_FAILED', detail } as const;
    const facts = { state: 'recovered', endedAt, end, counts: undefined, lost } as const;
    const raw = encodeSeal(facts, index, head);
    const startedUs = this.#lastUs;
    this.#writer.append({ type: 'seal', flags: blockFlags.recovered, startedUs, raw });
    fsyncSync(this.#fd);
  }

  #rename(outcome: 'sealed' | 'recovered'): RecoveredRecording {
    renameSync(this.#path, join(this.#directory, this.#session + SEALED_SUFFIX));
    const { index, head } = this.#writer.position;
    return {
      session: this.#session,
      outcome,
      hash: Buffer.from(head).toString('hex'),
      blocks: index,
      bytes: this.#writer.bytes,
      lost: this.#lost,
      problem: undefined,
      endedAt: this.#endedAt(),
      context: contextOf(this.#end.context),
    };
  }

  /** The last thing that is known to have happened. */
  #endedAt(): number {
    return (this.#end.context?.startedAt ?? 0) + Math.ceil(this.#lastUs / 1000);
  }

  #flush(): void {
    const [first] = this.#pending;
    if (first === undefined) return;
    const raw = new Uint8Array(this.#pendingBytes);
    const view = new DataView(raw.buffer);
    let at = 0;
    for (const { head, body, startedUs } of this.#pending) {
      raw.set(head, at);
      view.setUint32(at + head.length, body.length);
      raw.set(body, at + SALVAGE_HEADER_BYTES);
      at += SALVAGE_HEADER_BYTES + body.length;
      this.#lastUs = Math.max(this.#lastUs, startedUs);
    }
    const flags = blockFlags.recovered | (this.#pendingSealed ? blockFlags.encrypted : 0);
    this.#writer.append({ type: 'salvage', startedUs: first.startedUs, flags, raw });
    this.#pending = [];
    this.#pendingBytes = 0;
  }
}

interface FileEnd {
  /** Where the next block goes: behind the last whole one. */
  readonly position: Position;
  readonly bytes: number;
  readonly lastUs: number;
  readonly context: RecordedContext | undefined;
  readonly sealed: boolean;
  /** Damage that a crash does not explain. */
  readonly problem: string | undefined;
  /** Bytes behind the last whole block. */
  readonly cutBytes: number;
}

/** Follows the chain to the last whole block. */
function findEnd(fd: number): FileEnd {
  const size = fstatSync(fd).size;
  const end = followChain(fd, size);
  return { ...end, cutBytes: Math.max(0, size - end.bytes) };
}

/** Signatures are a verifier's business. */
function followChain(fd: number, size: number): FileEnd {
  const buffer = new Uint8Array(BLOCK_BYTES_MAX);
  const read = (at: number, bytes: number): boolean => readSync(fd, buffer, 0, bytes, at) === bytes;
  let end: FileEnd = {
    position: { index: 0, head: firstPrevious },
    bytes: PREAMBLE_BYTES,
    lastUs: 0,
    context: undefined,
    sealed: false,
    problem: undefined,
    cutBytes: 0,
  };
  if (size < PREAMBLE_BYTES || !read(0, PREAMBLE_BYTES)) return end;
  if (!equal(buffer, preamble)) return { ...end, problem: 'this is not a recording' };
  while (!end.sealed && read(end.bytes, BLOCK_HEADER_BYTES)) {
    const { index, head } = end.position;
    const block = decodeBlockHeader(new Uint8Array(buffer.subarray(0, BLOCK_HEADER_BYTES)));
    const whole = typeof block === 'string' ? 0 : BLOCK_HEADER_BYTES + block.storedBytes;
    if (typeof block === 'string' || block.index !== index || !equal(block.previous, head)) {
      return { ...end, problem: tailProblem(size - end.bytes, index) };
    }
    if (!read(end.bytes, whole + SIGNATURE_BYTES)) return end;
    const payload = buffer.subarray(BLOCK_HEADER_BYTES, whole);
    end = {
      position: { index: index + 1, head: hashBlock(buffer.subarray(0, whole)) },
      bytes: end.bytes + whole + SIGNATURE_BYTES,
      lastUs: block.startedUs,
      context: index === 0 ? decodeContext(payload) : end.context,
      sealed: block.type === 'seal',
      problem: index > 0 || decodeContext(payload) ? undefined : 'the first block is no context',
      cutBytes: 0,
    };
    if (end.problem !== undefined) return end;
  }
  return end;
}

/** A power cut may leave one block of rubbish at the end; more was not done by a crash. */
function tailProblem(bytes: number, index: number): string | undefined {
  const most = BLOCK_HEADER_BYTES + BLOCK_RAW_BYTES_MAX + 64 + 16 + SIGNATURE_BYTES;
  return bytes <= most ? undefined : `block ${index} does not follow from the one before`;
}

function equal(buffer: Uint8Array, expected: Uint8Array): boolean {
  return Buffer.compare(buffer.subarray(0, expected.length), expected) === 0;
}

function contextOf(context: RecordedContext | undefined): RecoveredContext | undefined {
  if (context === undefined) return undefined;
  const { identity, target, account, protocol, startedAt } = context;
  const owner = optionalTextOf(identity, 'owner');
  const who = { identity: textOf(identity, 'id'), owner, target: textOf(target, 'name') };
  return { ...who, account, protocol, startedAt };
}
