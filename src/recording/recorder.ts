/**
 * The recorder of a process: opens recordings, ages their blocks, watches the disk, and ends every
 * session when evidence can no longer be kept.
 *
 * Invariants: `start` gives a tape only when the recording's first block is in the kernel's hands.
 * While {@link Recorder.refusal} is set no tape takes bytes. It is lifted only after a recovery has
 * completed what the failure cut off, and a new journal could be written.
 */
import type { KeyObject } from 'node:crypto';
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import type { Clock } from '#core/clock.ts';
import type { SessionContext } from '#core/command.ts';
import { GatewayError, toGatewayError } from '#core/errors.ts';
import type { EventDraft, EventLog } from '#core/events.ts';
import { asEpochMs, asId, type EpochMs, type SessionId } from '#core/ids.ts';
import type { Limits } from '#core/limits.ts';
import type {
  RecordingLedger,
  RecordingSearch,
  SealedRecording,
} from '#core/ports/recording-archive.ts';
import type { RecordingIndex, RecordingState } from '#core/ports/recordings.ts';
import type { Random } from '#core/random.ts';
import { encodeContext, type EncryptionNote, type SealFacts } from './documents.ts';
import { CIPHER_NAME, deriveKeys, FILE_KEY_BYTES, wrapFileKey } from './encryption.ts';
import { freeBytes } from './free-space.ts';
import { type BlockMemory, type BlockPool, RecyclingPool } from './frames.ts';
import { DOCUMENT_BYTES_MAX } from './format.ts';
import { Journal, type JournalFiles, systemJournalFiles } from './journal.ts';
import type { SigningKey } from './keys.ts';
import { lockDirectory } from './lock.ts';
import { OPEN_SUFFIX, SEALED_SUFFIX } from './messages.ts';
import { recordingError } from './recording-error.ts';
import { RecordingThread, type StartThread, type ThreadAnswer } from './recording-thread.ts';
import type { RecoveredRecording } from './recovery.ts';
import { type FullBlock, SessionTape, type TapeHost } from './tape.ts';

/** What a recorder needs. */
export interface RecorderOptions {
  /** Where recordings are; made when it does not exist. One recorder each. */
  readonly directory: string;
  readonly signingKey: SigningKey;
  /** age recipients (`age1…`); none: recordings are not encrypted. */
  readonly recipients: readonly string[];
  /** Name of this gateway, for the context of each recording. */
  readonly gateway: string;
  /** Free bytes below which nothing is recorded, so no session runs. */
  readonly reserveBytes: number;
  readonly limits: Limits;
  readonly clock: Clock;
  readonly random: Random;
  readonly events: EventLog;
  /** The session's evidence can no longer be kept; it must end now. Called once a session. */
  readonly onFailure: (session: SessionId, error: GatewayError) => void;
  readonly index?: RecordingIndex;
  readonly ledger?: RecordingLedger;
  readonly search?: RecordingSearch;
  /** The system calls that a test replaces. */
  readonly system?: {
    readonly freeBytes?: (directory: string) => Promise<number>;
    readonly journalFiles?: JournalFiles;
    readonly startThread?: StartThread;
  };
}

const CHECK_MS = 1_000;
const FLUSH_MS = 200;
/** A block that is older at a tick of {@link FLUSH_MS} would be over a second at the next. */
const BLOCK_AGE_MS = 750;
const POOL_BLOCKS = 256;

/** See the file's header. */
export class Recorder implements TapeHost {
  readonly clock: Clock;
  readonly limits: Limits;
  readonly pool: BlockPool;
  readonly journal: Journal;
  readonly #options: RecorderOptions;
  readonly #unlock: () => void;
  readonly #tapes = new Map<number, SessionTape>();
  /** When each session started, and its path without an ending. */
  readonly #starts = new Map<number, EpochMs>();
  /** Tapes with an open block, oldest first. */
  readonly #open = new Set<SessionTape>();
  readonly #recovered: RecoveredRecording[] = [];
  readonly #untold: RecoveredRecording[] = [];
  #thread: RecordingThread | undefined;
  #timers: readonly (() => void)[] = [];
  #slot = 0;
  #flightBytes = 0;
  #behind = false;
  #refusal: GatewayError | undefined;
  /** A write failed: recovery must come before the next session. */
  #broken = true;
  #checking: Promise<void> | undefined;
  /** Entries of the index that are under way. */
  readonly #indexing = new Set<Promise<void>>();
  #closed = false;

