/**
 * The connection to a target on which a request is under way: one at a time, a spare one of the
 * session's if there is any.
 */
import type { Clock } from '#core/clock.ts';
import { GatewayError, toGatewayError } from '#core/errors.ts';
import { httpLimits } from '#core/limits.ts';
import type { AllowedCommand } from '#core/permit.ts';
import type { Admission } from '#core/protocol.ts';
import { Secret } from '#core/secret.ts';
import type { TlsClientOptions, Wire } from '#core/wire.ts';
import type { Field } from './codec/fields.ts';
import { encodeHead } from './codec/write.ts';
import type { HttpSettings } from './config.ts';
import { Input } from './input.ts';
import { type HttpRequest, requestTarget } from './request.ts';
import type { Connection, OpenConnection, Spares } from './spares.ts';

export interface UpstreamParts {
  readonly admission: Admission;
  readonly spares: Spares;
  readonly settings: HttpSettings;
  readonly clock: Clock;
}

interface Dialled extends Pick<OpenConnection, 'wire' | 'secret'> {
  readonly isHttp2: boolean;
}

/** What is offered to a target, the first one liked best. */
const alpnOf: Readonly<Record<HttpSettings['upstreamHttp'], readonly string[]>> = {
  '1.1': ['http/1.1'],
  '2': ['h2'],
  auto: ['h2', 'http/1.1'],
};

export class Upstream {
  readonly #parts: UpstreamParts;
  #open: OpenConnection | undefined;

  constructor(parts: UpstreamParts) {
    this.#parts = parts;
  }

  /** The field that carries the account's secret, in lower case; the client's own never goes on. */
  get secretField(): string | undefined {
    const { authentication, authenticationHeader } = this.#parts.settings;
    return authentication === 'header' ? authenticationHeader?.toLowerCase() : undefined;
  }

  /** The host that the target is told. */
  get host(): string {
    const { address, tls } = this.#parts.admission.authorization.target;
    const { upstreamHost } = this.#parts.settings;
    if (upstreamHost !== undefined) return upstreamHost;
    const name = address.host.includes(':') ? `[${address.host}]` : address.host;
    return address.port === (tls.mode === 'disable' ? 80 : 443) ? name : `${name}:${address.port}`;
  }

  /**
   * A connection on which nothing is under way.
   *
   * @throws GatewayError when the target cannot be reached.
   */
  connection(signal: AbortSignal): Connection | Promise<Connection> {
    this.drop();
    const { spares, clock } = this.#parts;
    this.#open = spares.take(clock.monotonicMs());
    return this.#open ?? this.#connect(signal);
  }

  /** The connection may be used for another request. */
  keep(): void {
    const open = this.#open;
    this.#open = undefined;
    if (open === undefined) return;
    open.lastUsedMs = this.#parts.clock.monotonicMs();
    this.#parts.spares.give(open);
  }

  /** Closes the connection, if there is one. */
  drop(): void {
    const open = this.#open;
    this.#open = undefined;
    if (open !== undefined) this.#parts.spares.end(open);
  }

  /** The bytes of a request's head: what was judged, and what the gateway adds to it. */
  head(permit: AllowedCommand, request: HttpRequest, added: readonly Field[]): Uint8Array {
    if (permit.refused) throw new GatewayError('SP_INTERNAL', { detail: 'no permit' });
    const secret = this.#open?.secret;
    const own: Field[] = [{ name: 'host', value: request.host }];
    if (secret !== undefined) own.push({ name: secret.name, value: secret.value.reveal() });
    if (request.upgrade !== undefined) {
      own.push({ name: 'connection', value: 'upgrade' });
      own.push({ name: 'upgrade', value: request.upgrade });
    }
    const start = `${request.method} ${requestTarget(request)} HTTP/1.1`;
    return encodeHead(start, [...own, ...request.forwarded, ...added, ...lengthFields(request)]);
  }

