/** What a rule is after it was compiled. Immutable, and free of anything that could fail. */
import type { MaskRule } from '#core/masking.ts';
import type { HoldTerms, LimitName, Outcome } from '#core/verdict.ts';
import type { Condition } from './expression.ts';
import type { Match } from './match.ts';

export interface CompiledRule {
  readonly id: string;
  readonly file: string;
  readonly line: number;
  readonly match: Match;
  /** All must hold: a template's, its own, both, or none (then it always matches). */
  readonly conditions: readonly Condition[];
  readonly outcome: Outcome;
  /** Present when the outcome is `hold`; of an allow rule, who may let through what is above. */
  readonly hold: HoldTerms | undefined;
  /** What it bounds while the command runs; only of an allow rule. */
  readonly limits: Readonly<Partial<Record<LimitName, number>>> | undefined;
  /** It matches only when this is used up; only of a deny or hold rule. */
  readonly budget: Budget | undefined;
  readonly reason: string;
  /** Reports only, decides nothing. */
  readonly observe: boolean;
  /** The inputs that its conditions read. */
  readonly reads: ReadonlySet<string>;
}

/** Commands that ask about masked values: so many in so long are free. */
export interface Budget {
  readonly maskedFilters: number;
  readonly perMs: number;
}

export interface CompiledMask {
  readonly rule: MaskRule;
  readonly match: Match;
  /** Identities and targets that are spared. */
  readonly unless: Match | undefined;
}
