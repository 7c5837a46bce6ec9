import type { Facts } from '../facts.ts';
import type { Deed } from '../history.ts';
import type {
  ApprovalId,
  CommandId,
  EpochMs,
  HoldId,
  IdentityId,
  PolicyVersion,
  SessionId,
} from '../ids.ts';
import type { ProtocolName } from '../target.ts';
import type { HoldTerms } from '../verdict.ts';

/**
 * `pending` waits for reviewers; `approved` can be spent once, until it expires. The others are
 * final: `spent` ran, `denied` by a reviewer, `timeout` nobody approved in time, `expired` approved
 * but never sent again, `cancelled` its sender left, was locked, or the gateway restarted.
 */
export type HoldState =
  | 'pending'
  | 'approved'
  | 'spent'
  | 'denied'
  | 'timeout'
  | 'expired'
  | 'cancelled';

/** A bound value as reviewers see it: nothing is lost, `hex` where it is not text. */
export interface ShownValue {
  readonly type: string;
  readonly value:
    | { readonly kind: 'null' }
    | { readonly kind: 'text'; readonly text: string }
    | { readonly kind: 'hex'; readonly hex: string };
}

/** Who sent a held command, as its credential said. */
export interface HoldRequester {
  readonly id: IdentityId;
  readonly kind: 'workload' | 'human';
  readonly displayName: string;
  readonly groups: readonly string[];
  readonly owner: string | undefined;
  readonly onBehalfOf: IdentityId | undefined;
}

/** Everything that a reviewer decides about: whole, never cut. Plain data, fit for JSON. */
export interface HeldCommand {
  readonly id: CommandId;
  readonly session: SessionId;
  readonly protocol: ProtocolName;
  readonly requester: HoldRequester;
  readonly target: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly account: string;
  readonly namespace: string;
  /** What the grant says that the session is for. */
  readonly purpose?: string | undefined;
  /** State of the session that gives the text its meaning. */
  readonly sessionState: string;
  readonly text: string;
  readonly parameters: readonly ShownValue[];
  readonly facts: Facts;
  /** What of it the requester never did at the target before. */
  readonly novel?: readonly Deed[];
  readonly clientAddress: string;
  /** What the client calls itself; believed by nobody. */
  readonly clientName: string;
}

/** What one person said. */
export interface HoldReview {
  readonly reviewer: IdentityId;
  readonly displayName: string;
  readonly decision: 'approve' | 'deny';
  readonly reason: string;
  readonly at: EpochMs;
  /** Masks that this person would lift; absent means none. */
  readonly lift?: readonly string[];
  /** Which of the hold's requirements this person may meet: 0 is the rule's own, then `also`. */
  readonly meets: readonly number[];
}

/** What a person says of a hold. */
export interface HoldOpinion {
  readonly decision: 'approve' | 'deny';
  readonly reason: string;
  /** Ids of masks to lift for the one command; each must be one that the hold's terms name. */
  readonly lift?: readonly string[];
}

/** A hold in one revision. */
export interface HoldRecord {
  readonly id: HoldId;
  /** 1 when opened, one more with each change. */
  readonly revision: number;
  readonly state: HoldState;
  /** Whether its sender waits, or was told to come back with the same command. */
  readonly mode: 'wait' | 'refuse';
  /** Hex SHA-256 of exactly what may run; see `digestInput`. */
  readonly digest: string;
  readonly command: HeldCommand;
  readonly rule: string;
  readonly reason: string;
  readonly policy: PolicyVersion;
  readonly terms: HoldTerms;
  readonly reviews: readonly HoldReview[];
  readonly openedAt: EpochMs;
  /** When waiting for reviewers ends. */
  readonly expiresAt: EpochMs;
  readonly approval: ApprovalId | undefined;
  /** When the approval can no longer be spent. */
  readonly validUntil: EpochMs | undefined;
  readonly closedAt: EpochMs | undefined;
}

/** Where holds are kept. */
export interface HoldStore {
  /**
   * Keeps a revision; atomic. Answers false, and changes nothing, unless the revision before it
   * (none for revision 1) is what is kept. So two nodes cannot spend one approval.
   */
  put(hold: HoldRecord): Promise<boolean>;
  find(id: HoldId): Promise<HoldRecord | undefined>;
  /** Those that are `pending` or `approved`. */
  live(): Promise<readonly HoldRecord[]>;
  /** The `count` newest in any state, newest first. */
  recent(count: number): Promise<readonly HoldRecord[]>;
  /** Forgets those that were closed before `before`. */
  purge(before: EpochMs): Promise<void>;
}