  async #connect(signal: AbortSignal): Promise<Connection> {
    this.#open = await this.#dial(signal);
    return this.#open;
  }

  async #dial(signal: AbortSignal): Promise<OpenConnection> {
    const { spares } = this.#parts;
    const known = spares.client;
    if (known !== undefined) return this.#opened(known.client.request(), known.secret);
    const { wire, secret, isHttp2 } = await this.#reach(signal);
    if (!isHttp2) return this.#opened(wire, secret);
    return this.#opened(spares.add(wire, secret).client.request(), secret);
  }

  #opened(wire: Wire, secret: OpenConnection['secret']): OpenConnection {
    const events = {
      fault: targetFault,
      drained: () => open.onDrained(),
      gone: () => open.onGone(),
    };
    const open: OpenConnection = {
      wire,
      input: new Input(wire, httpLimits.unaskedBytesMax, events),
      secret,
      lastUsedMs: this.#parts.clock.monotonicMs(),
      onDrained: () => undefined,
      onGone: () => undefined,
    };
    return open;
  }

  /** Dials the target and finds out what it speaks. */
  async #reach(signal: AbortSignal): Promise<Dialled> {
    const { admission, settings } = this.#parts;
    const secrets = await admission.secrets();
    const wire = await admission.dial(signal);
    const { target } = admission.authorization;
    const secret = this.#secretOf(secrets.username, secrets.password);
    // Without TLS nobody can say what is spoken, so it is what the settings say.
    if (target.tls.mode === 'disable') {
      return { wire, secret, isHttp2: settings.upstreamHttp === '2' };
    }
    await startTls(wire, signal, {
      serverName: target.tls.serverName ?? target.address.host,
      verify: target.tls.mode === 'verify-full' ? 'full' : 'ca',
      ca: target.tls.ca,
      certificate: secrets.clientCertificate,
      key: secrets.clientKey?.reveal(),
      alpn: alpnOf[settings.upstreamHttp],
    });
    const isHttp2 = wire.security?.alpn === 'h2';
    if (!isHttp2 && settings.upstreamHttp === '2') {
      wire.destroy();
      throw new GatewayError('SP_TARGET_PROTOCOL', { detail: 'it does not speak HTTP/2' });
    }
    return { wire, secret, isHttp2 };
  }

  #secretOf(username: string, password: Secret | undefined): OpenConnection['secret'] {
    if (password === undefined) return undefined;
    const text = password.reveal();
    switch (this.#parts.settings.authentication) {
      case 'none':
        return undefined;
      case 'bearer':
        return { name: 'authorization', value: new Secret(`Bearer ${text}`) };
      case 'basic': {
        const pair = Buffer.from(`${username}:${text}`, 'utf8').toString('base64');
        return { name: 'authorization', value: new Secret(`Basic ${pair}`) };
      }
      case 'header':
        return { name: this.secretField ?? 'authorization', value: password };
    }
  }
}

/** What is wrong with an answer is the target's mistake, not the client's. */
export function targetFault(thrown: unknown): GatewayError {
  const error = toGatewayError(thrown);
  const isForm = error.code === 'SP_FRAME_MALFORMED' || error.code === 'SP_FRAME_TOO_LARGE';
  return isForm ? new GatewayError('SP_TARGET_PROTOCOL', { detail: error.message }) : error;
}

function lengthFields({ method, body }: HttpRequest): readonly Field[] {
  switch (body.kind) {
    case 'none':
      return method === 'POST' || method === 'PUT' || method === 'PATCH'
        ? [{ name: 'content-length', value: '0' }]
        : [];
    case 'whole':
      return [{ name: 'content-length', value: String(body.bytes.length) }];
    case 'stream':
      return body.length === undefined
        ? [{ name: 'transfer-encoding', value: 'chunked' }]
        : [{ name: 'content-length', value: String(body.length) }];
  }
}

async function startTls(wire: Wire, signal: AbortSignal, options: TlsClientOptions): Promise<void> {
  try {
    await wire.upgradeClient(options, signal);
  } catch (thrown) {
    wire.destroy();
    if (thrown instanceof GatewayError) throw toGatewayError(thrown);
    const detail = thrown instanceof Error ? thrown.message : 'TLS failed';
    throw new GatewayError('SP_TARGET_UNREACHABLE', { detail, cause: thrown });
  }
}
