/**
 * The words with which grants and rules say who and where: `group:dba`, `identity:github/*`, a
 * target's name or its labels. Compared exactly; `*` in a name stands for any characters.
 */
import type { Identity } from './identity.ts';
import type { Target } from './target.ts';

export const selectorKinds = ['identity', 'group', 'role', 'kind', 'issuer', 'owner'] as const;

export type SelectorKind = (typeof selectorKinds)[number];

/** What to look at, and the word it must be. */
export interface IdentitySelector {
  readonly kind: SelectorKind;
  readonly value: string;
}

/** A name, or labels that must all have one of the given values. */
export type TargetSelector =
  | { readonly name: string }
  | { readonly labels: Readonly<Record<string, readonly string[]>> };

/** Reads `kind:value`; undefined when it is not of that form. */
export function parseIdentitySelector(word: string): IdentitySelector | undefined {
  const colon = word.indexOf(':');
  const kind = selectorKinds.find((known) => known === word.slice(0, Math.max(colon, 0)));
  const value = word.slice(colon + 1);
  return kind === undefined || value === '' ? undefined : { kind, value };
}

/** Whether an identity is one that the selector means. */
export function selectsIdentity(selector: IdentitySelector, identity: Identity): boolean {
  const { value } = selector;
  switch (selector.kind) {
    case 'identity':
      return selectsName(value, identity.id);
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

/** Whether a target is one that the selector means. */
export function selectsTarget(selector: TargetSelector, target: Target): boolean {
  if ('name' in selector) return selectsName(selector.name, target.name);
  return Object.entries(selector.labels).every(
    ([key, values]) =>
      Object.hasOwn(target.labels, key) && values.includes(target.labels[key] ?? ''),
  );
}

/** Compares with a pattern in which `*` stands for any characters. Linear: no backtracking. */
export function selectsName(pattern: string, name: string): boolean {
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
