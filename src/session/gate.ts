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
import type { HoldNotice, Stages } from '#core/protocol.ts';
import type { Tape } from '#core/tape.ts';
import {
  type Excess,
  type LimitName,
  type Refusal,
  type RunLimits,
  sameRequirements,
  type Verdict,
} from '#core/verdict.ts';
import type { SessionPast } from './past.ts';
import type { ApprovalDesk, PolicySource } from './ports.ts';

export interface GateParts {
  readonly policies: PolicySource;
  readonly approvals: ApprovalDesk;
  readonly tape: Tape;
  readonly events: EventLog;
  readonly clock: Clock;
  /** What the identity did before, and that it does more. */
  readonly past: Pick<SessionPast, 'of' | 'told'>;
  /** Set once the session has to end; every later command gets it. */
  readonly ended: () => Refusal | undefined;
  /** Ends the session: the evidence can no longer be kept. */
  readonly end: (refusal: Refusal) => void;
}

type Judgement = AllowedCommand | Refusal;
type People = Parameters<Stages['exceeded']>[2];

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
    sent: Command,
    onHold: (notice: HoldNotice) => void,
    cancelled: AbortSignal,
  ): Judgement | Promise<Judgement> {
    const over = this.#parts.ended();
    if (over !== undefined) return over;
    try {
      const command = this.#withHistory(sent);
      const verdict = this.#parts.policies.current().decide(command, this.#parts.clock.now());
      if (verdict.outcome === 'hold' && command.kind === 'execute') {
        return this.#hold(command, verdict, onHold, cancelled);
      }
      return this.#settle(command, verdict, verdict.outcome === 'deny' ? denial(verdict) : 'allow');
    } catch (thrown) {
      return this.#lost(thrown);
    }
  }

  /** @see Stages.exceeded */
  exceeded(permit: AllowedCommand, excess: Excess, how: People): Judgement | Promise<Judgement> {
    const over = this.#parts.ended();
    if (over !== undefined) return over;
    const { command } = permit;
    try {
      const verdict = this.#parts.policies.current().decide(command, this.#parts.clock.now());
      if (verdict.outcome === 'deny') return this.#limited(command, excess, denial(verdict));
      // What people let through they let through once: that permit names nobody to ask.
      const mayAsk = permit.limits?.release !== undefined && how.people !== 'none';
      const asks = mayAsk && countsRows(excess);
      const release = asks ? verdict.limits?.release : undefined;
      if (release === undefined) return this.#limited(command, excess, aboveLimit(permit, excess));
      const { rule, terms } = release;
      const asked: Verdict = {
        ...verdict,
        outcome: 'hold',
        rule,
        reason: words(excess),
        hold: how.people === 'ask' ? terms : { ...terms, mode: 'refuse' },
      };
      return this.#release(permit, asked, excess, how);
    } catch (thrown) {
      return this.#lost(thrown);
    }
  }

  /** People may let it through, up to what they were shown: the hold binds to that too. */
  async #release(
    permit: AllowedCommand,
    asked: Verdict,
    excess: Excess,
    how: People,
  ): Promise<Judgement> {
    const { tape, approvals, policies, clock } = this.#parts;
    const { command, limits } = permit;
    const shown = { ...command, state: `${command.state};above=${words(excess)}` };
    try {
      const onHold = (notice: HoldNotice): void => {
        tape.mark('hold.opened', { command: command.id, hold: notice.hold, rule: notice.rule });
        tape.commit();
        how.onHold(notice);
      };
      const result = await approvals.request(shown, asked, onHold, how.cancelled);
      const over = this.#parts.ended();
      if (over !== undefined) return this.#limited(command, excess, over);
      if (result.outcome === 'refused') return this.#limited(command, excess, result.refusal);
      const again = policies.current().decide(command, clock.now());
      if (again.outcome === 'deny') return this.#limited(command, excess, denial(again));
      const before = { rule: asked.rule, hold: asked.hold };
      const after = { rule: again.limits?.release?.rule, hold: again.limits?.release?.terms };
      if (!isStillAsked(before, after)) {
        const reason = 'the policy changed while it waited';
        const refusal = refuse('SP_POLICY_DENIED', { reason, hint: 'Send it again.' });
        return this.#limited(command, excess, refusal);
      }
      const { approval, reviewers } = result;
      tape.mark('hold.approved', { command: command.id, approval, reviewers });
      this.#decisions += 1;
      const decision: DecisionId = asId(`${command.id}/${this.#decisions}`);
      return this.#limited(
        command,
        excess,
        mintAllowedCommand(command, decision, { limits: raised(limits, excess) }),
      );
    } catch (thrown) {
      return this.#lost(thrown);
    }
  }

  /** Writes down that a limit was met and what came of it; gives that. */
  #limited(command: Command, excess: Excess, result: Judgement): Judgement {
    const { tape, events } = this.#parts;
    const { limit, max, found = null, detail } = excess;
    const released = !result.refused;
    const rule = result.refused ? result.rule : '';
    const data = { command: command.id, limit, max, found, detail, rule, released };
    tape.mark('limit.exceeded', data);
    events.emit({
      type: 'command.limited',
      actor: command.context.identity.id,
      session: command.context.session,
      target: command.context.target.name,
      data,
    });
    tape.commit();
    return result;
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
      const again = policies.current().decide(this.#withHistory(command), clock.now());
      if (again.outcome === 'deny') return this.#settle(command, again, denial(again));
      // Other people have to be asked now: what was given is not good for that.
      if (asksOthers(verdict, again)) return this.#hold(command, again, onHold, cancelled);
      // A mask is lifted only if the rules of now, which hold it still, let it be.
      const lifted = result.lifted.filter((id) => again.hold?.mayLift?.includes(id));
      tape.mark('hold.approved', {
        command: command.id,
        approval: result.approval,
        reviewers: result.reviewers,
        lifted,
      });
      return this.#settle(command, again, 'allow', lifted);
    } catch (thrown) {
      return this.#lost(thrown);
    }
  }

  /** Writes the evidence, then gives the answer. The order is the point. */
  #settle(
    command: Command,
    verdict: Verdict,
    answer: 'allow' | Refusal,
    lifted: readonly string[] = [],
  ): Judgement {
    const { tape, events, past } = this.#parts;
    this.#decisions += 1;
    const decision: DecisionId = asId(`${command.id}/${this.#decisions}`);
    const { limits } = verdict;
    const result =
      answer === 'allow' ? mintAllowedCommand(command, decision, { limits, lifted }) : answer;
    tape.judged(command, verdict, result);
    if (answer === 'allow' && command.kind === 'execute') past.told(command.facts);
    const novel = command.history?.novel.length ?? 0;
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
        ...(lifted.length > 0 ? { lifted } : {}),
        ...(novel > 0 ? { novel } : {}),
      },
    });
    tape.commit();
    return result;
  }

  /** The command with its past, as it is at this moment. */
  #withHistory(command: Command): Command {
    return { ...command, history: this.#parts.past.of(command.facts) };
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

const countsRows = ({ limit }: Excess): boolean =>
  limit === 'rowsAffected' || limit === 'rowsAffectedTotal';

const nouns: Readonly<Record<LimitName, string>> = {
  rowsReturned: 'rows returned',
  bytes: 'bytes returned',
  time: 'milliseconds',
  rowsAffected: 'rows affected',
  rowsAffectedTotal: 'rows of a table affected by the session',
};

function words({ limit, max, found, detail }: Excess): string {
  const bound = `the limit is ${max} ${nouns[limit]}`;
  if (found === undefined) return `${detail}; ${bound}`;
  return detail === '' ? bound : `${detail}; ${bound}`;
}

function aboveLimit({ limits }: AllowedCommand, excess: Excess): Refusal {
  return refuse('SP_LIMIT_EXCEEDED', {
    rule: limits?.bounds[excess.limit]?.rule ?? '',
    reason: words(excess),
    hint: 'Nothing of it stays. Ask for less at once, or ask the owners of this rule.',
  });
}

/** The limits with those on changed rows at what people were shown; none where nothing was counted. */
function raised(limits: RunLimits | undefined, { found, limit }: Excess): RunLimits | undefined {
  if (limits === undefined) return undefined;
  const { rowsAffected: _, rowsAffectedTotal: __, ...rest } = limits.bounds;
  const rule = limits.bounds[limit]?.rule ?? '';
  const shown = found === undefined ? {} : { rowsAffected: { max: found, rule } };
  return { bounds: { ...rest, ...shown }, release: undefined };
}

function isStillAsked(
  before: { readonly rule: string; readonly hold: Verdict['hold'] },
  after: { readonly rule: string | undefined; readonly hold: Verdict['hold'] },
): boolean {
  if (before.hold === undefined || after.hold === undefined || after.rule === undefined) {
    return false;
  }
  return sameRequirements(
    { rule: before.rule, hold: before.hold },
    { rule: after.rule, hold: after.hold },
  );
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
