/**
 * The client's authentication (RFC 4252): from the first byte to a client that waits to be let in.
 *
 * It decides nothing: the door does, on the proof of one attempt. Nothing is carried from one
 * attempt to the next, neither the user name nor a key that was only offered, so a client that
 * changes its name starts over by construction.
 */
import { errorTable, GatewayError, toGatewayError } from '#core/errors.ts';
import type { Admission, Door, LoginAttempt, ProtocolServices } from '#core/protocol.ts';
import { Secret } from '#core/secret.ts';
import type { Wire } from '#core/wire.ts';
import { FieldReader, FieldWriter } from '#core/ssh-fields.ts';
import { plainAlgorithm, readPublicKey, verify } from './codec/keys.ts';
import { disconnect, message, typeOf } from './codec/messages.ts';
import { refusalText, refuse } from './refusal.ts';
import { type ServerRole, SshTransport } from './transport.ts';
import type { SshClient } from './types.ts';

/** Wrong proofs on one connection, as OpenSSH's `MaxAuthTries`. */
const WRONG_PROOFS_MAX = 6;
/** Requests of any kind, with keys that were only offered. */
const REQUESTS_MAX = 64;
/** Requests that came while one is decided. */
const WAITING_MAX = 16;
const METHODS = 'publickey,password,keyboard-interactive';

/**
 * Serves a client until it has proven itself or is gone. Never rejects.
 *
 * @returns undefined when there is no session; the connection is ending then.
 */
export function acceptClient(
  wire: Wire,
  door: Door,
  parts: { readonly services: ProtocolServices; readonly role: ServerRole },
  signal: AbortSignal,
): Promise<SshClient | undefined> {
  return new Authentication(wire, door, parts, signal).run();
}

/** One USERAUTH_REQUEST, as far as all methods share it. */
interface AuthRequest {
  readonly user: string;
  readonly method: string;
  /** Behind the method's name. */
  readonly fields: FieldReader;
  readonly payload: Uint8Array;
}

class Authentication {
  readonly #door: Door;
  readonly #signal: AbortSignal;
  readonly #transport: SshTransport;
  readonly #waiting: Uint8Array[] = [];
  #isBusy = false;
  #hasService = false;
  #wrong = 0;
  #requests = 0;
  /** The user of a keyboard-interactive exchange under way. */
  #prompted: string | undefined;
  #finish: (client: SshClient | undefined) => void = () => undefined;
  #isFinished = false;

  constructor(
    wire: Wire,
    door: Door,
    parts: { readonly services: ProtocolServices; readonly role: ServerRole },
    signal: AbortSignal,
  ) {
    this.#door = door;
    this.#signal = signal;
    const spend = (count: number): void => door.spend(count);
    this.#transport = new SshTransport(wire, parts.role, { clock: parts.services.clock, spend });
  }

