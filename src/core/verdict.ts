import type { HoldId, PolicyVersion } from './ids.ts';
import type { ErrorCode } from './errors.ts';

export type Outcome = 'allow' | 'hold' | 'deny';

/** Who may release a held command, and for how long. */
export interface HoldTerms {
  /** `group:dba`, `identity:…`, `role:reviewer`. Never empty. */
  readonly reviewers: readonly string[];
  /** Distinct people that must approve. */
  readonly approvals: number;
  /** How long the command waits for them. */
  readonly waitMs: number;
  /** How long an approval can be spent after it was given. */
  readonly validMs: number;
  /** How the rule wants it answered; as the session asks when absent. */
  readonly mode?: 'wait' | 'refuse';
  /** What other hold rules that match ask for; each must be met as well. */
  readonly also?: readonly HoldRequirement[];
  /** Ids of masks that an approval may lift for the one command; none when absent. */
  readonly mayLift?: readonly string[];
}

/** The reviewers that a further rule asks for. */
export interface HoldRequirement {
  readonly rule: string;
  readonly reviewers: readonly string[];
  readonly approvals: number;
}

/**
 * What a rule can bound while a command runs. `rowsReturned` and `bytes`: what comes back. `time`:
 * milliseconds from when the target has it. `rowsAffected`: rows that it adds, changes or removes,
 * wherever they are. `rowsAffectedTotal`: such rows of one table, over a whole session.
 */
export type LimitName = 'rowsReturned' | 'bytes' | 'time' | 'rowsAffected' | 'rowsAffectedTotal';

/** A bound, and the rule that set it. */
export interface RunLimit {
  readonly max: number;
  readonly rule: string;
}

/** What binds an allowed command while it runs: of every rule that fits it, the strictest. */
export interface RunLimits {
  readonly bounds: Readonly<Partial<Record<LimitName, RunLimit>>>;
  /** Who may let through a write above its bounds; nobody may when it is undefined. */
  readonly release: { readonly rule: string; readonly terms: HoldTerms } | undefined;
}

/** What a running command met: a bound, or that it cannot be kept. */
export interface Excess {
  readonly limit: LimitName;
  readonly max: number;
  /** How much it was when it was stopped; undefined when it could not be measured. */
  readonly found: number | undefined;
  /** What was counted, or why it was not, for people: names and numbers, no values. */
  readonly detail: string;
}

/** What the policy says of one command. */
export interface Verdict {
  readonly outcome: Outcome;
  /** Id of the deciding rule; `default` when no rule matched. */
  readonly rule: string;
  readonly reason: string;
  readonly policy: PolicyVersion;
  /** Present when the outcome is `hold`. */
  readonly hold: HoldTerms | undefined;
  /** What binds it while it runs; only of a command that is allowed. */
  readonly limits?: RunLimits;
  /** What rules in `observe` mode would have said; they decide nothing. */
  readonly observed: readonly { readonly rule: string; readonly outcome: Outcome }[];
}

/** A command that does not run, and what its sender is told. */
export interface Refusal {
  readonly refused: true;
  readonly code: ErrorCode;
  readonly rule: string;
  /** One sentence, free of data. */
  readonly reason: string;
  /** What the sender can do about it. */
  readonly hint: string;
  readonly hold: HoldId | undefined;
  /** Whether the session ends with it (locks, expiry, lost recordings). */
  readonly endsSession: boolean;
}

/** What has to be met to release a held command: the rule's own requirement, then the others. */
export function requirementsOf(rule: string, terms: HoldTerms): readonly HoldRequirement[] {
  const { reviewers, approvals } = terms;
  return [{ rule, reviewers, approvals }, ...(terms.also ?? [])];
}

/**
 * Whether an approval given under `before` is good for a command that is held under `after`: only
 * if the same rules ask for the same people. Times may differ; an approval keeps its own.
 */
export function sameRequirements(
  before: { readonly rule: string; readonly hold: HoldTerms },
  after: { readonly rule: string; readonly hold: HoldTerms },
): boolean {
  const text = ({ rule, hold }: typeof before): string =>
    JSON.stringify(
      requirementsOf(rule, hold).map((each) => [each.rule, each.reviewers, each.approvals]),
    );
  return text(before) === text(after);
}
