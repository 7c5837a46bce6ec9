/**
 * The part of a rule that needs no expression: which identities, targets, protocols and accounts it
 * is about. Within one list any entry may fit; all lists that are given must fit.
 */
import type { Identity } from '#core/identity.ts';
import {
  type IdentitySelector,
  selectsIdentity,
  selectsName,
  selectsTarget,
  type TargetSelector,
} from '#core/selectors.ts';
import type { Target } from '#core/target.ts';

/** What a rule says of who and where; undefined fits everything. */
export interface Match {
  readonly identities: readonly IdentitySelector[] | undefined;
  readonly targets: readonly TargetSelector[] | undefined;
  readonly protocols: readonly string[] | undefined;
  readonly accounts: readonly string[] | undefined;
  readonly purposes: readonly string[] | undefined;
}

/** Who and where, as far as matching goes; masks have no account. */
export interface Subject {
  readonly identity: Identity;
  readonly target: Target;
  readonly account: string | undefined;
  /** What the grant says that the session is for. */
  readonly purpose?: string | undefined;
}

/** Why a match does not fit, in words for `explain`; undefined when it fits. */
export function mismatch(match: Match, subject: Subject): string | undefined {
  const { identity, target, account } = subject;
  if (match.protocols !== undefined && !match.protocols.includes(target.protocol)) {
    return `protocol is ${target.protocol}, not ${match.protocols.join(' or ')}`;
  }
  if (match.targets !== undefined && !match.targets.some((each) => selectsTarget(each, target))) {
    return `target ${target.name} is not ${match.targets.map(describeTarget).join(' or ')}`;
  }
  if (match.accounts !== undefined) {
    const fits = match.accounts.some((each) => selectsName(each, account ?? ''));
    if (!fits) return `account is ${account ?? 'not known'}, not ${match.accounts.join(' or ')}`;
  }
  if (match.purposes !== undefined && !match.purposes.includes(subject.purpose ?? '')) {
    return `purpose is ${subject.purpose ?? 'not known'}, not ${match.purposes.join(' or ')}`;
  }
  if (match.identities !== undefined) {
    const fits = match.identities.some((each) => selectsIdentity(each, identity));
    if (!fits) return `identity is not ${match.identities.map(describeSelector).join(' or ')}`;
  }
  return undefined;
}

const describeSelector = ({ kind, value }: IdentitySelector): string => `${kind}:${value}`;

function describeTarget(selector: TargetSelector): string {
  if ('name' in selector) return selector.name;
  const labels = Object.entries(selector.labels);
  return labels.map(([key, values]) => `${key}=${values.join('|')}`).join(',');
}
