/**
 * The client's handshake: from the first byte to a session that waits for `AuthenticationOk`.
 *
 * It decides nothing. It finds out what the client asks for and how it proves itself, in the
 * protocol's own steps, and the door says whether that is enough. A client that is not let in is
 * told so by an ErrorResponse with severity FATAL; a wrong secret, an unknown target and a missing
 * grant are told in the same words.
 *
 * @see https://www.postgresql.org/docs/18/protocol-flow.html#PROTOCOL-FLOW-START-UP
 */
import { errorTable, GatewayError, toGatewayError } from '#core/errors.ts';
import type { Admission, Door, LoginAttempt, ProtocolServices } from '#core/protocol.ts';
import { Secret } from '#core/secret.ts';
import type { Wire } from '#core/wire.ts';
import { int32 } from './codec/frames.ts';
import { backend, frontend } from './codec/messages.ts';
import { stringEnd, textOf } from './codec/read.ts';
import {
  decodeStartup,
  protocol30,
  protocol32,
  startupBodyBytes,
  type StartupPacket,
} from './codec/startup.ts';
import { MessageWriter } from './codec/write.ts';
import { Handshake, PeerGone } from './handshake.ts';
import { bearerChallenge, isBearerDummy, oauthBearer, readBearer } from './oauthbearer.ts';
import { encodeFatal } from './refusal.ts';
import { scramPlain, scramPlus, ScramServer } from './scram.ts';
import { readStartupParameters, type StartupRequest } from './startup-parameters.ts';
import type { PgClient } from './types.ts';

/** A negotiation for TLS, one for GSS, and the start-up itself. */
const packetsMax = 3;
const alpnName = 'postgresql';
const tlsHandshakeByte = 0x16;
const nonceBytes = 18;
const letter = { no: 0x4e, secure: 0x53 } as const;

/** Codes of Authentication messages. */
const authentication = { cleartext: 3, sasl: 10, saslContinue: 11, saslFinal: 12 } as const;

interface Login {
  readonly handshake: Handshake;
  readonly door: Door;
  readonly services: ProtocolServices;
  readonly signal: AbortSignal;
  readonly attempt: Omit<LoginAttempt, 'proof'>;
  readonly request: StartupRequest;
}

/**
 * Serves a client until it has a session or is gone. Never throws.
 *
 * @returns undefined when there is no session: the client was refused, sent a cancel request or
 * left. The wire is ending then.
 */
export async function acceptClient(
  wire: Wire,
  door: Door,
  services: ProtocolServices,
  signal: AbortSignal,
): Promise<PgClient | undefined> {
  const bytesMax = services.limits.strangerBytesMax;
  const spend = (count: number): void => door.spend(count);
  const handshake = new Handshake(wire, { bytesMax, spend }, signal);
  try {
    const packet = await negotiate(handshake, door);
    if (packet?.kind === 'startup') {
      return await startSession(packet, { handshake, door, services, signal });
    }
    if (packet?.kind === 'cancel') door.cancels.fire(hex(packet.key));
    wire.end();
  } catch (thrown) {
    if (thrown instanceof PeerGone) wire.destroy();
    else turnAway(wire, door, toGatewayError(thrown));
  }
  handshake.finish();
  return undefined;
}

/** Tells the client why it was not let in, in words that hold nothing about others. */
function turnAway(wire: Wire, door: Door, error: GatewayError): void {
  const { text, audience } = errorTable[error.code];
  // What the door knows of a failed login, a detail too many would tell somebody who guesses.
  const isLogin = error.code === 'SP_LOGIN_FAILED' || error.code === 'SP_NO_GRANT';
  const isTold = audience === 'client' && !isLogin;
  const told = isTold ? error.message.slice(text.length + 2) : '';
  const hint = isLogin
    ? 'The user is account@target; the password is a Sallyport credential or an OIDC token.'
    : '';
  // A client that asked where to get a token has not failed: it comes back with one.
  if (error.facts['isDiscovery'] !== true) door.failed(error.code, error.message);
  wire.write(encodeFatal(error.code, told, hint));
  wire.end();
}

/**
 * Reads packets until one says what the connection is for.
 *
 * @returns undefined when the peer speaks something else: then it is told nothing.
 */