  async run(): Promise<SshClient | undefined> {
    const finished = new Promise<SshClient | undefined>((resolve) => {
      this.#finish = resolve;
    });
    const aborted = (): void => this.#transport.disconnect(disconnect.byApplication);
    this.#signal.addEventListener('abort', aborted, { once: true });
    this.#transport.start({
      ready: () => undefined,
      message: (payload) => this.#received(payload),
      drained: () => undefined,
      closed: (error) => this.#gone(error),
    });
    const client = await finished;
    this.#signal.removeEventListener('abort', aborted);
    return client;
  }

  #gone(error: GatewayError | undefined): void {
    if (this.#isFinished) return;
    this.#isFinished = true;
    if (error !== undefined) this.#door.failed(error.code, error.message);
    this.#finish(undefined);
  }

  /** One after the other: what comes while a proof is checked waits, within a bound. */
  #received(payload: Uint8Array): void {
    if (this.#isFinished) return;
    if (this.#waiting.length >= WAITING_MAX) throw tooMuch();
    this.#waiting.push(Uint8Array.from(payload));
    if (!this.#isBusy) void this.#work();
  }

  async #work(): Promise<void> {
    this.#isBusy = true;
    try {
      for (;;) {
        const payload = this.#waiting.shift();
        if (payload === undefined || this.#isFinished) break;
        await this.#message(payload);
      }
    } catch (thrown) {
      const error = toGatewayError(thrown);
      this.#transport.disconnect(disconnect.protocolError);
      this.#gone(error);
    }
    this.#isBusy = false;
  }

  async #message(payload: Uint8Array): Promise<void> {
    switch (typeOf(payload)) {
      case message.serviceRequest:
        this.#service(new FieldReader(payload, 1).text());
        return;
      case message.extInfo:
        return;
      case message.authRequest:
        await this.#request(payload);
        return;
      case message.authMethod61:
        await this.#answered(payload);
        return;
      default:
        throw new GatewayError('SP_PROTOCOL', { detail: 'a message before authentication' });
    }
  }

  #service(name: string): void {
    if (this.#hasService || name !== 'ssh-userauth') {
      this.#transport.disconnect(disconnect.serviceNotAvailable);
      return;
    }
    this.#hasService = true;
    this.#transport.send(new FieldWriter().byte(message.serviceAccept).text(name).done());
  }

  async #request(payload: Uint8Array): Promise<void> {
    if (!this.#hasService) throw new GatewayError('SP_PROTOCOL', { detail: 'no service' });
    this.#requests += 1;
    if (this.#requests > REQUESTS_MAX) throw tooMuch();
    // A new request ends an exchange that is under way (RFC 4252 section 5.1).
    this.#prompted = undefined;
    const fields = new FieldReader(payload, 1);
    const user = fields.text();
    const service = fields.text();
    const request = { user, method: fields.text(), fields, payload };
    if (service !== 'ssh-connection') {
      this.#transport.disconnect(disconnect.serviceNotAvailable);
      return;
    }
    switch (request.method) {
      case 'password':
        return this.#password(request);
      case 'publickey':
        return this.#publicKey(request);
      case 'keyboard-interactive':
        return this.#prompt(request);
      case 'none':
        return this.#failure();
      default:
        return this.#wrongProof();
    }
  }

  async #password({ user, fields }: AuthRequest): Promise<void> {
    const isChange = fields.bool();
    const password = fields.text();
    if (isChange) return this.#wrongProof();
    fields.end();
    await this.#prove(user, { kind: 'password', secret: new Secret(password) });
  }

  async #publicKey({ user, fields, payload }: AuthRequest): Promise<void> {
    const isSigned = fields.bool();
    const algorithm = fields.text();
    const key = fields.string();
    if (!this.#door.knowsKey(key)) return isSigned ? this.#wrongProof() : this.#failure();
    if (!isSigned) {
      fields.end();
      // A hint that a signature is worth making; nothing is remembered of it.
      const writer = new FieldWriter().byte(message.authMethod60).text(algorithm).string(key);
      this.#transport.send(writer.done());
      return;
    }
    const signedEnd = payload.length - fields.left;
    const signature = fields.string();
    fields.end();
    const data = new FieldWriter()
      .string(this.#transport.sessionId)
      .raw(payload.subarray(0, signedEnd))
      .done();
    const isSignedBy = verify(readPublicKey(key), plainAlgorithm(algorithm), { data, signature });
    if (!isSignedBy) return this.#wrongProof();
    await this.#prove(user, { kind: 'public-key', key, verified: true });
  }

  #prompt({ user }: AuthRequest): void {
    this.#prompted = user;
    const writer = new FieldWriter()
      .byte(message.authMethod60)
      .text('Sallyport')
      .text('Enter a credential of `sallyport login`, or a token of your issuer.')
      .text('')
      .uint32(1)
      .text('Credential: ')
      .bool(false);
    this.#transport.send(writer.done());
  }

  async #answered(payload: Uint8Array): Promise<void> {
    const user = this.#prompted;
    this.#prompted = undefined;
    if (user === undefined) throw new GatewayError('SP_PROTOCOL', { detail: 'nothing was asked' });
    const fields = new FieldReader(payload, 1);
    if (fields.uint32() !== 1) return this.#wrongProof();
    const secret = new Secret(fields.text());
    fields.end();
    await this.#prove(user, { kind: 'password', secret });
  }

  async #prove(user: string, proof: LoginAttempt['proof']): Promise<void> {
    const attempt: LoginAttempt = {
      user,
      namespace: '',
      clientName: this.#transport.peerIdent,
      holdMode: 'wait',
      proof,
    };
    let admission: Admission;
    try {
      admission = await this.#door.admit(attempt, this.#signal);
    } catch (thrown) {
      return this.#refused(toGatewayError(thrown));
    }
    if (this.#isFinished) {
      await admission.close({ reason: 'client', code: undefined, detail: 'left during login' });
      return;
    }
    this.#isFinished = true;
    this.#transport.authenticated();
    this.#finish(this.#client(admission));
  }

  #client(admission: Admission): SshClient {
    const transport = this.#transport;
    return {
      transport,
      admission,
      welcome: () => transport.send(Uint8Array.of(message.authSuccess)),
      turnAway: (text) => {
        this.#banner(text);
        transport.disconnect(disconnect.noMoreMethods);
      },
    };
  }

  /** A wrong proof, an unknown target and a missing grant look alike; the rest may be told. */
  #refused(error: GatewayError): void {
    this.#door.failed(error.code, error.message);
    const { audience } = errorTable[error.code];
    const isGuess = error.code === 'SP_LOGIN_FAILED' || error.code === 'SP_NO_GRANT';
    if (isGuess) return this.#wrongProof();
    this.#banner(refusalText(refuse(audience === 'client' ? error.code : 'SP_INTERNAL')));
    this.#transport.disconnect(disconnect.noMoreMethods);
  }

  #wrongProof(): void {
    this.#wrong += 1;
    if (this.#wrong >= WRONG_PROOFS_MAX) this.#transport.disconnect(disconnect.noMoreMethods);
    else this.#failure();
  }

  #failure(): void {
    const writer = new FieldWriter().byte(message.authFailure).text(METHODS).bool(false);
    this.#transport.send(writer.done());
  }

  #banner(text: string): void {
    const writer = new FieldWriter().byte(message.authBanner).text(`${text}\r\n`).text('');
    this.#transport.send(writer.done());
  }
}

const tooMuch = (): GatewayError =>
  new GatewayError('SP_FRAME_TOO_LARGE', { detail: 'too many authentication requests' });
