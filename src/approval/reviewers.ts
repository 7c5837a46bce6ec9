/**
 * Who may review a hold. People only, never the one who asks, nor who answers for it, nor for whom
 * it acts: otherwise a person could approve what their own job does.
 */
import type { EpochMs } from '#core/ids.ts';
import type { Identity } from '#core/identity.ts';
import type { HoldRecord } from '#core/ports/holds.ts';
import { requirementsOf } from '#core/verdict.ts';

/** The requirements that this person may meet (never none), or why they may not review. */
export function eligibility(
  hold: HoldRecord,
  reviewer: Identity,
  now: EpochMs,
): readonly number[] | string {
  const { requester } = hold.command;
  if (reviewer.kind !== 'human') return 'only people review';
  if (reviewer.onBehalfOf !== undefined) return 'who acts for another does not review';
  if (reviewer.expiresAt <= now) return "the reviewer's login has expired";
  if (reviewer.id === requester.id) return 'nobody reviews their own command';
  if (reviewer.id === requester.onBehalfOf) return 'nobody reviews what is done on their behalf';
  if (owns(reviewer, requester.owner)) return 'nobody reviews what they own';
  const meets = requirementsOf(hold.rule, hold.terms).flatMap(({ reviewers }, index) =>
    reviewers.some((selector) => isMeant(selector, reviewer)) ? [index] : [],
  );
  return meets.length > 0 ? meets : 'not among the reviewers that the rule names';
}

/** An owner is an identity or a group, with or without `group:`. Every member of it owns. */
function owns(reviewer: Identity, owner: string | undefined): boolean {
  if (owner === undefined) return false;
  if (owner === reviewer.id || owner === `identity:${reviewer.id}`) return true;
  return reviewer.groups.some((group) => owner === group || owner === `group:${group}`);
}

/** `group:dba`, `role:reviewer`, `identity:okta/ann`; anything else means nobody. */
function isMeant(selector: string, reviewer: Identity): boolean {
  const colon = selector.indexOf(':');
  const value = selector.slice(colon + 1);
  switch (selector.slice(0, Math.max(colon, 0))) {
    case 'group':
      return reviewer.groups.includes(value);
    case 'role':
      return reviewer.roles.some((role) => role === value);
    case 'identity':
      return reviewer.id === value;
    default:
      return false;
  }
}
