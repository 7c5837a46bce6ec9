/**
 * What `sallyport policy` works with. `policy/` implements it; the command line only prints.
 */
import type { SessionContext } from '../command.ts';
import type { Facts } from '../facts.ts';
import type { History } from '../history.ts';
import type { EpochMs } from '../ids.ts';
import type { Identity } from '../identity.ts';
import type { MaskRule } from '../masking.ts';
import type { AnalysedCommand } from '../protocol.ts';
import type { Target } from '../target.ts';
import type { Outcome, RunLimits } from '../verdict.ts';

/** A policy file as it was read. */
export interface PolicyText {
  readonly path: string;
  readonly text: string;
}

/** What is in a policy that loads, or all that is wrong with it, as `file:line:column: …`. */
export type PolicyCheck =
  | {
      readonly ok: true;
      readonly version: string;
      readonly rules: number;
      readonly masks: number;
      readonly tests: number;
    }
  | { readonly ok: false; readonly problems: readonly string[] };

/** What became of one test of a policy or a template. */
export interface PolicyTestResult {
  readonly name: string;
  readonly ok: boolean;
  /** What was expected and what came, when they differ. */
  readonly message: string;
}

/** The masks that a policy has for one identity at one target. */
export interface PolicyMasks {
  readonly rules: readonly MaskRule[];
  /** The policy's version. */
  readonly version: string;
}

/** Analyses an input as its protocol would in that session, under those masks. */
export type PolicyAnalyser = (
  input: unknown,
  context: SessionContext,
  masks: PolicyMasks,
) => Promise<readonly AnalysedCommand[]>;

/** What `explain` needs to know of the world. */
export interface PolicyWorld {
  readonly now: EpochMs;
  /** The target of that name, as configured. */
  target(name: string): Target | undefined;
  /** An identity that the gateway has seen. */
  identity(id: string): Promise<Identity | undefined>;
  /** Account and namespace of a request that names none. */
  place(target: Target): { readonly account: string; readonly namespace: string };
  readonly analyse: PolicyAnalyser;
  /** What the gateway remembers of that session's identity; all is new where this is absent. */
  past?(session: SessionContext, masks: PolicyMasks): Promise<(facts: Facts) => History>;
}

/** One rule and why it matches or not. */
export interface ExplainedRule {
  readonly rule: string;
  readonly outcome: Outcome;
  readonly mode: 'enforce' | 'observe';
  /** `file:line` */
  readonly where: string;
  readonly matched: boolean;
  readonly because: string;
}

/** One command of an input, judged. */
export interface ExplainedCommand {
  readonly text: string;
  readonly facts: Facts;
  readonly verdict: Outcome;
  readonly rule: string;
  readonly reason: string;
  readonly observed: readonly { readonly rule: string; readonly outcome: Outcome }[];
  /** What would bind it while it runs. */
  readonly limits?: RunLimits;
  /** Every rule with why it matches or not; worked out when asked. */
  readonly rules: () => readonly ExplainedRule[];
}

/** What a request calls itself, given back as it was. */
export type RequestId = string | number | undefined;

/** The answer to one request; the verdict is the strictest of its commands'. */
export type Explanation =
  | {
      readonly ok: true;
      readonly id: RequestId;
      /** False when the request named an identity that the gateway has not seen. */
      readonly identityKnown: boolean;
      readonly verdict: Outcome;
      readonly rule: string;
      readonly reason: string;
      readonly policy: string;
      /** Facts of all commands together. */
      readonly facts: Facts;
      readonly commands: readonly ExplainedCommand[];
    }
  | { readonly ok: false; readonly id: RequestId; readonly error: string };

/** A command that was decided before, as far as rules look at it. */
export interface PastCommand {
  readonly id: string;
  readonly at: EpochMs;
  readonly identity: Identity;
  readonly target: Target;
  readonly account: string;
  readonly namespace: string;
  readonly purpose?: string | undefined;
  readonly session: string;
  readonly kind: 'execute' | 'prepare';
  readonly text: string;
  readonly parameterCount: number;
  readonly facts: Facts;
  /** What its identity had done by then; undefined when that was not recorded. */
  readonly history?: History | undefined;
  readonly verdict: { readonly outcome: Outcome; readonly rule: string };
}

/** A decision that another policy would have made differently. */
export interface PolicyChange {
  readonly command: PastCommand;
  readonly before: { readonly outcome: Outcome; readonly rule: string };
  readonly after: { readonly outcome: Outcome; readonly rule: string; readonly reason: string };
}

export interface PolicyTools {
  check(files: readonly PolicyText[]): PolicyCheck;
  /** The tests of the files, then those of the templates. Throws `SP_CONFIG` if it does not load. */
  test(
    files: readonly PolicyText[],
    analyse: PolicyAnalyser | undefined,
  ): Promise<readonly PolicyTestResult[]>;
  /**
   * A function that explains one request, an object with `input`, `target`, and if wanted `id`,
   * `protocol`, `identity`, `account`, `namespace`, `kind`, `startup` (parameters of the session's
   * start). Throws `SP_CONFIG` if the policy does not load.
   */
  explainer(
    files: readonly PolicyText[],
    world: PolicyWorld,
  ): (request: unknown) => Promise<Explanation>;
  /**
   * What would change under `files`, against what was decided then.
   *
   * @param onCommand - called for each command that was looked at.
   */
  simulate(
    files: readonly PolicyText[],
    commands: AsyncIterable<PastCommand> | Iterable<PastCommand>,
    onCommand: () => void,
  ): AsyncIterable<PolicyChange>;
}
