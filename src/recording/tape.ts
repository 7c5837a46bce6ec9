/**
 * The recorder of one session, on the data path's thread. Copies into the open block; `commit`
 * gives what is new to the journal; a full block goes to the recording thread.
 *
 * Invariant: what `commit` returned for, and every byte of a block that left, is in the kernel's
 * hands, in the journal until its block is in the recording.
 */
import type { KeyObject } from 'node:crypto';
import type { Clock } from '#core/clock.ts';
import type { Command, SessionContext } from '#core/command.ts';
import { GatewayError } from '#core/errors.ts';
import type { Limits } from '#core/limits.ts';
import type { AllowedCommand } from '#core/permit.ts';
import type { SealedRecording } from '#core/ports/recording-archive.ts';
import type { SessionEnd } from '#core/protocol.ts';
import type { Direction, Tape } from '#core/tape.ts';
import type { Refusal, Verdict } from '#core/verdict.ts';
import type { SealFacts, TapeCounts } from './documents.ts';
import { type BlockMemory, type BlockPool, FrameWriter } from './frames.ts';
import { type Journal, recordFlags, type Segment } from './journal.ts';
import { recordingError } from './recording-error.ts';
import { writeCommand, writeMark, writeVerdict } from './records.ts';

/** A block on its way to the recording thread. */
export interface FullBlock {
  readonly memory: BlockMemory;
  readonly used: number;
  readonly startedUs: number;
}

/** What a tape needs of the recorder. */
export interface TapeHost {
  readonly clock: Clock;
  readonly limits: Limits;
  readonly pool: BlockPool;
  readonly journal: Journal;
  /** Why nothing can be recorded at present. */
  readonly refusal: GatewayError | undefined;
  /** The process as a whole has fallen behind. */
  readonly behind: boolean;
  /** The journal could not be written; every session ends. */
  failed(error: GatewayError): void;
  /** This session's evidence cannot be kept; it ends, and recovery completes its recording. */
  lost(tape: SessionTape, error: GatewayError): void;
  /** The tape opened a block: it must be flushed when it is a second old. */
  opened(tape: SessionTape): void;
  /** Sends a block; throws when the process holds too many. */
  send(tape: SessionTape, block: FullBlock): void;
  seal(tape: SessionTape, facts: SealFacts): Promise<SealedRecording>;
}

const encoder = new TextEncoder();
const nothing = new Uint8Array(0);

/** See {@link Tape}; made by `Recorder.start` alone. */
export class SessionTape implements Tape {
  readonly context: SessionContext;
  /** Names the session to the recording thread. */
  readonly slot: number;
  readonly #host: TapeHost;
  readonly #frames: FrameWriter;
  readonly #session: Uint8Array;
  readonly #key: KeyObject | undefined;
  readonly #startMs: number;
  readonly #counts = { frames: 0, commands: 0, fromClientBytes: 0, toClientBytes: 0 };
  /** Segments of the blocks that left and are not written, oldest first. */
  readonly #segments: Segment[] = [];
  /** Segment of the open block's first record. */
  #segment: Segment | undefined;
  #block = 1; // 0 is the context
  #committed = 0;
  #records = 0;
  #flightBytes = 0;
  #behind = false;
  #waiting: (() => void)[] = [];
  #failure: GatewayError | undefined;
  #ended = false;
  #sealed: Promise<SealedRecording> | undefined;

  constructor(
    host: TapeHost,
    context: SessionContext,
    session: { readonly slot: number; readonly key: KeyObject | undefined },
  ) {
    this.#host = host;
    this.context = context;
    this.slot = session.slot;
    this.#key = session.key;
    this.#session = encoder.encode(context.session);
    this.#startMs = host.clock.monotonicMs();
    this.#frames = new FrameWriter({
      pool: host.pool,
      nowUs: () => Math.round((host.clock.monotonicMs() - this.#startMs) * 1000),
      full: () => this.flush(),
      opened: () => host.opened(this),
    });
  }

  /** @see Tape.data */
  data(direction: Direction, bytes: Uint8Array, start: number, end: number): void {
    this.#check();
    this.#counts.frames += this.#frames.data(direction, bytes, start, end);
    if (direction === 'from-client') this.#counts.fromClientBytes += end - start;
    else this.#counts.toClientBytes += end - start;
  }

