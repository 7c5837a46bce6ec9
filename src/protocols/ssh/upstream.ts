/**
 * The login at the target (RFC 4252 as a client), with the account's own secrets. The target is
 * known by a key or an authority that the configuration names; another one ends it before any
 * secret is sent.
 */
import { errorTable, GatewayError, toGatewayError } from '#core/errors.ts';
import type { AccountSecrets, Admission, ProtocolServices } from '#core/protocol.ts';
import type { Wire } from '#core/wire.ts';
import { sshSettings } from './config.ts';
import { FieldReader, FieldWriter } from '#core/ssh-fields.ts';
import { algorithmsOf, readPrivateKey, sign, writePublicKey } from './codec/keys.ts';
import { disconnect, message, typeOf } from './codec/messages.ts';
import { targetRole } from './host-identity.ts';
import { type ClientRole, SshTransport } from './transport.ts';

/** What a target may ask for in one exchange, and how often. */
const PROMPTS_MAX = 4;
const EXCHANGES_MAX = 3;

/**
 * Logs in at the target.
 *
 * @throws GatewayError `SP_TARGET_LOGIN`, `SP_TARGET_PROTOCOL`, `SP_TARGET_UNREACHABLE`, or the
 * signal's reason.
 */
export async function connectServer(
  wire: Wire,
  admission: Pick<Admission, 'authorization' | 'secrets'>,
  services: ProtocolServices,
  signal: AbortSignal,
): Promise<SshTransport> {
  const secrets = await admission.secrets();
  const { settings, address } = admission.authorization.target;
  const role = targetRole(sshSettings.parse(settings), address.host, services.clock);
  const login = new Login(wire, role, secrets, services);
  const abort = (): void => login.fail(toGatewayError(signal.reason));
  if (signal.aborted) abort();
  signal.addEventListener('abort', abort, { once: true });
  const stop = services.clock.after(services.limits.dialMsMax, () =>
    login.fail(new GatewayError('SP_TARGET_UNREACHABLE', { detail: 'no answer in time' })),
  );
  try {
    return await login.run();
  } finally {
    stop();
    signal.removeEventListener('abort', abort);
  }
}

/** What is tried, in order. */
type Method = 'publickey' | 'password' | 'keyboard-interactive';

class Login {
  readonly #transport: SshTransport;
  readonly #secrets: AccountSecrets;
  readonly #left: Method[];
  #current: Method | undefined;
  #exchanges = 0;
  #settle:
    | { resolve(transport: SshTransport): void; reject(error: GatewayError): void }
    | undefined;
  #failure: GatewayError | undefined;
  #isIn = false;