async function negotiate(handshake: Handshake, door: Door): Promise<StartupPacket | undefined> {
  const { wire } = handshake;
  const { tls } = door.listener;
  if (wire.security === null && (await handshake.peek()) === tlsHandshakeByte) {
    if (tls === undefined) return silent(door, 'TLS is not configured here');
    const security = await handshake.startTls(tls, true);
    // Required, so that a browser's or another protocol's TLS cannot be led here (ALPACA).
    if (security?.alpn !== alpnName) return silent(door, 'direct TLS without ALPN');
  }
  let isTlsAsked = false;
  let isGssAsked = false;
  for (let count = 0; count < packetsMax; count += 1) {
    const body = startupBodyBytes(int32(await handshake.take(4), 0));
    if (body === undefined) return silent(door, 'invalid length of startup packet');
    const packet = decodeStartup(await handshake.take(body));
    if (packet.kind === 'ssl' && !isTlsAsked) {
      isTlsAsked = true;
      const isOffered = tls !== undefined && wire.security === null;
      wire.write(Uint8Array.of(isOffered ? letter.secure : letter.no));
      if (isOffered) await handshake.startTls(tls, false);
    } else if (packet.kind === 'gss' && !isGssAsked && wire.security === null) {
      isGssAsked = true;
      wire.write(Uint8Array.of(letter.no));
    } else if (packet.kind === 'ssl' || packet.kind === 'gss') {
      throw new GatewayError('SP_PROTOCOL', { detail: 'encryption was negotiated before' });
    } else {
      return packet;
    }
  }
  throw new GatewayError('SP_PROTOCOL', { detail: 'no startup packet' });
}

/** Ends without a word: nobody there would understand one. */
function silent(door: Door, detail: string): undefined {
  door.failed('SP_FRAME_MALFORMED', detail);
  return undefined;
}

async function startSession(
  packet: StartupPacket & { readonly kind: 'startup' },
  knock: Pick<Login, 'handshake' | 'door' | 'services' | 'signal'>,
): Promise<PgClient> {
  const { handshake, door } = knock;
  const { wire } = handshake;
  if (wire.security === null && !door.listener.plaintextAllowed) {
    throw new GatewayError('SP_TLS_REQUIRED');
  }
  const version = Math.min(packet.version, protocol32);
  if (packet.version > protocol32 || packet.protocolOptions.length > 0) {
    wire.write(encodeNegotiation(version, packet.protocolOptions));
  }
  const request = readStartupParameters(packet.parameters);
  const login: Login = {
    ...knock,
    request,
    attempt: {
      user: request.user,
      namespace: request.database,
      clientName: request.applicationName,
      holdMode: request.holdMode,
    },
  };
  const admission = await prove(login);
  return {
    wire,
    admission,
    database: request.database,
    parameters: request.parameters,
    // 3.1 was never used; it means what 3.0 means.
    version: version === protocol32 ? protocol32 : protocol30,
    rest: handshake.finish(),
  };
}

function prove(login: Login): Promise<Admission> {
  const method = login.door.listener.authentication;
  if (login.request.credential !== undefined) return proveByScram(login, login.request.credential);
  switch (method) {
    case 'password':
      return proveByPassword(login);
    case 'oauth':
      return proveByToken(login);
    case 'scram':
      throw new GatewayError('SP_BAD_REQUEST', {
        detail: 'name the credential: options=-c sallyport.credential=ID',
      });
  }
}

async function proveByPassword(login: Login): Promise<Admission> {
  const { handshake } = login;
  send(handshake, authentication.cleartext);
  const body = await answer(handshake);
  const password = textOf(body, 0, body.length - 1);
  if (body.indexOf(0) !== body.length - 1 || password === undefined) {
    throw new GatewayError('SP_FRAME_MALFORMED', { detail: 'a password message' });
  }
  return admit(login, { kind: 'password', secret: new Secret(password) });
}

