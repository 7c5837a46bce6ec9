import type { EpochMs } from '../ids.ts';
import type { Identity } from '../identity.ts';

/** An identity that the gateway has met. */
export interface SeenIdentity {
  readonly identity: Identity;
  readonly firstSeenAt: EpochMs;
  readonly lastSeenAt: EpochMs;
}

/** Who was here: for people to look up, and to offer when they write rules. Decides nothing. */
export interface SeenIdentities {
  seen(identity: Identity, at: EpochMs): Promise<void>;
  find(id: string): Promise<SeenIdentity | undefined>;
  /** Last seen first. */
  list(limit: number): Promise<readonly SeenIdentity[]>;
}
