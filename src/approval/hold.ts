/**
 * The life of one hold as a pure state machine. Every change of a hold goes through {@link step},
 * which answers the next revision or nothing; time is an argument, so what has run out has run out
 * whether or not a timer noticed.
 *
 * Invariants. Only a pending hold takes reviews; one denial ends it. Only an approved hold can be
 * spent, before its time, and then never again. Final states have no way out.
 */
import { asEpochMs, type ApprovalId, type EpochMs } from '#core/ids.ts';
import type { HoldRecord, HoldReview, HoldState } from '#core/ports/holds.ts';
import { requirementsOf } from '#core/verdict.ts';

export type HoldAction =
  | { readonly kind: 'review'; readonly review: HoldReview; readonly approval: ApprovalId }
  | { readonly kind: 'spend' }
  /** Time went by. */
  | { readonly kind: 'lapse' }
  /** Its sender left. */
  | { readonly kind: 'cancel' };

/** Whether nothing can happen to it any more. */
export const isFinal = (state: HoldState): boolean => state !== 'pending' && state !== 'approved';

/** How many distinct people approved for each requirement. */
export function approvalsGiven(hold: HoldRecord): readonly number[] {
  return requirementsOf(hold.rule, hold.terms).map((_, index) => {
    const people = hold.reviews
      .filter(({ decision, meets }) => decision === 'approve' && meets.includes(index))
      .map(({ reviewer }) => reviewer);
    return new Set(people).size;
  });
}

/**
 * The masks that an approval lifts: those that everybody who approved would lift, so that nobody's
 * approval shows more than that person meant it to.
 */
export function liftedMasks(hold: HoldRecord): readonly string[] {
  const approvals = hold.reviews.filter(({ decision }) => decision === 'approve');
  return (hold.terms.mayLift ?? []).filter(
    (id) => approvals.length > 0 && approvals.every(({ lift }) => lift?.includes(id)),
  );
}

/** The next revision, or undefined when the action is not possible now. */
export function step(hold: HoldRecord, action: HoldAction, now: EpochMs): HoldRecord | undefined {
  switch (action.kind) {
    case 'review':
      return review(hold, action.review, action.approval, now);
    case 'spend':
      return hold.state === 'approved' && isValid(hold, now)
        ? close(hold, 'spent', now)
        : undefined;
    case 'cancel':
      return isFinal(hold.state) ? undefined : close(hold, 'cancelled', now);
    case 'lapse':
      if (hold.state === 'pending' && now >= hold.expiresAt) return close(hold, 'timeout', now);
      if (hold.state === 'approved' && !isValid(hold, now)) return close(hold, 'expired', now);
      return undefined;
  }
}

const isValid = ({ validUntil }: HoldRecord, now: EpochMs): boolean =>
  validUntil !== undefined && now < validUntil;

function review(
  hold: HoldRecord,
  given: HoldReview,
  approval: ApprovalId,
  now: EpochMs,
): HoldRecord | undefined {
  if (hold.state !== 'pending' || now >= hold.expiresAt || given.meets.length === 0)
    return undefined;
  const before = hold.reviews.some(
    ({ reviewer, decision }) => reviewer === given.reviewer && decision === given.decision,
  );
  if (before) return undefined;
  const next = { ...hold, revision: hold.revision + 1, reviews: [...hold.reviews, given] };
  if (given.decision === 'deny') return { ...next, state: 'denied', closedAt: now };
  const counts = approvalsGiven(next);
  const met = requirementsOf(hold.rule, hold.terms).every(
    ({ approvals }, index) => (counts[index] ?? 0) >= approvals,
  );
  if (!met) return next;
  const validUntil = asEpochMs(now + hold.terms.validMs);
  return { ...next, state: 'approved', approval, validUntil };
}

const close = (hold: HoldRecord, state: HoldState, now: EpochMs): HoldRecord => ({
  ...hold,
  revision: hold.revision + 1,
  state,
  closedAt: now,
});
