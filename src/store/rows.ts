/**
 * Reads JSON columns back. They were written by this gateway, but a file can be damaged or edited:
 * what does not have the right shape is `SP_STORE`, never a half-filled object.
 */
import type { CredentialScope } from '#core/ports/credentials.ts';
import { GatewayError } from '#core/errors.ts';
import type { Identity, Role } from '#core/identity.ts';
import { asEpochMs, asId } from '#core/ids.ts';

type Fields = Readonly<Record<string, unknown>>;

const damaged = (what: string): GatewayError =>
  new GatewayError('SP_STORE', { detail: `a stored ${what} is damaged` });

const isFields = (value: unknown): value is Fields =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

/** A JSON object from a column. */
export function readFields(text: string, what: string): Fields {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (cause) {
    throw new GatewayError('SP_STORE', { detail: `a stored ${what} is damaged`, cause });
  }
  if (!isFields(value)) throw damaged(what);
  return value;
}

function textOf(fields: Fields, name: string, what: string): string {
  const value = fields[name];
  if (typeof value !== 'string') throw damaged(what);
  return value;
}

function optionalText(fields: Fields, name: string, what: string): string | undefined {
  return fields[name] === undefined ? undefined : textOf(fields, name, what);
}

function textsOf(fields: Fields, name: string, what: string): readonly string[] {
  const value = fields[name];
  if (!Array.isArray(value)) throw damaged(what);
  return value.map((item: unknown) => {
    if (typeof item !== 'string') throw damaged(what);
    return item;
  });
}

const roles: readonly Role[] = ['admin', 'reviewer', 'auditor', 'member'];

function rolesOf(fields: Fields): readonly Role[] {
  return textsOf(fields, 'roles', 'identity').map((name) => {
    const role = roles.find((known) => known === name);
    if (role === undefined) throw damaged('identity');
    return role;
  });
}

/** An identity as {@link JSON.stringify} wrote it. */
export function readIdentity(text: string): Identity {
  const what = 'identity';
  const fields = readFields(text, what);
  const { kind, expiresAt, claims } = fields;
  if (kind !== 'workload' && kind !== 'human') throw damaged(what);
  if (typeof expiresAt !== 'number' || !isFields(claims)) throw damaged(what);
  const onBehalfOf = optionalText(fields, 'onBehalfOf', what);
  return {
    id: asId(textOf(fields, 'id', what)),
    kind,
    issuer: textOf(fields, 'issuer', what),
    subject: textOf(fields, 'subject', what),
    displayName: textOf(fields, 'displayName', what),
    groups: textsOf(fields, 'groups', what),
    roles: rolesOf(fields),
    owner: optionalText(fields, 'owner', what),
    onBehalfOf: onBehalfOf === undefined ? undefined : asId(onBehalfOf),
    claims: Object.fromEntries(
      Object.keys(claims).map((name) => [name, textOf(claims, name, what)]),
    ),
    expiresAt: asEpochMs(expiresAt),
  };
}

/** A scope as {@link JSON.stringify} wrote it. */
export function readScope(text: string): CredentialScope {
  const fields = readFields(text, 'scope');
  const purpose = optionalText(fields, 'purpose', 'scope');
  return {
    targets: textsOf(fields, 'targets', 'scope'),
    accounts: textsOf(fields, 'accounts', 'scope'),
    ...(purpose === undefined ? {} : { purpose }),
  };
}
