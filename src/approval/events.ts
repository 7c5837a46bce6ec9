/** The audit events of holds. Names, ids and counts only: never a part of the command. */
import type { EventDraft } from '#core/events.ts';
import type { IdentityId } from '#core/ids.ts';
import type { HoldRecord, HoldReview } from '#core/ports/holds.ts';
import { requirementsOf } from '#core/verdict.ts';
import { approvalsGiven } from './hold.ts';

const about = ({ command }: HoldRecord): Pick<EventDraft, 'session' | 'target'> => ({
  session: command.session,
  target: command.target,
});

export function openedEvent(hold: HoldRecord): EventDraft {
  const requirements = requirementsOf(hold.rule, hold.terms);
  return {
    type: 'hold.opened',
    actor: hold.command.requester.id,
    ...about(hold),
    data: {
      hold: hold.id,
      command: hold.command.id,
      rule: hold.rule,
      reason: hold.reason,
      digest: hold.digest,
      reviewers: requirements.flatMap(({ reviewers }) => reviewers),
      approvals: needed(hold),
      ...(hold.terms.mayLift === undefined ? {} : { mayLift: hold.terms.mayLift }),
      expiresAt: hold.expiresAt,
    },
  };
}

export function reviewedEvent(hold: HoldRecord, review: HoldReview): EventDraft {
  return {
    type: 'hold.reviewed',
    actor: review.reviewer,
    ...about(hold),
    data: {
      hold: hold.id,
      decision: review.decision,
      approvals: approvalsGiven(hold).reduce((sum, count) => sum + count, 0),
      needed: needed(hold),
      comment: review.reason,
      ...(review.lift === undefined ? {} : { lift: review.lift }),
    },
  };
}

export function closedEvent(hold: HoldRecord): EventDraft {
  return {
    type: 'hold.closed',
    actor: 'system',
    ...about(hold),
    data: {
      hold: hold.id,
      outcome: hold.state,
      approval: hold.approval ?? null,
      reviewers: hold.reviews.map(({ reviewer }) => reviewer),
    },
  };
}

/** Somebody tried to review what they may not: worth a look, above all their own command. */
export function refusedReviewEvent(
  hold: HoldRecord,
  reviewer: IdentityId,
  why: string,
): EventDraft {
  return {
    type: 'alarm.raised',
    actor: reviewer,
    ...about(hold),
    data: { alarm: 'review-refused', detail: `hold ${hold.id}: ${why}` },
  };
}

const needed = (hold: HoldRecord): number =>
  requirementsOf(hold.rule, hold.terms).reduce((sum, { approvals }) => sum + approvals, 0);
