/**
 * OAUTHBEARER (RFC 7628) as PostgreSQL 18 speaks it, the server's side: one message with a bearer
 * token, or none, in which case the client wants to be told where to get one.
 */
import { GatewayError } from '#core/errors.ts';

export const oauthBearer = 'OAUTHBEARER';

/** Byte 0x01, which separates the pairs, and which a client answers a failure with. */
const separator = '\x01';
const headers: readonly string[] = [`n,,${separator}`, `y,,${separator}`];
const headerBytes = 4;
const key = /^[A-Za-z]+$/;
const value = /^[\x21-\x7e \t\r\n]*$/;
/** RFC 6750 section 2.1. The scheme's name is case-insensitive. */
const bearer = /^bearer +([A-Za-z0-9\-._~+/]+=*)$/i;

/**
 * Reads the client's first message.
 *
 * @returns the token; undefined when the client sent an empty `auth`, to be told of the issuer.
 * @throws GatewayError `SP_FRAME_MALFORMED`; its text never has a part of the token.
 */
export function readBearer(message: Uint8Array): string | undefined {
  const text = Buffer.from(message).toString('latin1');
  // No authorization identity, no channel binding; `y` costs nothing to take.
  if (!headers.some((header) => text.startsWith(header))) throw broken('the header is not "n,,"');
  if (!text.endsWith(`${separator}${separator}`)) throw broken('no final terminator');
  // Behind the header: pairs, each with a separator, and one more separator.
  const body = text.slice(headerBytes, -1);
  let auth: string | undefined;
  for (const pair of body.split(separator).slice(0, -1)) {
    const equals = pair.indexOf('=');
    if (equals < 0 || !key.test(pair.slice(0, equals))) throw broken('a key is invalid');
    if (!value.test(pair.slice(equals + 1))) throw broken('a value is invalid');
    if (pair.slice(0, equals) !== 'auth') continue;
    if (auth !== undefined) throw broken('multiple auth values');
    auth = pair.slice(equals + 1);
  }
  if (auth === undefined) throw broken('no auth value');
  if (auth === '') return undefined;
  const token = bearer.exec(auth)?.[1];
  if (token === undefined) throw broken('the auth value is not a bearer token');
  return token;
}

/** What a client without a valid token is told (RFC 7628 section 3.2.2). */
export function bearerChallenge(discovery: string, scope: string): Uint8Array {
  const challenge = { status: 'invalid_token', 'openid-configuration': discovery, scope };
  return Buffer.from(JSON.stringify(challenge));
}

/** Whether it is the one legal answer to {@link bearerChallenge}. */
export const isBearerDummy = (message: Uint8Array): boolean =>
  message.length === 1 && message[0] === 1;

const broken = (detail: string): GatewayError =>
  new GatewayError('SP_FRAME_MALFORMED', { detail: `OAUTHBEARER: ${detail}` });
