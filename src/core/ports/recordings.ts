import type { EpochMs, SessionId } from '../ids.ts';

export type RecordingState = 'open' | 'sealed' | 'recovered';

/** One line of the index of recordings: enough to find one, not enough to trust one. */
export interface RecordingEntry {
  readonly session: SessionId;
  readonly identity: string;
  readonly owner: string | undefined;
  readonly target: string;
  readonly account: string;
  readonly protocol: string;
  readonly state: RecordingState;
  readonly startedAt: EpochMs;
  readonly endedAt: EpochMs | undefined;
  readonly commands: number;
  readonly bytes: number;
}

export interface RecordingFilter {
  readonly identity?: string | undefined;
  readonly target?: string | undefined;
  /** Sessions that started at or after. */
  readonly since?: EpochMs | undefined;
  /** Sessions that started before; for paging. */
  readonly before?: EpochMs | undefined;
  readonly limit: number;
}

/** Finds recordings. Can be rebuilt from the recordings themselves, which are the truth. */
export interface RecordingIndex {
  /** Adds an entry, or replaces the one of the same session. */
  put(entry: RecordingEntry): Promise<void>;
  find(session: SessionId): Promise<RecordingEntry | undefined>;
  /** Newest first. */
  list(filter: RecordingFilter): Promise<readonly RecordingEntry[]>;
}
