/**
 * The server's handshake: from a dialled wire to the first `ReadyForQuery`, as the account of the
 * authorisation and nobody else.
 *
 * The target is as likely to be hostile as the client: every message is bounded and has its place,
 * what it says in an error goes to the operator and not to the client, and it gets the password in
 * clear text only over verified TLS. Two settings that the reading of statements rests on are
 * pinned here and checked: `client_encoding` and `standard_conforming_strings`.
 */
import { createHash } from 'node:crypto';
import { GatewayError, toGatewayError } from '#core/errors.ts';
import type { AccountSecrets, Admission, ProtocolServices } from '#core/protocol.ts';
import type { Target } from '#core/target.ts';
import type { TlsClientOptions, Wire } from '#core/wire.ts';
import { int32 } from './codec/frames.ts';
import { backend, frontend } from './codec/messages.ts';
import { readNoticeFields, readParameterStatus, textOf } from './codec/read.ts';
import { encodeSslRequest, encodeStartup, protocol30, protocol32 } from './codec/startup.ts';
import { MessageWriter } from './codec/write.ts';
import { postgresSettings, type PostgresSettings } from './config.ts';
import { abortError, Handshake, type HandshakeMessage, PeerGone } from './handshake.ts';
import { ScramCache } from './scram-cache.ts';
import { scramPlain, scramPlus, ScramClient } from './scram.ts';
import type { PgClient, PgServer } from './types.ts';

/** A start-up message is a few hundred bytes; an error of an extension may be longer. */
const messageBytesMax = 64 * 1024;
/** Messages from the start-up packet to ReadyForQuery: parameters, notices, authentication. */
const messagesMax = 500;
const nonceBytes = 18;
const cancelKeyBytesMax = 256;
const idle = 0x49;

const authentication = {
  ok: 0,
  cleartext: 3,
  md5: 5,
  sasl: 10,
  saslContinue: 11,
  saslFinal: 12,
} as const;

const pinned: ReadonlyMap<string, string> = new Map([
  ['client_encoding', 'UTF8'],
  ['standard_conforming_strings', 'on'],
]);

export interface Login {
  readonly handshake: Handshake;
  readonly services: ProtocolServices;
  readonly target: Target;
  readonly settings: PostgresSettings;
  readonly secrets: AccountSecrets;
}

const caches = new WeakMap<ProtocolServices, ScramCache>();

/** The cache of this runtime: it lives as long as the services that it was started with. */
function cacheOf(services: ProtocolServices): ScramCache {
  const cache = caches.get(services) ?? new ScramCache(services.random);
  caches.set(services, cache);
  return cache;
}

/**
 * Logs in at the target.
 *
 * @throws GatewayError `SP_TARGET_UNREACHABLE`, `SP_TARGET_LOGIN`, `SP_TARGET_PROTOCOL`, or what
 * ended the session meanwhile. The wire is closed then.
 */
export async function connectServer(
  wire: Wire,
  client: Pick<PgClient, 'parameters' | 'database'>,
  admission: Pick<Admission, 'authorization' | 'secrets' | 'signal'>,
  services: ProtocolServices,
  signal: AbortSignal,
): Promise<PgServer> {
  const deadline = new AbortController();
  const cancel = services.clock.after(services.limits.dialMsMax, () =>
    deadline.abort(
      new GatewayError('SP_TARGET_UNREACHABLE', { detail: 'its login took too long' }),
    ),
  );
  const either = AbortSignal.any([signal, admission.signal, deadline.signal]);
  const handshake = new Handshake(wire, { bytesMax: messageBytesMax, spend: () => {} }, either);
  const { target } = admission.authorization;
  try {
    const settings = postgresSettings.parse(target.settings ?? {});
    const secrets = await admission.secrets();
    const login: Login = { handshake, services, target, settings, secrets };
    await startTls(login);
    const version = await logIn(login, client);
    const server = await start(login, version);
    return { ...server, wire, rest: handshake.finish() };
  } catch (thrown) {
    handshake.finish();
    wire.destroy();
    const error = failure(thrown, either);
    services.warn('login at a target failed', {
      target: target.name,
      code: error.code,
      detail: error.message,
      ...texts(error.facts),
    });
    throw error;
  } finally {
    cancel();
  }
}

function failure(thrown: unknown, signal: AbortSignal): GatewayError {
  if (signal.aborted) return abortError(signal);
  if (thrown instanceof PeerGone) return new GatewayError('SP_TARGET_LOST', { cause: thrown });
  if (!(thrown instanceof GatewayError)) return toGatewayError(thrown, 'SP_TARGET_UNREACHABLE');
  // The codec speaks of malformed messages wherever they come from; here it is the target's fault.
  const isCodec = ['SP_FRAME_MALFORMED', 'SP_FRAME_TOO_LARGE', 'SP_PROTOCOL'].includes(thrown.code);
  if (!isCodec) return thrown;
  return new GatewayError('SP_TARGET_PROTOCOL', { detail: thrown.message, cause: thrown });
}