  /** @see Tape.judged */
  judged(command: Command, verdict: Verdict, result: AllowedCommand | Refusal): void {
    this.#check();
    writeCommand(this.#frames, command);
    writeVerdict(this.#frames, command, verdict, result);
    this.#counts.commands += 1;
  }

  /** @see Tape.mark */
  mark(kind: string, data: Readonly<Record<string, unknown>>): void {
    this.#check();
    writeMark(this.#frames, kind, data);
  }

  /** @see Tape.commit */
  commit(): void {
    this.#check();
    this.#commit();
  }

  #commit(): void {
    const { used } = this.#frames;
    if (used === this.#committed) return;
    const entry = {
      session: this.#session,
      block: this.#block,
      offset: this.#committed,
      startedUs: this.#frames.startedUs,
      counter: this.#records,
    };
    const bytes = this.#frames.memory.subarray(this.#committed, used);
    let segment: Segment;
    try {
      segment = this.#host.journal.append(entry, bytes, this.#key);
    } catch (thrown) {
      const error = recordingError(thrown);
      this.#host.failed(error);
      throw error;
    }
    this.#records += 1;
    this.#committed = used;
    if (this.#segment === undefined) {
      this.#segment = segment;
      segment.blocks += 1;
    }
  }

  get behind(): boolean {
    return this.#behind || this.#host.behind;
  }

  /** @see Tape.whenReady. A session that ended is not called back. */
  whenReady(callback: () => void): void {
    if (this.behind) this.#waiting.push(callback);
    else queueMicrotask(callback);
  }

  /**
   * Ends the recording: writes what is left and the seal.
   *
   * @throws GatewayError when the recording was lost; the next recovery completes it.
   */
  seal(end: SessionEnd): Promise<SealedRecording> {
    this.#sealed ??= this.#seal(end);
    return this.#sealed;
  }

  /** Sends the open block to the recording thread, if there is one. */
  flush(): void {
    const { used, startedUs } = this.#frames;
    if (used === 0 || this.#failure !== undefined) return;
    const { limits } = this.#host;
    if (this.#flightBytes > limits.recorderBytesMax + 2 * limits.frameBytesMax) {
      const error = new GatewayError('SP_RECORDING_FAILED', { detail: 'too far behind' });
      this.#host.lost(this, error);
      throw error;
    }
    this.#commit();
    const memory = this.#frames.take();
    if (this.#segment !== undefined) this.#segments.push(this.#segment);
    this.#segment = undefined;
    this.#committed = 0;
    this.#block += 1;
    this.#flightBytes += memory.bytes.length;
    if (this.#flightBytes > limits.recorderBytesMax) this.#behind = true;
    this.#host.send(this, { memory, used, startedUs });
  }

  /** When the open block was opened, in the clock's monotonic milliseconds. */
  get openedMs(): number {
    return this.#startMs + this.#frames.startedUs / 1000;
  }

  /** Whether there is an open block. */
  get open(): boolean {
    return this.#frames.used > 0;
  }

  get failure(): GatewayError | undefined {
    return this.#failure;
  }

  /** The oldest block that left is in the recording. */
  written(bytes: number): void {
    const segment = this.#segments.shift();
    if (segment !== undefined) this.#host.journal.release(segment);
    this.#flightBytes -= bytes;
    if (this.#flightBytes <= this.#host.limits.recorderBytesMax / 2) this.#behind = false;
    this.ready();
  }

  /** Calls back those who wait, if there is nothing left to wait for. */
  ready(): void {
    if (this.#waiting.length === 0 || this.behind) return;
    const waiting = this.#waiting;
    this.#waiting = [];
    for (const callback of waiting) callback();
  }

  /** Every later call throws `error`. */
  fail(error: GatewayError): void {
    this.#failure ??= error;
    this.#waiting = [];
  }

  /** Lets go of the journal, when recovery has moved what was there. */
  abandon(): void {
    for (const segment of this.#segments) this.#host.journal.release(segment);
    this.#segments.length = 0;
    if (this.#segment !== undefined) this.#host.journal.release(this.#segment);
    this.#segment = undefined;
  }

  async #seal(end: SessionEnd): Promise<SealedRecording> {
    // Too little disk for new bytes is still enough for an honest end.
    if (this.#failure !== undefined) throw this.#failure;
    this.flush();
    const counts: TapeCounts = { ...this.#counts };
    const endedAt = this.#host.clock.now();
    const facts: SealFacts = { state: 'sealed', endedAt, end, counts, lost: undefined };
    const sealing = this.#host.seal(this, facts);
    this.#ended = true;
    return sealing;
  }

  /** Tells recovery that the recording is whole, whatever of it is still in the journal. */
  finished(): void {
    const entry = { session: this.#session, block: 0, offset: 0, startedUs: 0 };
    const record = { ...entry, counter: this.#records };
    this.#records += 1;
    this.#host.journal.append(record, nothing, this.#key, recordFlags.finished);
  }

  #check(): void {
    const failure = this.#failure ?? this.#host.refusal;
    if (failure !== undefined) throw failure;
    if (this.#ended) throw new GatewayError('SP_RECORDING_FAILED', { detail: 'it is sealed' });
  }
}
