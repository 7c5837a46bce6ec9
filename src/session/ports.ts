/**
 * What the session room needs of the others. It imports none of them: `main/` hands them in, and
 * the shapes below are all that it relies on.
 */
import type { Command, SessionContext } from '#core/command.ts';
import type { CredentialId, EpochMs, HoldId, PolicyVersion } from '#core/ids.ts';
import type { Identity } from '#core/identity.ts';
import type { MaskRule, MaskSet } from '#core/masking.ts';
import type { CredentialScope } from '#core/ports/credentials.ts';
import type { HoldRecord } from '#core/ports/holds.ts';
import type { LockSubject } from '#core/ports/locks.ts';
import type { TargetAuthorization } from '#core/permit.ts';
import type {
  AccountSecrets,
  HoldNotice,
  LoginAttempt,
  ScramKeys,
  SessionEnd,
} from '#core/protocol.ts';
import type { Tape } from '#core/tape.ts';
import type { Account, Target } from '#core/target.ts';
import type { Refusal, Verdict } from '#core/verdict.ts';
import type { Wire } from '#core/wire.ts';

/** What masks depend on. */
export type MaskedSession = Pick<SessionContext, 'identity' | 'target' | 'purpose'>;

/** One loaded policy. Immutable; a reload gives another object. */
export interface Policy {
  readonly version: PolicyVersion;
  decide(command: Command, now: EpochMs): Verdict;
  maskRules(session: MaskedSession): readonly MaskRule[];
  /** Whether a rule that can match the session reads facts. */
  readsFacts(context: SessionContext): boolean;
}

/** The policy in force. */
export interface PolicySource {
  current(): Policy;
  /** Calls back after each change; the returned function unsubscribes. */
  onChange(callback: () => void): () => void;
}

export type ApprovalResult =
  | {
      readonly outcome: 'approved';
      readonly approval: string;
      /** Identity ids of those who approved. */
      readonly reviewers: readonly string[];
      /** Ids of masks that all of them would lift for this command. */
      readonly lifted: readonly string[];
    }
  | { readonly outcome: 'refused'; readonly refusal: Refusal };

export interface ApprovalDesk {
  request(
    command: Command,
    verdict: Verdict,
    onHold: (notice: HoldNotice) => void,
    cancelled: AbortSignal,
  ): Promise<ApprovalResult>;
}

/** What became of holds. */
export interface HoldArchive {
  /** Throws GatewayError `SP_NOT_FOUND`. */
  show(id: HoldId): Promise<HoldRecord>;
}

export interface SessionTape extends Tape {
  seal(end: SessionEnd): Promise<unknown>;
}

export interface Recorder {
  /** Throws when the recording cannot be kept: then there is no session (law 5). */
  start(context: SessionContext): SessionTape | Promise<SessionTape>;
}

/** A proof that held: who it is, and what the credential is narrowed to. */
export interface Authenticated {
  readonly identity: Identity;
  /** The credential that was used, so that revoking it ends the session; undefined for a token. */
  readonly credential: CredentialId | undefined;
  /** What the credential is good for; undefined means everything that the grants allow. */
  readonly scope: CredentialScope | undefined;
}

export interface Authenticator {
  /** Throws GatewayError `SP_LOGIN_FAILED` (or `SP_EXPIRED`) with the reason in `facts`. */
  authenticate(proof: LoginAttempt['proof']): Promise<Authenticated>;
  scramKeys(credential: string): Promise<ScramKeys>;
  /** Whether a signature by this public key could be a proof. */
  knowsKey(key: Uint8Array): boolean;
}

export interface GrantedAccess {
  readonly allowed: true;
  readonly grant: string;
  readonly account: Account;
  readonly expiresAt: EpochMs;
  readonly features: readonly string[];
  readonly purpose: string | undefined;
}

/** What a session asks of the grants. */
export interface AccessWish {
  /** As the client named it; undefined: the grant's own. */
  readonly account: string | undefined;
  /** As the credential's scope names it; undefined: it names none. */
  readonly purpose: string | undefined;
}

export interface Directory {
  target(name: string): Target | undefined;
  /** The grant that lets the identity in, or why none does. */
  access(
    identity: Identity,
    target: Target,
    wish: AccessWish,
    now: EpochMs,
  ): GrantedAccess | { readonly allowed: false; readonly why: string };
}

export interface Locks {
  /** The lock that stops this subject now, or undefined. */
  check(subject: LockSubject): { readonly id: string; readonly reason: string } | undefined;
  onChange(callback: () => void): () => void;
}

export interface UpstreamPort {
  dial(authorization: TargetAuthorization, signal: AbortSignal): Promise<Wire>;
  secrets(account: Account): Promise<AccountSecrets>;
}

export type MaskSetFactory = (rules: readonly MaskRule[], version: string) => MaskSet;
