/**
 * From a verified token's claims to an identity. Pure. What is missing, of the wrong type or holds
 * characters that could mislead a reader or split a name refuses the token: nothing is guessed.
 */
import { RE2JS } from 're2js';
import { GatewayError } from '#core/errors.ts';
import type { Identity, Role } from '#core/identity.ts';
import { asId, type EpochMs } from '#core/ids.ts';
import type { ClaimCondition, ClaimMapping, ClaimPath, IssuerConfig } from './config.ts';

/** The payload of a verified token. */
export type Claims = Readonly<Record<string, unknown>>;

const GROUPS_MAX = 1_000;
const WORD_MAX = 512;
const VALUE_MAX = 4_096;
/** Control, format, surrogate, private and unassigned characters, line and paragraph separators. */
const misleading = /[\p{C}\p{Zl}\p{Zp}]/u;

/** A refusal; `why` is for operators, the client learns only that the login failed. */
export const loginFailed = (why: string, cause?: unknown): GatewayError =>
  new GatewayError('SP_LOGIN_FAILED', { facts: { why }, cause });

/** The value at a path, through own properties only. */
export function readClaim(claims: Claims, path: ClaimPath): unknown {
  let value: unknown = claims;
  for (const name of path) {
    if (typeof value !== 'object' || value === null || !Object.hasOwn(value, name))
      return undefined;
    value = Object.getOwnPropertyDescriptor(value, name)?.value;
  }
  return value;
}

/** A condition, made ready to be asked often. */
export type CompiledCondition = (claims: Claims) => boolean;

/** Compiles a condition. The expression was checked when the configuration was loaded. */
export function compileCondition(condition: ClaimCondition): CompiledCondition {
  const { claim, equals, oneOf, matches } = condition;
  const pattern = matches === undefined ? undefined : RE2JS.compile(matches);
  const values = new Set(oneOf ?? (equals === undefined ? [] : [equals]));
  const fits = (value: string): boolean =>
    value.length <= VALUE_MAX && (pattern?.matches(value) ?? values.has(value));
  return (claims) => scalars(readClaim(claims, claim)).some(fits);
}

/** A scalar claim as text, or the scalars of an array; anything else is nothing. */
function scalars(value: unknown): readonly string[] {
  const items: readonly unknown[] = Array.isArray(value) ? value.slice(0, GROUPS_MAX) : [value];
  return items.flatMap((item) =>
    typeof item === 'string' || typeof item === 'number' || typeof item === 'boolean'
      ? [String(item)]
      : [],
  );
}

function requiredWord(claims: Claims, path: ClaimPath): string {
  const value = readClaim(claims, path);
  const text = typeof value === 'number' ? String(value) : value;
  const name = path.join('.');
  if (typeof text !== 'string' || text === '') throw loginFailed(`the claim ${name} is missing`);
  if (text.length > WORD_MAX) throw loginFailed(`the claim ${name} is too long`);
  if (misleading.test(text)) throw loginFailed(`the claim ${name} has control characters`);
  return text;
}

/** The identity that a token of this issuer stands for. */
export function mapIdentity(
  claims: Claims,
  issuer: Pick<IssuerConfig, 'name' | 'map'>,
  expiresAt: EpochMs,
): Identity {
  const { map } = issuer;
  const subject = requiredWord(claims, map.subject);
  const groups = mapGroups(claims, map);
  const behalf = map.onBehalfOf;
  return {
    id: asId(`${issuer.name}/${subject}`),
    kind: map.kind,
    issuer: issuer.name,
    subject,
    displayName: displayName(claims, map) ?? subject,
    groups,
    roles: mapRoles(groups, map),
    owner: mapOwner(claims, map),
    onBehalfOf:
      behalf === undefined
        ? undefined
        : asId(`${behalf.issuer}/${requiredWord(claims, behalf.claim)}`),
    claims: Object.fromEntries(
      Object.entries(map.claims).flatMap(([name, path]) => {
        const [value] = scalars(readClaim(claims, path));
        return value === undefined || value.length > VALUE_MAX ? [] : [[name, value]];
      }),
    ),
    expiresAt,
  };
}

function mapOwner(claims: Claims, { owner }: ClaimMapping): string | undefined {
  if (owner === undefined) return undefined;
  return 'value' in owner ? owner.value : requiredWord(claims, owner.claim);
}

function mapGroups(claims: Claims, map: ClaimMapping): readonly string[] {
  const groups = new Set(map.addGroups);
  if (map.groups === undefined) return [...groups];
  const { claim, prefix } = map.groups;
  const value = readClaim(claims, claim);
  const names: readonly unknown[] = Array.isArray(value)
    ? value
    : value === undefined
      ? []
      : [value];
  if (names.length > GROUPS_MAX) throw loginFailed('the token names too many groups');
  for (const name of names) {
    // A group that cannot be read is left out: fewer rights, and the rest stays usable.
    if (typeof name !== 'string' || name === '' || name.length > WORD_MAX) continue;
    if (!misleading.test(name)) groups.add(prefix + name);
  }
  return [...groups];
}

function mapRoles(groups: readonly string[], map: ClaimMapping): readonly Role[] {
  const roles = new Set<Role>(['member']);
  for (const group of groups) {
    if (!Object.hasOwn(map.roles, group)) continue;
    for (const role of map.roles[group] ?? []) roles.add(role);
  }
  return [...roles];
}

/** For people only, so it is cleaned instead of refused. */
function displayName(claims: Claims, map: ClaimMapping): string | undefined {
  if (map.displayName === undefined) return undefined;
  const [text] = scalars(readClaim(claims, map.displayName));
  const clean = text?.slice(0, WORD_MAX).replaceAll(/[\p{C}\p{Zl}\p{Zp}]/gu, '');
  return clean === '' ? undefined : clean;
}
