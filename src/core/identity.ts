import type { EpochMs, IdentityId } from './ids.ts';

export type Role = 'admin' | 'reviewer' | 'auditor' | 'member';

/**
 * Who acts. Made only from a verified credential; nothing in it was said by the client alone.
 */
export interface Identity {
  readonly id: IdentityId;
  readonly kind: 'workload' | 'human';
  /** Name of the issuer in the configuration. */
  readonly issuer: string;
  /** The issuer's own immutable name for it. */
  readonly subject: string;
  /** For people to read; never compared. */
  readonly displayName: string;
  /** Group names, as the issuer's mapping gives them. */
  readonly groups: readonly string[];
  readonly roles: readonly Role[];
  /** For a workload: the identity id or group that answers for it. */
  readonly owner: string | undefined;
  /** A workload may act for a person; both are recorded. */
  readonly onBehalfOf: IdentityId | undefined;
  /** Mapped claims that policies may read, for example `repository_id`. */
  readonly claims: Readonly<Record<string, string>>;
  /** The session ends at this time at the latest. */
  readonly expiresAt: EpochMs;
}
