/** How a client says who it is: `Authorization`, and what a session is asked for besides. */
import { GatewayError } from '#core/errors.ts';
import type { LoginAttempt } from '#core/protocol.ts';
import { Secret } from '#core/secret.ts';
import { type Field, valueOf, valuesOf } from './codec/fields.ts';

/** What a request says of the session that it wants. */
export interface Claim {
  readonly proof: LoginAttempt['proof'];
  /** Account, or `account@target`; empty when the client named none. */
  readonly user: string;
  readonly holdMode: 'wait' | 'refuse';
  readonly clientName: string;
  /** Equal for requests of one session. Holds the secret: never to be shown or kept elsewhere. */
  readonly key: Secret;
}

const decoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

/** All that {@link readClaim} looks at to say who asks for which session. */
const claimFields: ReadonlySet<string> = new Set([
  'authorization',
  'sallyport-account',
  'sallyport-hold',
]);

/**
 * The part of a head that makes its claim, as it was sent: while it is the same, so is the claim,
 * and need not be read again. Holds the secret, as {@link Claim.key} does.
 */
export function claimText(fields: readonly Field[]): Secret {
  let text = '';
  for (const { name, value } of fields) if (claimFields.has(name)) text += `${name}:${value}\n`;
  return new Secret(text);
}

const loginFailed = (why: string): GatewayError =>
  new GatewayError('SP_LOGIN_FAILED', { facts: { why } });

/**
 * Reads the claim of a request.
 *
 * @throws GatewayError `SP_LOGIN_FAILED`, `SP_BAD_REQUEST`
 */
export function readClaim(fields: readonly Field[]): Claim {
  const values = valuesOf(fields, 'authorization');
  const [value] = values;
  if (value === undefined) throw loginFailed('no credential');
  if (values.length > 1) throw loginFailed('two credentials');
  const account = valueOf(fields, 'sallyport-account') ?? '';
  const holdMode = readHoldMode(valueOf(fields, 'sallyport-hold'));
  const clientName = valueOf(fields, 'user-agent') ?? '';
  const space = value.indexOf(' ');
  const scheme = value.slice(0, Math.max(space, 0)).toLowerCase();
  const rest = value.slice(space + 1).trim();
  const key = new Secret(`${holdMode}\n${account}\n${value}`);
  if (scheme === 'bearer' && rest !== '') {
    const proof = { kind: 'bearer', secret: new Secret(rest) } as const;
    return { proof, user: account, holdMode, clientName, key };
  }
  if (scheme !== 'basic') throw loginFailed('an unknown scheme');
  const pair = basicPair(rest);
  const colon = pair.indexOf(':');
  if (colon < 0) throw loginFailed('a malformed credential');
  if (account !== '') throw loginFailed('two accounts');
  const proof = { kind: 'password', secret: new Secret(pair.slice(colon + 1)) } as const;
  return { proof, user: pair.slice(0, colon), holdMode, clientName, key };
}

function basicPair(base64: string): string {
  try {
    return decoder.decode(Uint8Array.from(atob(base64), (unit) => unit.charCodeAt(0)));
  } catch (cause) {
    throw new GatewayError('SP_LOGIN_FAILED', { facts: { why: 'not base64 of UTF-8' }, cause });
  }
}

function readHoldMode(value: string | undefined): 'wait' | 'refuse' {
  if (value === undefined || value === 'wait') return 'wait';
  if (value === 'refuse') return 'refuse';
  throw new GatewayError('SP_BAD_REQUEST', { detail: 'Sallyport-Hold is wait or refuse' });
}