const texts = (
  facts: Readonly<Record<string, string | number | boolean>>,
): Record<string, string> =>
  Object.fromEntries(Object.entries(facts).map(([name, value]) => [name, String(value)]));

export async function startTls(login: Login): Promise<void> {
  const { handshake, target, settings, secrets } = login;
  const { tls } = target;
  if (tls.mode === 'disable') return;
  const options: TlsClientOptions = {
    serverName: tls.serverName ?? target.address.host,
    verify: tls.mode === 'verify-full' ? 'full' : 'ca',
    ca: tls.ca,
    certificate: secrets.clientCertificate,
    key: secrets.clientKey?.reveal(),
    alpn: ['postgresql'],
  };
  if (!settings.directTls) {
    handshake.wire.write(encodeSslRequest());
    const [answer] = await handshake.take(1);
    if (answer === 0x4e) {
      throw new GatewayError('SP_TARGET_UNREACHABLE', { detail: 'it does not offer TLS' });
    }
    if (answer !== 0x53) throw broken('an answer to SSLRequest that is neither S nor N');
  }
  try {
    await handshake.startTlsAsClient(options);
  } catch (thrown) {
    if (thrown instanceof GatewayError) throw thrown;
    const why = thrown instanceof Error ? thrown.message : 'TLS failed';
    throw new GatewayError('SP_TARGET_UNREACHABLE', { detail: why, cause: thrown });
  }
}

/** Sends the start-up packet and authenticates. Gives the version that the server speaks. */
async function logIn(
  login: Login,
  client: Pick<PgClient, 'parameters' | 'database'>,
): Promise<number> {
  const { handshake, settings, secrets } = login;
  const asked = settings.protocol === '3.2' ? protocol32 : protocol30;
  const parameters = new Map(client.parameters);
  for (const [name, value] of pinned) parameters.set(name, value);
  parameters.set('user', secrets.username);
  const database = client.database === '' ? settings.database : client.database;
  parameters.set('database', database ?? secrets.username);
  handshake.wire.write(encodeStartup(asked, parameters));
  let version = asked;
  let message = await next(handshake);
  if (message.type === backend.negotiateProtocolVersion) {
    version = negotiated(message.body, asked);
    message = await next(handshake);
  }
  await authenticate(login, message);
  return version;
}

/** NegotiateProtocolVersion: an older minor version, and no option, since we asked for none. */
function negotiated(body: Uint8Array, asked: number): number {
  const version = int32(body, 0);
  const isOlder = version >= protocol30 && version < asked;
  if (body.length !== 8 || int32(body, 4) !== 0 || !isOlder) {
    throw broken('a protocol version that was not asked for');
  }
  return version === protocol32 ? protocol32 : protocol30;
}

async function authenticate(login: Login, first: HandshakeMessage): Promise<void> {
  const { handshake, settings, secrets } = login;
  const code = authenticationCode(first);
  const isPassword = code === authentication.cleartext || code === authentication.md5;
  const wantsScram = settings.authentication === 'scram' || settings.channelBinding === 'require';
  if (wantsScram && secrets.password !== undefined && code !== authentication.sasl) {
    throw refused('it does not ask for SCRAM');
  }
  if (code === authentication.ok) return expectBody(first, 4);
  if (isPassword) {
    expectBody(first, code === authentication.md5 ? 8 : 4);
    const password = passwordOf(login);
    if (code === authentication.cleartext && handshake.wire.security === null) {
      throw refused('it asks for a clear-text password without TLS');
    }
    const text =
      code === authentication.cleartext
        ? password
        : md5Answer(password, secrets.username, first.body.subarray(4));
    send(handshake, (writer) => writer.string(text));
  } else if (code === authentication.sasl) {
    await authenticateByScram(login, first.body);
  } else {
    throw refused(`it asks for authentication method ${code}`);
  }
  const last = await next(handshake);
  if (authenticationCode(last) !== authentication.ok) throw broken('no AuthenticationOk');
  expectBody(last, 4);
}

async function authenticateByScram(login: Login, offer: Uint8Array): Promise<void> {
  const { handshake, services, settings, secrets, target } = login;
  const endPoint = handshake.wire.security?.serverEndPoint;
  const offered = mechanismsOf(offer);
  const isPlus = endPoint !== undefined && offered.includes(scramPlus);
  if (!isPlus && settings.channelBinding === 'require') throw refused('it cannot bind to TLS');
  if (!isPlus && !offered.includes(scramPlain)) throw refused('it offers no SCRAM-SHA-256');
  const password = passwordOf(login);
  const mechanism = isPlus ? scramPlus : scramPlain;
  const scram = new ScramClient(mechanism, endPoint, services.random.bytes(nonceBytes));
  const first = scram.first();
  send(handshake, (writer) => writer.string(mechanism).int32(first.length).bytes(first));
  const challenge = scram.challenge(await saslData(handshake, authentication.saslContinue));
  const account = { target: target.name, user: secrets.username };
  const keys = await cacheOf(services).keys(account, password, challenge);
  send(handshake, (writer) => writer.bytes(scram.final(keys)));
  // Before AuthenticationOk: a server that does not know the password's keys gets no session.
  if (!scram.check(await saslData(handshake, authentication.saslFinal))) {
    throw refused('it does not know the account password itself');
  }
}

