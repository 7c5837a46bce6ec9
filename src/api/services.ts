/**
 * What the API needs of the other rooms. It imports none of them: `main/` hands them in, and the
 * shapes below are all that it relies on.
 */
import type { Clock } from '#core/clock.ts';
import type { SessionContext } from '#core/command.ts';
import type { EventLog } from '#core/events.ts';
import type { Identity } from '#core/identity.ts';
import type { CredentialId, EpochMs, HoldId, LockId } from '#core/ids.ts';
import type { EventReader } from '#core/ports/events.ts';
import type { ExchangeAnswer, ExchangeRefusal } from '#core/ports/exchange.ts';
import type { HoldOpinion, HoldRecord } from '#core/ports/holds.ts';
import type { Lock, LockKind, LockSubject } from '#core/ports/locks.ts';
import type { RecordingArchive } from '#core/ports/recording-archive.ts';
import type { Secret } from '#core/secret.ts';

/** A live session, as the session room lists it. */
export interface SessionEntry {
  readonly context: SessionContext;
  readonly startedAt: EpochMs;
  readonly expiresAt: EpochMs;
  readonly grant: string;
}

/** One thing that has to be well before the gateway can serve. */
export interface HealthCheck {
  readonly name: string;
  readonly ok: boolean;
}

export interface ApiServices {
  readonly authenticator: {
    authenticateBearer(secret: Secret): Promise<{ readonly identity: Identity }>;
  };
  readonly exchange: {
    exchange(form: URLSearchParams): Promise<ExchangeAnswer | ExchangeRefusal>;
  };
  readonly approvals: {
    list(): readonly HoldRecord[];
    recent(count: number): Promise<readonly HoldRecord[]>;
    show(id: HoldId): Promise<HoldRecord>;
    review(id: HoldId, reviewer: Identity, opinion: HoldOpinion): Promise<HoldRecord>;
  };
  readonly locks: {
    check(subject: LockSubject): { readonly id: string } | undefined;
    list(): readonly Lock[];
    add(order: {
      readonly kind: LockKind;
      readonly value: string;
      readonly reason: string;
      readonly until: EpochMs | undefined;
      readonly by: string;
    }): Promise<Lock>;
    remove(id: LockId, by: string): Promise<boolean>;
  };
  readonly credentials: {
    /** Revokes one, ends its sessions and tells of it; false when there was nothing to revoke. */
    revoke(id: CredentialId, by: string): Promise<boolean>;
    /** Every credential of an identity; answers their ids. */
    revokeOf(identity: string, by: string): Promise<readonly CredentialId[]>;
  };
  readonly sessions: { list(): readonly SessionEntry[] };
  readonly recordings: Pick<RecordingArchive, 'list' | 'summary'>;
  readonly events: EventReader;
  readonly eventLog: EventLog;
  readonly health: { ready(): Promise<readonly HealthCheck[]> };
  readonly clock: Clock;
  /** For the operator's log: what failed here and is not the client's doing. */
  readonly warn: (message: string, error: Error) => void;
}
