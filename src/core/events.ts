import type { EpochMs } from './ids.ts';

/**
 * The audit facts that the gateway tells, by type. The catalogue in `events/` has a schema and an
 * example for each; `data` holds names, ids, verdicts and counts, never values of results.
 */
export const eventTypes = [
  'gateway.started',
  'gateway.stopped',
  'config.loaded',
  'config.rejected',
  'policy.loaded',
  'policy.rejected',
  'login.failed',
  'credential.issued',
  'credential.revoked',
  'session.started',
  'session.ended',
  'command.judged',
  'command.limited',
  'hold.opened',
  'hold.reviewed',
  'hold.closed',
  'lock.added',
  'lock.removed',
  'lock.enforced',
  'recording.sealed',
  'recording.recovered',
  'recording.read',
  'recording.failed',
  'alarm.raised',
] as const;

export type EventType = (typeof eventTypes)[number];

/** What a room says; the number, the id and the time are the event log's. */
export interface EventDraft {
  readonly type: EventType;
  /** Who did it: identity id, or `system`. */
  readonly actor: string;
  readonly session: string | undefined;
  readonly target: string | undefined;
  readonly data: Readonly<Record<string, unknown>>;
}

/** An event as stored and delivered. */
export interface AuditEvent extends EventDraft {
  /** Gap-free, rising by one, per installation. */
  readonly number: number;
  readonly id: string;
  readonly at: EpochMs;
}

/** Where rooms tell events. */
export interface EventLog {
  /** Queues; cheap; never blocks. Throws `SP_STORE` when the queue is full (fails closed). */
  emit(draft: EventDraft): void;
  /** As `emit`, and resolves when it is stored: for changes that must not be lost. */
  commit(draft: EventDraft): Promise<AuditEvent>;
}
