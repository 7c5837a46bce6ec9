/**
 * The part of a rule that needs no expression: which identities, targets, protocols and accounts it
 * is about. Within one list any entry may fit; all lists that are given must fit.
 */
import type { Identity } from '#core/identity.ts';
import type { Target } from '#core/target.ts';

/** `group:dba`, `identity:github/*`: what to look at, and the word it must be. */
export interface Selector {
  readonly kind: SelectorKind;
  readonly value: string;
}

export type SelectorKind = 'identity' | 'group' | 'role' | 'kind' | 'issuer' | 'owner';

/** One entry of `targets`: a name, or labels that must all be as given. */
export type TargetSelector =
  | { readonly name: string }
  | { readonly labels: ReadonlyMap<string, readonly string[]> };

export interface Match {
  readonly identities: readonly Selector[] | undefined;
  readonly targets: readonly TargetSelector[] | undefined;
  readonly protocols: readonly string[] | undefined;
  readonly accounts: readonly string[] | undefined;
}

/** Who and where, as far as matching goes; masks have no account. */
export interface Subject {
  readonly identity: Identity;
  readonly target: Target;
  readonly account: string | undefined;
}

/** Why a match does not fit, in words for `explain`; undefined when it fits. */
export function mismatch(match: Match, subject: Subject): string | undefined {
  const { identity, target, account } = subject;
  if (match.protocols !== undefined && !match.protocols.includes(target.protocol)) {
    return `protocol is ${target.protocol}, not ${match.protocols.join(' or ')}`;
  }
  if (match.targets !== undefined && !match.targets.some((each) => fitsTarget(each, target))) {
    return `target ${target.name} is not ${match.targets.map(describeTarget).join(' or ')}`;
  }
  if (match.accounts !== undefined) {
    const fits = match.accounts.some((each) => fitsName(each, account ?? ''));
    if (!fits) return `account is ${account ?? 'not known'}, not ${match.accounts.join(' or ')}`;
  }
  if (match.identities !== undefined) {
    const fits = match.identities.some((each) => fitsIdentity(each, identity));
    if (!fits) return `identity is not ${match.identities.map(describeSelector).join(' or ')}`;
  }
  return undefined;
}

const describeSelector = ({ kind, value }: Selector): string => `${kind}:${value}`;

function describeTarget(selector: TargetSelector): string {
  if ('name' in selector) return selector.name;
  return [...selector.labels].map(([key, values]) => `${key}=${values.join('|')}`).join(',');
}

function fitsTarget(selector: TargetSelector, target: Target): boolean {
  if ('name' in selector) return fitsName(selector.name, target.name);
  for (const [key, values] of selector.labels) {
    const value = Object.hasOwn(target.labels, key) ? target.labels[key] : undefined;
    if (value === undefined || !values.includes(value)) return false;
  }
  return true;
}

/** Whether an identity is one that the selector means. */
function fitsIdentity(selector: Selector, identity: Identity): boolean {
  const { value } = selector;
  switch (selector.kind) {
    case 'identity':
      return fitsName(value, identity.id);
    case 'group':
      return identity.groups.includes(value);
    case 'role':
      return identity.roles.some((role) => role === value);
    case 'kind':
      return identity.kind === value;
    case 'issuer':
      return identity.issuer === value;
    case 'owner':
      return identity.owner === value;
  }
}

/** Compares with a pattern in which `*` stands for any characters. Linear: no backtracking. */
export function fitsName(pattern: string, name: string): boolean {
  const parts = pattern.split('*');
  const first = parts[0] ?? '';
  const last = parts.at(-1) ?? '';
  if (parts.length === 1) return name === pattern;
  if (name.length < first.length + last.length) return false;
  if (!name.startsWith(first) || !name.endsWith(last)) return false;
  let at = first.length;
  for (const part of parts.slice(1, -1)) {
    const found = name.indexOf(part, at);
    if (found === -1) return false;
    at = found + part.length;
  }
  return at <= name.length - last.length;
}
