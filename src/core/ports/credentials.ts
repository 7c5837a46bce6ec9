import type { CredentialId, EpochMs } from '../ids.ts';
import type { Identity } from '../identity.ts';

/** What a credential is narrowed to. An empty list means: everything that the grants allow. */
export interface CredentialScope {
  readonly targets: readonly string[];
  readonly accounts: readonly string[];
  /** The purpose that its sessions have; absent when it names none. */
  readonly purpose?: string | undefined;
}

/** An issued credential as kept: enough to check it, not enough to use it. */
export interface CredentialRecord {
  readonly id: CredentialId;
  /** Hex SHA-256 of the whole token. */
  readonly hash: string;
  /** Who holds it, as verified when it was issued. */
  readonly identity: Identity;
  readonly scope: CredentialScope;
  /** SCRAM-SHA-256 keys (RFC 5802), base64; the salt follows from the id. */
  readonly scram: { readonly storedKey: string; readonly serverKey: string };
  readonly issuedAt: EpochMs;
  readonly expiresAt: EpochMs;
  readonly revokedAt: EpochMs | undefined;
}

/** Where issued credentials are kept. */
export interface CredentialStore {
  add(record: CredentialRecord): Promise<void>;
  find(id: CredentialId): Promise<CredentialRecord | undefined>;
  /** Answers false when there is no such credential, or it was revoked before. */
  revoke(id: CredentialId, at: EpochMs): Promise<boolean>;
  /** Revokes every credential of an identity that is not yet over; answers their ids. */
  revokeOf(identity: string, at: EpochMs): Promise<readonly CredentialId[]>;
  /** Forgets what expired before `before`. */
  purge(before: EpochMs): Promise<void>;
}
