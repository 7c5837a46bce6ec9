/**
 * Proofs that the compiler checks. A command can be written upstream only with an
 * {@link AllowedCommand}, a target can be dialled only with a {@link TargetAuthorization}. Both
 * have private constructors; their mints are importable by `session/` alone (checked by the import
 * graph), so the places to audit are two.
 */
import type { Command, SessionContext } from './command.ts';
import type { DecisionId } from './ids.ts';
import type { Account, Target } from './target.ts';
import type { RunLimits } from './verdict.ts';

/** What a permit allows besides running the command. */
interface Extent {
  /** What whoever runs it has to bound. */
  readonly limits?: RunLimits | undefined;
  /** Ids of masks that an approval lifted for this one command. */
  readonly lifted?: readonly string[];
}

let mintCommand: (command: Command, decision: DecisionId, extent: Extent) => AllowedCommand;
let mintTarget: (context: SessionContext, account: Account) => TargetAuthorization;

/** Proof that policy, and a reviewer where it asked for one, allowed exactly this command. */
export class AllowedCommand {
  readonly #proof = true;
  readonly refused = false;
  readonly command: Command;
  readonly decision: DecisionId;
  /** Ids of masks that an approval lifted for this one command. */
  readonly liftedMasks: readonly string[];
  /** What whoever runs it has to bound. */
  readonly limits: RunLimits | undefined;

  private constructor(command: Command, decision: DecisionId, { limits, lifted = [] }: Extent) {
    this.command = command;
    this.decision = decision;
    this.liftedMasks = lifted;
    this.limits = limits;
  }

  static {
    mintCommand = (command, decision, extent) => new AllowedCommand(command, decision, extent);
  }

  /** True for an instance that the mint made; a look-alike throws or answers false. */
  static isGenuine(value: AllowedCommand): boolean {
    return #proof in value && value.#proof;
  }
}

/** Proof that a grant lets this identity reach this target with this account, now. */
export class TargetAuthorization {
  readonly #proof = true;
  readonly context: SessionContext;
  readonly account: Account;

  private constructor(context: SessionContext, account: Account) {
    this.context = context;
    this.account = account;
  }

  /** The only target that may be dialled with it; never resolved a second time. */
  get target(): Target {
    return this.context.target;
  }

  static {
    mintTarget = (context, account) => new TargetAuthorization(context, account);
  }

  static isGenuine(value: TargetAuthorization): boolean {
    return #proof in value && value.#proof;
  }
}

/** Makes the proof; importable by `session/gate.ts` only. */
export const mintAllowedCommand = (
  command: Command,
  decision: DecisionId,
  extent: Extent = {},
): AllowedCommand => mintCommand(command, decision, extent);

/** Makes the proof; importable by `session/admission.ts` only. */
export const mintTargetAuthorization = (
  context: SessionContext,
  account: Account,
): TargetAuthorization => mintTarget(context, account);
