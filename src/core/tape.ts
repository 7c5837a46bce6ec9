import type { AllowedCommand } from './permit.ts';
import type { Command } from './command.ts';
import type { Refusal, Verdict } from './verdict.ts';

/** Which way recorded bytes went, as the client saw them. */
export type Direction = 'from-client' | 'to-client';

/**
 * The recorder of one session, as the data path sees it: append-only, synchronous, bounded. Any
 * failure is thrown as `SP_RECORDING_FAILED` or `SP_RECORDING_SPACE` and ends the session.
 */
export interface Tape {
  /** Copies `bytes[start, end)`. Nothing is given to the kernel yet. */
  data(direction: Direction, bytes: Uint8Array, start: number, end: number): void;
  /** Indexes a command with its verdict; its bytes were recorded just before. */
  judged(command: Command, verdict: Verdict, result: AllowedCommand | Refusal): void;
  /** A note in the index: hold opened, approval given, lock, session state. Small and rare. */
  mark(kind: string, data: Readonly<Record<string, unknown>>): void;
  /**
   * Gives everything so far to the kernel; returns when it is there. Must be called before a
   * command is forwarded (law 1). One system call at most.
   */
  commit(): void;
  /** True when the recorder has fallen behind; then stop reading until `whenReady` calls back. */
  readonly behind: boolean;
  /** Calls back once, when `behind` is false again. */
  whenReady(callback: () => void): void;
}