async function proveByScram(login: Login, credential: string): Promise<Admission> {
  const { handshake, door, services } = login;
  const endPoint = handshake.wire.security?.serverEndPoint;
  const mechanisms = endPoint === undefined ? [scramPlain] : [scramPlus, scramPlain];
  const initial = await offerSasl(handshake, mechanisms);
  const scram = new ScramServer(initial.mechanism, endPoint, services.random.bytes(nonceBytes));
  const keys = await door.scramKeys(credential);
  send(handshake, authentication.saslContinue, scram.first(initial.response, keys));
  const final = scram.final(await answer(handshake));
  if (final === undefined) throw new GatewayError('SP_LOGIN_FAILED');
  const admission = await admit(login, { kind: 'scram', credential, verified: true });
  send(handshake, authentication.saslFinal, final);
  return admission;
}

async function proveByToken(login: Login): Promise<Admission> {
  const { handshake, door } = login;
  const { oauth } = door.listener;
  if (oauth === undefined) throw new GatewayError('SP_CONFIG', { detail: 'no issuer to name' });
  const { response } = await offerSasl(handshake, [oauthBearer]);
  const token = readBearer(response);
  let failure = new GatewayError('SP_LOGIN_FAILED', {
    detail: 'no bearer token',
    facts: { isDiscovery: true },
  });
  if (token !== undefined) {
    try {
      return await admit(login, { kind: 'bearer', secret: new Secret(token) });
    } catch (thrown) {
      failure = toGatewayError(thrown);
      if (failure.code !== 'SP_LOGIN_FAILED') throw failure;
    }
  }
  send(handshake, authentication.saslContinue, bearerChallenge(oauth.discovery, oauth.scope));
  if (!isBearerDummy(await answer(handshake))) {
    throw new GatewayError('SP_FRAME_MALFORMED', { detail: 'OAUTHBEARER: no kvsep response' });
  }
  throw failure;
}

const admit = (login: Login, proof: LoginAttempt['proof']): Promise<Admission> =>
  login.door.admit({ ...login.attempt, proof }, login.signal);

/** Offers mechanisms and reads the client's choice with its first message. */
async function offerSasl(
  handshake: Handshake,
  mechanisms: readonly string[],
): Promise<{ readonly mechanism: string; readonly response: Uint8Array }> {
  const list = new TextEncoder().encode(`${mechanisms.join('\0')}\0\0`);
  send(handshake, authentication.sasl, list);
  const body = await answer(handshake);
  const nameEnd = stringEnd(body, 0, body.length);
  const mechanism = nameEnd < 0 ? undefined : textOf(body, 0, nameEnd);
  if (mechanism === undefined || nameEnd + 5 > body.length) {
    throw new GatewayError('SP_FRAME_MALFORMED', { detail: 'a SASL initial response' });
  }
  if (!mechanisms.includes(mechanism)) {
    throw new GatewayError('SP_PROTOCOL', {
      detail: 'client selected an invalid SASL authentication mechanism',
    });
  }
  const length = int32(body, nameEnd + 1);
  const response = body.subarray(nameEnd + 5);
  if (length === response.length) return { mechanism, response };
  if (length !== -1 || response.length > 0) {
    throw new GatewayError('SP_FRAME_MALFORMED', { detail: 'a SASL initial response' });
  }
  // Without an initial response the client waits for an empty challenge.
  send(handshake, authentication.saslContinue);
  return { mechanism, response: await answer(handshake) };
}

/** The body of the next message, which must be of the type that all answers share. */
async function answer(handshake: Handshake): Promise<Uint8Array> {
  const { type, body } = await handshake.message();
  if (type === frontend.password) return body;
  if (type === frontend.terminate) throw new PeerGone();
  throw new GatewayError('SP_PROTOCOL', { detail: 'expected a password or SASL response' });
}

function send(handshake: Handshake, code: number, data: Uint8Array = new Uint8Array(0)): void {
  const writer = new MessageWriter().begin(backend.authentication).int32(code).bytes(data);
  handshake.wire.write(writer.end().done());
}

/** NegotiateProtocolVersion: the newest version spoken here, and the options that nobody knows. */
function encodeNegotiation(version: number, options: readonly string[]): Uint8Array {
  const writer = new MessageWriter().begin(backend.negotiateProtocolVersion);
  writer.int32(version).int32(options.length);
  for (const option of options) writer.string(option);
  return writer.end().done();
}

function hex(bytes: Uint8Array): string {
  let text = '';
  for (const byte of bytes) text += byte.toString(16).padStart(2, '0');
  return text;
}
