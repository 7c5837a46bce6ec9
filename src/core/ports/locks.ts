import type { EpochMs, IdentityId, LockId } from '../ids.ts';

export type LockKind = 'identity' | 'owner' | 'target' | 'session';

/** A lock stops what it names at once, live sessions too, until it is removed or over. */
export interface Lock {
  readonly id: LockId;
  readonly kind: LockKind;
  /** Identity id, owner, target name or session id, compared exactly. */
  readonly value: string;
  readonly reason: string;
  /** Undefined: until somebody removes it. */
  readonly until: EpochMs | undefined;
  readonly createdBy: string;
  readonly createdAt: EpochMs;
}

/** Whom a lock is asked about. */
export interface LockSubject {
  readonly identity: IdentityId;
  readonly owner: string | undefined;
  readonly onBehalfOf: IdentityId | undefined;
  readonly target: string;
  readonly session: string | undefined;
}

/** Where locks are kept. */
export interface LockStore {
  list(): Promise<readonly Lock[]>;
  add(lock: Lock): Promise<void>;
  /** Answers false when there is no such lock. */
  remove(id: LockId): Promise<boolean>;
}
