/**
 * The gate of one session: the only place where a permit for a command is made.
 *
 * Invariants. A permit exists only after the policy in force allowed the command (or a reviewer
 * released it and the policy still does not deny it), and after command and verdict are in the
 * kernel's hands. Whatever throws on the way refuses the command.
 */
import type { Command } from '#core/command.ts';
import type { Clock } from '#core/clock.ts';
import { type ErrorCode, errorTable, toGatewayError } from '#core/errors.ts';
import type { EventLog } from '#core/events.ts';
import { asId, type DecisionId } from '#core/ids.ts';
import { type AllowedCommand, mintAllowedCommand } from '#core/permit.ts';
import type { HoldNotice } from '#core/protocol.ts';
import type { Tape } from '#core/tape.ts';
import { type Refusal, sameRequirements, type Verdict } from '#core/verdict.ts';
import type { ApprovalDesk, PolicySource } from './ports.ts';

export interface GateParts {
  readonly policies: PolicySource;
  readonly approvals: ApprovalDesk;
  readonly tape: Tape;
  readonly events: EventLog;
  readonly clock: Clock;
  /** Set once the session has to end; every later command gets it. */
  readonly ended: () => Refusal | undefined;
  /** Ends the session: the evidence can no longer be kept. */
  readonly end: (refusal: Refusal) => void;
}

type Judgement = AllowedCommand | Refusal;

/** A refusal with the words of the error table. */
export function refuse(
  code: ErrorCode,
  options: Partial<Omit<Refusal, 'refused' | 'code'>> = {},
): Refusal {
  return {
    refused: true,
    code,
    rule: options.rule ?? '',
    reason: options.reason ?? errorTable[code].text,
    hint: options.hint ?? '',
    hold: options.hold,
    endsSession: options.endsSession ?? false,
  };
}

export class Gate {
  readonly #parts: GateParts;
  #decisions = 0;

  constructor(parts: GateParts) {
    this.#parts = parts;
  }

  /** @see Stages.gate */
  judge(
    command: Command,
    onHold: (notice: HoldNotice) => void,
    cancelled: AbortSignal,
  ): Judgement | Promise<Judgement> {
    const over = this.#parts.ended();
    if (over !== undefined) return over;
    try {
      const verdict = this.#parts.policies.current().decide(command, this.#parts.clock.now());
      if (verdict.outcome === 'hold' && command.kind === 'execute') {
        return this.#hold(command, verdict, onHold, cancelled);
      }
      return this.#settle(command, verdict, verdict.outcome === 'deny' ? denial(verdict) : 'allow');
    } catch (thrown) {
      return this.#lost(thrown);
    }
  }

  async #hold(
    command: Command,
    verdict: Verdict,
    onHold: (notice: HoldNotice) => void,
    cancelled: AbortSignal,
  ): Promise<Judgement> {
    const { tape, approvals, policies, clock } = this.#parts;
    try {
      const result = await approvals.request(
        command,
        verdict,
        (notice) => {
          tape.mark('hold.opened', { command: command.id, hold: notice.hold, rule: notice.rule });
          tape.commit();
          onHold(notice);
        },
        cancelled,
      );
      const over = this.#parts.ended();
      if (over !== undefined) return this.#settle(command, verdict, over);
      if (result.outcome === 'refused') return this.#settle(command, verdict, result.refusal);
      // Minutes may have passed: the policy in force now must still let a reviewer decide.
      const again = policies.current().decide(command, clock.now());
      if (again.outcome === 'deny') return this.#settle(command, again, denial(again));
      // Other people have to be asked now: what was given is not good for that.
      if (asksOthers(verdict, again)) return this.#hold(command, again, onHold, cancelled);
      tape.mark('hold.approved', {
        command: command.id,
        approval: result.approval,
        reviewers: result.reviewers,
      });
      return this.#settle(command, again, 'allow');
    } catch (thrown) {
      return this.#lost(thrown);
    }
  }

  /** Writes the evidence, then gives the answer. The order is the point. */
  #settle(command: Command, verdict: Verdict, answer: 'allow' | Refusal): Judgement {
    const { tape, events } = this.#parts;
    this.#decisions += 1;
    const decision: DecisionId = asId(`${command.id}/${this.#decisions}`);
    const result = answer === 'allow' ? mintAllowedCommand(command, decision) : answer;
    tape.judged(command, verdict, result);
    events.emit({
      type: 'command.judged',
      actor: command.context.identity.id,
      session: command.context.session,
      target: command.context.target.name,
      data: {
        command: command.id,
        kind: command.kind,
        verdict: verdict.outcome,
        forwarded: answer === 'allow',
        code: answer === 'allow' ? null : answer.code,
        rule: verdict.rule,
        observed: verdict.observed,
        policy: verdict.policy,
        verbs: command.facts.verbs,
        effects: command.facts.effects,
        analysis: command.facts.analysis,
        fingerprint: command.facts.fingerprint,
      },
    });
    tape.commit();
    return result;
  }

  /** Fails closed: no evidence or no verdict means no command, and no session either. */
  #lost(thrown: unknown): Refusal {
    const error = toGatewayError(thrown);
    const refusal = refuse(error.code, {
      reason: errorTable[error.code].text,
      hint: 'The gateway could not judge or record this command; the session ends.',
      endsSession: true,
    });
    this.#parts.end(refusal);
    return refusal;
  }
}

function asksOthers(before: Verdict, after: Verdict): boolean {
  if (before.hold === undefined || after.hold === undefined) return false;
  return !sameRequirements(
    { rule: before.rule, hold: before.hold },
    { rule: after.rule, hold: after.hold },
  );
}

function denial(verdict: Verdict): Refusal {
  return refuse('SP_POLICY_DENIED', {
    rule: verdict.rule,
    reason: verdict.reason,
    hint:
      verdict.rule === 'default'
        ? 'No rule allows this command; ask an administrator for one.'
        : 'Ask the owners of this rule, or use a command that it does not cover.',
  });
}