  constructor(wire: Wire, role: ClientRole, secrets: AccountSecrets, services: ProtocolServices) {
    this.#secrets = secrets;
    this.#transport = new SshTransport(wire, role, { clock: services.clock });
    this.#left = [
      ...(secrets.clientKey === undefined ? [] : ['publickey' as const]),
      ...(secrets.password === undefined
        ? []
        : ['password' as const, 'keyboard-interactive' as const]),
    ];
  }

  run(): Promise<SshTransport> {
    return new Promise((resolve, reject) => {
      this.#settle = { resolve, reject };
      if (this.#failure !== undefined) return this.fail(this.#failure);
      this.#transport.start({
        ready: () =>
          this.#send(new FieldWriter().byte(message.serviceRequest).text('ssh-userauth')),
        message: (payload) => this.#guarded(payload),
        drained: () => undefined,
        closed: (error) => this.fail(error === undefined ? lost() : targetError(error)),
      });
    });
  }

  fail(error: GatewayError): void {
    this.#failure ??= error;
    if (this.#settle === undefined) return;
    this.#settle.reject(this.#failure);
    this.#transport.disconnect(disconnect.byApplication);
  }

  #guarded(payload: Uint8Array): void {
    try {
      this.#message(payload);
    } catch (thrown) {
      this.fail(targetError(toGatewayError(thrown)));
    }
  }

  #message(payload: Uint8Array): void {
    // What a host announces before the session takes over is for nobody.
    if (this.#isIn) return;
    switch (typeOf(payload)) {
      case message.extInfo:
      // What the host says to everybody is not for this client, and may hold anything.
      case message.authBanner:
        return;
      case message.serviceAccept:
        return this.#next(undefined);
      case message.authFailure:
        return this.#next(new FieldReader(payload, 1).text().split(','));
      case message.authMethod60:
        return this.#answer(new FieldReader(payload, 1));
      case message.authSuccess:
        this.#isIn = true;
        this.#transport.authenticated();
        this.#settle?.resolve(this.#transport);
        return;
      default:
        throw new GatewayError('SP_TARGET_PROTOCOL', { detail: 'a message during login' });
    }
  }

  #next(offered: readonly string[] | undefined): void {
    const method = this.#left.shift();
    if (method === undefined) {
      this.fail(new GatewayError('SP_TARGET_LOGIN', { detail: 'no method was accepted' }));
      return;
    }
    if (offered !== undefined && !offered.includes(method)) return this.#next(offered);
    this.#current = method;
    switch (method) {
      case 'publickey':
        return this.#signIn();
      case 'password': {
        const { password } = this.#secrets;
        const fields = this.#request(method)
          .bool(false)
          .text(password?.reveal() ?? '');
        return this.#send(fields);
      }
      case 'keyboard-interactive':
        return this.#send(this.#request(method).text('').text(''));
    }
  }

  #signIn(): void {
    const key = readPrivateKey(this.#secrets.clientKey?.reveal() ?? '');
    const plain = writePublicKey(key);
    const type = new FieldReader(plain).text();
    const { clientCertificate } = this.#secrets;
    // A certificate file is one line: its type, its base64, a comment.
    const [certificateType, base64] = clientCertificate?.trim().split(/\s+/) ?? [];
    const blob = base64 === undefined ? plain : Buffer.from(base64, 'base64');
    const algorithm = algorithmsOf(type)[0] ?? type;
    const named =
      certificateType === undefined ? algorithm : certificateAlgorithm(algorithm, certificateType);
    const request = this.#request('publickey').bool(true).text(named).string(blob).done();
    const data = new FieldWriter().string(this.#transport.sessionId).raw(request).done();
    const signature = sign(key, algorithm, data);
    this.#send(new FieldWriter().raw(request).string(signature));
  }

  /** Answers a prompt with the password, for hosts that ask through PAM. */
  #answer(fields: FieldReader): void {
    this.#exchanges += 1;
    const { password } = this.#secrets;
    const isAsked = this.#current === 'keyboard-interactive' && password !== undefined;
    if (!isAsked || this.#exchanges > EXCHANGES_MAX) {
      throw new GatewayError('SP_TARGET_PROTOCOL', { detail: 'a question that nobody answers' });
    }
    fields.text();
    fields.text();
    fields.text();
    const count = fields.uint32();
    if (count > PROMPTS_MAX) throw new GatewayError('SP_TARGET_PROTOCOL', { detail: 'prompts' });
    const writer = new FieldWriter().byte(message.authMethod61).uint32(count);
    for (let index = 0; index < count; index += 1) writer.text(password.reveal());
    this.#send(writer);
  }

  #request(method: Method): FieldWriter {
    return new FieldWriter()
      .byte(message.authRequest)
      .text(this.#secrets.username)
      .text('ssh-connection')
      .text(method);
  }

  #send(writer: FieldWriter): void {
    this.#transport.send(writer.done());
  }
}

/** RSA certificates are used with SHA-2 under a name of their own. */
const certificateAlgorithm = (algorithm: string, type: string): string =>
  algorithm.startsWith('rsa-') ? `${algorithm}-cert-v01@openssh.com` : type;

/** What was wrong with a message is the target's fault where the target sent it. */
export function targetError(error: GatewayError): GatewayError {
  if (error.code !== 'SP_FRAME_MALFORMED' && error.code !== 'SP_PROTOCOL') return error;
  const { text } = errorTable[error.code];
  const detail = error.message.startsWith(`${text}: `)
    ? error.message.slice(text.length + 2)
    : text;
  return new GatewayError('SP_TARGET_PROTOCOL', { detail, cause: error });
}

const lost = (): GatewayError => new GatewayError('SP_TARGET_LOST', { detail: 'during login' });
