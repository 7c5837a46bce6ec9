/**
 * Recordings as the command line, the API and the session room see them. `recording/` implements
 * this; the format itself is in `docs/recording-format.md`.
 */
import type { EventDraft } from '../events.ts';
import type { EpochMs } from '../ids.ts';
import type { Identity } from '../identity.ts';
import type { Direction } from '../tape.ts';

/** A recording that is whole and signed to its end. */
export interface SealedRecording {
  readonly session: string;
  readonly path: string;
  /** Hash of the seal block, hex: commits to every byte of the recording. */
  readonly hash: string;
  readonly blocks: number;
  readonly bytes: number;
  readonly startedAt: EpochMs;
  readonly endedAt: EpochMs;
}

/** Where sessions are entered when they open and when they are sealed, so that a gap shows. */
export interface RecordingLedger {
  /** Resolves when the entry is kept; what it gives is written into the recording's context. */
  opened(session: string, startedAt: EpochMs): Promise<string>;
  sealed(recording: SealedRecording): Promise<void>;
}

/** Takes finished recordings for search; reads them through the archive. */
export interface RecordingSearch {
  sealed(recording: SealedRecording): void;
}

/** `open`: being written, or left by a crash. */
export type ArchiveState = 'open' | 'sealed' | 'recovered' | 'damaged';

/** What a recording says of its session. Not proven until it is verified. */
export interface RecordingSummary {
  readonly session: string;
  readonly path: string;
  readonly state: ArchiveState;
  readonly startedAt: number;
  readonly endedAt: number | undefined;
  readonly identity: string;
  readonly identityName: string;
  readonly owner: string | undefined;
  readonly target: string;
  readonly account: string;
  readonly namespace: string;
  readonly protocol: string;
  readonly clientAddress: string;
  readonly clientName: string;
  readonly gateway: string;
  readonly encrypted: boolean;
  readonly bytes: number;
  /** Unknown while it is open, and for a recovered one. */
  readonly commands: number | undefined;
  readonly endReason: string;
  readonly endDetail: string;
}

/** Whom and what rules looked at in a session. As the recording says, not proven either. */
export interface RecordedSubject {
  readonly identity: Identity;
  readonly target: { readonly name: string; readonly labels: Readonly<Record<string, string>> };
  readonly purpose?: string | undefined;
}

/** A bound value, exactly as it was; null is SQL's NULL. */
export interface RecordedParameter {
  readonly type: string;
  readonly format: 'text' | 'binary';
  readonly bytes: Uint8Array | null;
}

/** A command with what was decided about it. */
export interface RecordedCommand {
  readonly id: string;
  /** Microseconds from the session's start. */
  readonly atUs: number;
  readonly kind: string;
  readonly text: string;
  readonly parameters: readonly RecordedParameter[];
  readonly state: string;
  /** The facts as JSON, as the analyser gave them. */
  readonly facts: string;
  /** What its identity did before, as JSON; empty when it was not recorded. */
  readonly history: string;
  /** Undefined when the recording ends between the command and its verdict. */
  readonly verdict: RecordedVerdict | undefined;
}

export interface RecordedVerdict {
  readonly outcome: string;
  readonly rule: string;
  readonly reason: string;
  readonly policy: string;
  /** Whether it was forwarded. */
  readonly allowed: boolean;
  /** Id of the decision; empty when it was refused. */
  readonly decision: string;
  readonly liftedMasks: readonly string[];
  /** Code and reason of the refusal; empty when it was allowed. */
  readonly code: string;
  readonly refusal: string;
  readonly hold: string | undefined;
}

/** What is wrong with a recording, and where. */
export interface RecordingProblem {
  readonly kind:
    | 'not-a-recording'
    | 'malformed'
    | 'truncated'
    | 'unsealed'
    | 'edited'
    | 'missing'
    | 'reordered'
    | 'spliced'
    | 'wrong-key'
    | 'trailing'
    | 'unreadable';
  /** The first block that is wrong; the context is 0. */
  readonly block: number;
  /** Where in the file it starts. */
  readonly offset: number;
  readonly detail: string;
}

/** What verification found for one file. */
export interface VerifyReport {
  readonly path: string;
  readonly session: string;
  /** `recovered` holds too, but says that the gateway died and completed it on its next start. */
  readonly verdict: 'verified' | 'recovered' | 'failed';
  readonly problem: RecordingProblem | undefined;
  /** Blocks that were checked and hold. */
  readonly blocks: number;
  readonly bytes: number;
  /** Keys that signed it. */
  readonly keyIds: readonly string[];
  /** Hash of the seal; empty unless it holds. */
  readonly hash: string;
  /** What recovery said is lost. */
  readonly lost: string | undefined;
}

/** Turns recorded bytes of one protocol into lines for a person. Stateful, bounded, never throws. */
export interface ReplayRenderer {
  /** What is complete now. The bytes are valid only during the call. */
  render(direction: Direction, bytes: Uint8Array): readonly string[];
}

/** One line of a replay. */
export interface ReplayLine {
  readonly atUs: number;
  readonly kind: 'session' | 'command' | 'verdict' | 'answer' | 'mark' | 'end' | 'problem';
  readonly text: string;
}

/** What an export can be. */
export const exportFormats = ['ndjson', 'sql', 'raw', 'asciicast'] as const;
export type ExportFormat = (typeof exportFormats)[number];

/** Who reads, and with what. Every reading is told before the first byte is given. */
export interface Reading {
  /** Identity id, or a name of the operating system's user. */
  readonly reader: string;
  /** age identities (`AGE-SECRET-KEY-…`) for encrypted recordings. */
  readonly identities: readonly string[];
}

/** Tells that a recording is read; rejects when it cannot be told, and then nothing is read. */
export type TellReading = (draft: EventDraft) => Promise<unknown>;

export interface ListFilter {
  readonly identity: string | undefined;
  readonly target: string | undefined;
  readonly since: EpochMs | undefined;
  readonly limit: number;
}

/** Reads recordings. Every method takes a session id or a path. */
export interface RecordingArchive {
  /** Newest first; reads contexts and seals only. */
  list(filter: ListFilter): Promise<readonly RecordingSummary[]>;
  /** @throws GatewayError `SP_NOT_FOUND`, `SP_FORBIDDEN` when no identity opens it. */
  summary(recording: string): Promise<RecordingSummary>;
  /**
   * The identity and the target as they were when the session began.
   *
   * @throws GatewayError `SP_NOT_FOUND` when there is no recording, or it does not say.
   */
  subject(recording: string): Promise<RecordedSubject>;
  /** Commands in order, then the problem if there is one. */
  commands(
    recording: string,
    reading: Reading,
  ): AsyncIterable<RecordedCommand | { readonly problem: RecordingProblem }>;
  replay(recording: string, reading: Reading): AsyncIterable<ReplayLine>;
  export(recording: string, format: ExportFormat, reading: Reading): AsyncIterable<Uint8Array>;
  /** Needs nothing but files and keys (SPKI PEM). No reading is told: nothing is shown. */
  verify(paths: readonly string[], publicKeys: readonly string[]): Promise<readonly VerifyReport[]>;
  /** Public keys that the gateway kept, SPKI PEM by key id. */
  publicKeys(): ReadonlyMap<string, string>;
}