function mechanismsOf(offer: Uint8Array): readonly string[] {
  const text = textOf(offer, 4, offer.length);
  if (text === undefined || !text.endsWith('\0\0')) throw broken('a list of SASL mechanisms');
  return text.slice(0, -2).split('\0');
}

async function saslData(handshake: Handshake, code: number): Promise<Uint8Array> {
  const message = await next(handshake);
  if (authenticationCode(message) !== code) throw broken('a SASL message that is not due');
  return message.body.subarray(4);
}

function passwordOf(login: Login): string {
  const { password } = login.secrets;
  if (password === undefined) throw refused('it asks for a password that the account has not');
  return password.reveal();
}

/** `md5` and the hex of MD5(MD5(password, user), salt). */
function md5Answer(password: string, user: string, salt: Uint8Array): string {
  const inner = createHash('md5').update(password).update(user).digest('hex');
  return `md5${createHash('md5').update(inner).update(salt).digest('hex')}`;
}

/** From AuthenticationOk to ReadyForQuery. */
async function start(
  login: Login,
  version: number,
): Promise<Pick<PgServer, 'parameters' | 'processId' | 'cancelKey' | 'version'>> {
  const parameters = new Map<string, string>();
  let key: Uint8Array | undefined;
  for (let count = 0; count < messagesMax; count += 1) {
    const { type, body, bytes } = await next(login.handshake);
    if (type === backend.parameterStatus) {
      const status = readParameterStatus(bytes, 0, bytes.length);
      if (status === undefined) throw broken('a ParameterStatus');
      parameters.set(...status);
    } else if (type === backend.backendKeyData && key === undefined) {
      const secretBytes = body.length - 4;
      if (secretBytes < 4 || secretBytes > cancelKeyBytesMax) throw broken('a cancel key');
      if (version === protocol30 && secretBytes !== 4) throw broken('a cancel key of 3.2 in 3.0');
      key = body;
    } else if (type === backend.readyForQuery) {
      if (body.length !== 1 || body[0] !== idle) throw broken('a ReadyForQuery');
      checkPinned(parameters);
      // Without a key (some poolers give none) there is nothing that a cancel could be sent with.
      const processId = key === undefined ? 0 : int32(key, 0);
      return { parameters, processId, cancelKey: key?.subarray(4) ?? new Uint8Array(0), version };
    } else {
      throw broken(`message type 0x${type.toString(16)} at start-up`);
    }
  }
  throw broken('too many messages at start-up');
}

/** Statements are read under these settings: a server that has others is refused. */
function checkPinned(parameters: ReadonlyMap<string, string>): void {
  for (const [name, value] of pinned) {
    if (parameters.get(name) !== value) throw broken(`${name} is not ${value}`);
  }
}

/** The next message that is not a notice. An ErrorResponse becomes `SP_TARGET_LOGIN`. */
async function next(handshake: Handshake): Promise<HandshakeMessage> {
  for (let count = 0; count < messagesMax; count += 1) {
    const message = await handshake.message();
    if (message.type === backend.errorResponse) throw serverError(message.bytes);
    if (message.type !== backend.noticeResponse) return message;
  }
  throw broken('too many notices');
}

/** What the server says goes into the facts, for the operator; the client is told the code alone. */
function serverError(bytes: Uint8Array): GatewayError {
  const fields = readNoticeFields(bytes, 0, bytes.length) ?? [];
  const field = (code: string): string => {
    const found = fields.find((one) => one.code === code);
    return (found && textOf(bytes, found.start, found.end))?.slice(0, 500) ?? '';
  };
  const facts = { serverState: field('C'), serverMessage: field('M') };
  // What an older pooler answers to 3.2; a server would have negotiated.
  const isVersion = facts.serverState === '08P01';
  const hint = isVersion ? { hint: 'for a pooler that speaks 3.0 alone, set protocol: "3.0"' } : {};
  return new GatewayError('SP_TARGET_LOGIN', { facts: { ...facts, ...hint } });
}

function authenticationCode(message: HandshakeMessage): number {
  if (message.type !== backend.authentication || message.body.length < 4) {
    throw broken(`message type 0x${message.type.toString(16)} in place of authentication`);
  }
  return int32(message.body, 0);
}

function expectBody(message: HandshakeMessage, bytes: number): void {
  if (message.body.length !== bytes) throw broken('an authentication message of a wrong length');
}

function send(handshake: Handshake, fill: (writer: MessageWriter) => void): void {
  const writer = new MessageWriter().begin(frontend.password);
  fill(writer);
  handshake.wire.write(writer.end().done());
}

const broken = (detail: string): GatewayError => new GatewayError('SP_TARGET_PROTOCOL', { detail });
const refused = (detail: string): GatewayError => new GatewayError('SP_TARGET_LOGIN', { detail });
