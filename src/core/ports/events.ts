import type { AuditEvent } from '../events.ts';

/** Reads stored events. */
export interface EventReader {
  /** Events with a number above `after`, in order, at most `limit`. */
  after(after: number, limit: number): Promise<readonly AuditEvent[]>;
}

/** The one writer of stored events. Numbers arrive without gaps and are never written twice. */
export interface EventWriter {
  /** The highest number that is stored; 0 when there is none. */
  readonly lastNumber: number;
  /**
   * Stores a batch, in order, whole or not at all; resolves when it would survive a power cut.
   * Rejects when it could not be stored: then the same batch may be tried again.
   */
  append(batch: readonly AuditEvent[]): Promise<void>;
  close(): Promise<void>;
}
