/** What the sender of a held command is told. No data of the command is in any of it. */
import { type ErrorCode, errorTable } from '#core/errors.ts';
import type { EpochMs, HoldId } from '#core/ids.ts';
import type { HoldRecord, HoldState } from '#core/ports/holds.ts';
import type { HoldNotice } from '#core/protocol.ts';
import type { Refusal, Verdict } from '#core/verdict.ts';

/** A command line that releases a hold. */
const approveCommand = (hold: HoldId): string => `sallyport approvals approve ${hold}`;

/** A refusal in the words of the error table, or with a reason of its own. */
export function refusal(
  code: ErrorCode,
  verdict: Pick<Verdict, 'rule'>,
  more: { readonly reason?: string; readonly hint?: string; readonly hold?: HoldId } = {},
): Refusal {
  return {
    refused: true,
    code,
    rule: verdict.rule,
    reason: more.reason ?? errorTable[code].text,
    hint: more.hint ?? hints[code] ?? '',
    hold: more.hold,
    endsSession: false,
  };
}

const hints: Readonly<Partial<Record<ErrorCode, string>>> = {
  SP_HOLD_DENIED: 'Ask the reviewer; sending the command again opens a new hold.',
  SP_HOLD_TIMEOUT: 'Sending the command again opens a new hold.',
  SP_HOLD_CANCELLED: 'Sending the command again opens a new hold.',
  SP_HOLDS_FULL: 'Wait until earlier holds were reviewed.',
};

/** The sender does not wait: it has the id, and comes back with the same command. */
export function pendingRefusal(hold: HoldRecord): Refusal {
  const until = new Date(hold.expiresAt).toISOString();
  const hint =
    `Hold ${hold.id} waits for ${reviewersText(hold)} until ${until}. ` +
    `Approve it with: ${approveCommand(hold.id)}. Then send exactly this command again.`;
  return refusal('SP_HOLD_PENDING', hold, { reason: hold.reason, hint, hold: hold.id });
}

/** What a claimant is told when its hold is over without having been spent by it. */
export function overRefusal(hold: HoldRecord): Refusal {
  const denial = hold.reviews.find(({ decision }) => decision === 'deny');
  const reason =
    hold.state === 'denied' && denial !== undefined
      ? `${errorTable.SP_HOLD_DENIED.text} (${denial.displayName})`
      : undefined;
  return refusal(overCodes[hold.state], hold, {
    ...(reason === undefined ? {} : { reason }),
    hold: hold.id,
  });
}

const overCodes: Readonly<Record<HoldState, ErrorCode>> = {
  denied: 'SP_HOLD_DENIED',
  timeout: 'SP_HOLD_TIMEOUT',
  expired: 'SP_HOLD_TIMEOUT',
  cancelled: 'SP_HOLD_CANCELLED',
  // Approved, but its time was over before it could be spent.
  approved: 'SP_HOLD_TIMEOUT',
  // Spent by another node, or not over at all: nothing that this claimant may run on.
  spent: 'SP_HOLD_CANCELLED',
  pending: 'SP_HOLD_CANCELLED',
};

/** What is said while the sender waits. */
export function holdNotice(hold: HoldRecord, now: EpochMs): HoldNotice {
  return {
    hold: hold.id,
    rule: hold.rule,
    reason: hold.reason,
    howToApprove: approveCommand(hold.id),
    waitMs: Math.max(0, hold.expiresAt - now),
  };
}

const reviewersText = ({ terms }: HoldRecord): string =>
  [...terms.reviewers, ...(terms.also ?? []).flatMap(({ reviewers }) => reviewers)].join(', ');