  private constructor(options: RecorderOptions, unlock: () => void) {
    this.#options = options;
    this.#unlock = unlock;
    this.clock = options.clock;
    this.limits = options.limits;
    this.pool = new RecyclingPool(POOL_BLOCKS, (memory) => {
      this.#thread?.send({ op: 'forget', memory });
    });
    const files = options.system?.journalFiles ?? systemJournalFiles;
    this.journal = new Journal(join(options.directory, 'journal'), files);
  }

  /**
   * Opens the recorder of a directory, and recovers what the last one left unfinished. On a full
   * or failing disk it opens all the same, refuses sessions, and tries again each second.
   *
   * @throws GatewayError `SP_CONFIG` for a recipient that is none, or a directory in use.
   */
  static async open(options: RecorderOptions): Promise<Recorder> {
    if (options.recipients.length > 0) {
      await wrapFileKey(new Uint8Array(FILE_KEY_BYTES), options.recipients).catch((cause) => {
        throw new GatewayError('SP_CONFIG', { detail: 'not an age recipient', cause });
      });
    }
    mkdirSync(options.directory, { recursive: true, mode: 0o700 });
    const unlock = lockDirectory(options.directory);
    const recorder = new Recorder(options, unlock);
    await recorder.#check();
    recorder.#timers = [
      options.clock.every(FLUSH_MS, () => recorder.#flushOld()),
      options.clock.every(CHECK_MS, () => void recorder.#check()),
    ];
    return recorder;
  }

  /** Why no session can be recorded at present; undefined when all is well. */
  get refusal(): GatewayError | undefined {
    return this.#refusal;
  }

  get behind(): boolean {
    return this.#behind;
  }

  /** What recovery found, on the start and after failures. */
  get recovered(): readonly RecoveredRecording[] {
    return this.#recovered;
  }

  /**
   * Starts the recording of a session.
   *
   * @throws GatewayError `SP_RECORDING_SPACE`, `SP_RECORDING_FAILED`: then there is no session.
   */
  async start(context: SessionContext): Promise<SessionTape> {
    const thread = this.#usable();
    const { session } = context;
    if (!/^[\w-]{1,64}$/.test(session)) {
      throw new GatewayError('SP_RECORDING_FAILED', { detail: 'the session id is no file name' });
    }
    const startedAt = this.clock.now();
    const ledger = await this.#options.ledger?.opened(session, startedAt);
    const { key, encryption } = await this.#makeKey();
    const by = { gateway: this.#options.gateway, ...this.#options.signingKey };
    const document = encodeContext(context, startedAt, by, { ledger, encryption });
    if (document.length > DOCUMENT_BYTES_MAX) {
      throw new GatewayError('SP_RECORDING_FAILED', { detail: 'the context is too large' });
    }
    this.#slot += 1;
    const slot = this.#slot;
    const tape = new SessionTape(this, context, { slot, key: key?.journal });
    this.#tapes.set(slot, tape);
    this.#starts.set(slot, startedAt);
    const path = this.#path(session, OPEN_SUFFIX);
    try {
      await thread.ask({ op: 'open', slot, path, context: document, key: key?.block });
      if (tape.failure !== undefined) throw tape.failure;
    } catch (thrown) {
      this.#forget(tape);
      throw toGatewayError(thrown, 'SP_RECORDING_FAILED');
    }
    this.#enter(tape, startedAt, { state: 'open', endedAt: undefined, bytes: 0, commands: 0 });
    return tape;
  }

  /** Seals what still runs, as drained, and lets the directory go. */
  async close(): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    for (const cancel of this.#timers) cancel();
    await this.#checking;
    const detail = 'the gateway shut down';
    const end = { reason: 'drained', code: 'SP_DRAINING', detail } as const;
    await Promise.allSettled([...this.#tapes.values()].map((tape) => tape.seal(end)));
    await this.#thread?.stop();
    // Their store outlives the recorder, but not by long.
    await Promise.all(this.#indexing);
    this.journal.close();
    this.#unlock();
  }

  /** @internal for the tape */
  failed(error: GatewayError): void {
    this.#broken = true;
    this.#refuse(error);
    for (const tape of this.#tapes.values()) this.#drop(tape, error);
  }

  /** @internal for the tape */
  lost(tape: SessionTape, error: GatewayError): void {
    // The next look at the disk recovers; those who run go on.
    this.#broken = true;
    this.#drop(tape, error);
    this.#endSessions([tape], error);
  }

  /** @internal for the tape */
  opened(tape: SessionTape): void {
    this.#open.add(tape);
  }

  /** @internal for the tape */
  send(tape: SessionTape, block: FullBlock): void {
    this.#open.delete(tape);
    const { recorderTotalBytesMax } = this.limits;
    if (this.#flightBytes > 2 * recorderTotalBytesMax) {
      const error = new GatewayError('SP_RECORDING_FAILED', { detail: 'too far behind' });
      this.lost(tape, error);
      throw error;
    }
    this.#flightBytes += block.memory.bytes.length;
    if (this.#flightBytes > recorderTotalBytesMax) this.#behind = true;
    this.#thread?.sendBlock(tape.slot, block);
  }

  /** @internal for the tape */
  async seal(tape: SessionTape, facts: SealFacts): Promise<SealedRecording> {
    const { slot, context } = tape;
    const startedAt = this.#starts.get(slot) ?? facts.endedAt;
    const startedUs = Math.max(0, facts.endedAt - startedAt) * 1000;
    if (this.#thread === undefined) throw new GatewayError('SP_RECORDING_FAILED');
    const answer: ThreadAnswer = await this.#thread.ask({ op: 'seal', slot, startedUs, facts });
    if (answer.op !== 'sealed') throw new GatewayError('SP_INTERNAL');
    const { hash, blocks, bytes } = answer;
    const path = this.#path(context.session, SEALED_SUFFIX);
    const times = { startedAt, endedAt: facts.endedAt };
    const sealed = { session: context.session, path, hash, blocks, bytes, ...times };
    this.#finish(tape);
    const commands = facts.counts?.commands ?? 0;
    const { endedAt } = facts;
    this.#enter(tape, startedAt, { state: 'sealed', endedAt, bytes, commands });
    await this.#options.ledger?.sealed(sealed);
    this.#options.search?.sealed(sealed);
    this.#tell('recording.sealed', tape, { hash, blocks, bytes, commands });
    return sealed;
  }

  #usable(): RecordingThread {
    if (this.#refusal !== undefined) throw this.#refusal;
    if (this.#thread === undefined || this.#closed) {
      throw new GatewayError('SP_RECORDING_FAILED', { detail: 'the recorder is closed' });
    }
    return this.#thread;
  }

  async #makeKey(): Promise<{
    readonly key: { readonly block: KeyObject; readonly journal: KeyObject } | undefined;
    readonly encryption: EncryptionNote | undefined;
  }> {
    const { recipients, random } = this.#options;
    if (recipients.length === 0) return { key: undefined, encryption: undefined };
    const fileKey = random.bytes(FILE_KEY_BYTES);
    const wrappedKey = await wrapFileKey(fileKey, recipients);
    const key = deriveKeys(fileKey);
    fileKey.fill(0);
    return { key, encryption: { cipher: CIPHER_NAME, recipients, wrappedKey } };
  }

  #refuse(error: GatewayError): void {
    const first = this.#refusal === undefined;
    this.#refusal = error;
    if (!first) return;
    this.#endSessions([...this.#tapes.values()], error);
  }

  #endSessions(tapes: readonly SessionTape[], error: GatewayError): void {
    const { onFailure } = this.#options;
    // Not from within a call of the data path: the callback closes connections.
    queueMicrotask(() => {
      for (const tape of tapes) onFailure(tape.context.session, error);
      const data = { code: error.code, reason: error.message, sessions: tapes.length };
      try {
        this.#tell('recording.failed', tapes.length === 1 ? tapes[0] : undefined, data);
      } catch {
        // A full event log has its own alarm, and the sessions have ended.
      }
    });
  }

  #drop(tape: SessionTape, error: GatewayError): void {
    if (tape.failure !== undefined) return;
    tape.fail(error);
    this.#open.delete(tape);
    this.#thread?.send({ op: 'drop', slot: tape.slot });
  }

  /** The recording is whole; that the journal cannot be told is a failure of its own. */
  #finish(tape: SessionTape): void {
    this.#forget(tape);
    try {
      tape.finished();
    } catch (thrown) {
      this.failed(recordingError(thrown));
    }
  }

  /** Looks at the disk; repairs what is broken when it can be. Never rejects. */
  #check(): Promise<void> {
    this.#checking ??= this.#look()
      .catch((thrown: unknown) => this.failed(recordingError(thrown)))
      .finally(() => {
        this.#checking = undefined;
      });
    return this.#checking;
  }

  async #look(): Promise<void> {
    const { directory, reserveBytes, system } = this.#options;
    const free = await (system?.freeBytes ?? freeBytes)(directory);
    if (free < reserveBytes) {
      const detail = `${free} bytes are free, ${reserveBytes} are kept in reserve`;
      if (this.#refusal === undefined || !this.#broken) {
        this.#refuse(new GatewayError('SP_RECORDING_SPACE', { detail }));
      }
      return;
    }
    if (this.#broken) {
      this.#broken = false;
      await this.#restore();
    }
    // Something may have failed meanwhile.
    if (!this.#broken) this.#refusal = undefined;
  }

  async #restore(): Promise<void> {
    const { directory, signingKey, system } = this.#options;
    if (this.#thread === undefined || !this.#thread.alive) {
      const { keyId, privateKey } = signingKey;
      const data = { keyId, privateKey };
      this.#thread = new RecordingThread(data, this.#threadOwner(), system?.startThread);
      this.#flightBytes = 0;
      this.#behind = false;
    }
    const failed = [...this.#tapes.values()].filter((tape) => tape.failure !== undefined);
    const live = [...this.#tapes.values()].filter((tape) => tape.failure === undefined);
    const answer = await this.#thread.ask({
      op: 'recover',
      request: {
        directory,
        journal: join(directory, 'journal'),
        live: live.map((tape) => tape.context.session),
        owned: this.journal.names,
      },
    });
    if (answer.op !== 'recovered') throw new GatewayError('SP_INTERNAL');
    this.journal.rotate();
    for (const tape of failed) {
      tape.abandon();
      this.#forget(tape);
    }
    this.#untold.push(...answer.recordings);
    // One at a time: what a full event log refuses is told at the next look.
    for (let next = this.#untold[0]; next !== undefined; next = this.#untold[0]) {
      this.#tellRecovered(next);
      this.#untold.shift();
    }
  }

  #threadOwner(): ConstructorParameters<typeof RecordingThread>[1] {
    return {
      written: (slot, memory) => this.#written(slot, memory),
      failed: (_slot, error) => this.failed(error),
    };
  }

  #written(slot: number, memory: BlockMemory): void {
    const { length } = memory.bytes;
    this.#flightBytes -= length;
    this.pool.give(memory);
    const tape = this.#tapes.get(slot);
    if (tape !== undefined && tape.failure === undefined) tape.written(length);
    if (!this.#behind || this.#flightBytes > this.limits.recorderTotalBytesMax / 2) return;
    this.#behind = false;
    for (const other of this.#tapes.values()) other.ready();
  }

  #flushOld(): void {
    const before = this.clock.monotonicMs() - BLOCK_AGE_MS;
    for (const tape of this.#open) {
      if (tape.openedMs > before) return;
      this.#open.delete(tape);
      try {
        tape.flush();
      } catch (thrown) {
        this.failed(recordingError(thrown));
        return;
      }
    }
  }

  #forget(tape: SessionTape): void {
    this.#tapes.delete(tape.slot);
    this.#starts.delete(tape.slot);
    this.#open.delete(tape);
  }

  #path(session: string, suffix: string): string {
    return join(this.#options.directory, session + suffix);
  }

  #enter(
    tape: SessionTape,
    startedAt: EpochMs,
    now: {
      readonly state: RecordingState;
      readonly endedAt: EpochMs | undefined;
      readonly bytes: number;
      readonly commands: number;
    },
  ): void {
    const { session, identity, target, account, protocol } = tape.context;
    const who = { identity: identity.id, owner: identity.owner, target: target.name };
    const entry = { session, ...who, account, protocol, startedAt, ...now };
    // The recordings are the truth and the index can be rebuilt: a session does not wait for it.
    const { index } = this.#options;
    if (index === undefined) return;
    const indexed = index.put(entry).catch((thrown: unknown) => {
      const { code } = toGatewayError(thrown);
      this.#tell('alarm.raised', tape, { alarm: 'recording-index', code });
    });
    this.#indexing.add(indexed);
    void indexed.finally(() => this.#indexing.delete(indexed));
  }

  #tellRecovered(recording: RecoveredRecording): void {
    const { session, outcome, blocks, bytes, lost, problem, context, endedAt } = recording;
    const data = { outcome, blocks, bytes, lost: lost ?? null, problem: problem ?? null };
    const known = outcome === 'recovered' || outcome === 'sealed';
    const type = known || outcome === 'empty' ? 'recording.recovered' : 'recording.failed';
    const target = context?.target;
    this.#options.events.emit({ type, actor: 'system', session, target, data });
    this.#recovered.push(recording);
    if (context === undefined || !known) return;
    void this.#options.index
      ?.put({
        ...context,
        session: asId(session),
        state: outcome,
        startedAt: asEpochMs(context.startedAt),
        endedAt: asEpochMs(endedAt),
        commands: 0,
        bytes,
      })
      .catch(() => undefined);
  }

  #tell(type: EventDraft['type'], tape: SessionTape | undefined, data: EventDraft['data']): void {
    const session = tape?.context.session;
    const target = tape?.context.target.name;
    this.#options.events.emit({ type, actor: 'system', session, target, data });
  }
}
