/** A session and what serves it: its way to the target, and its way to the client. */
import type { Clock } from '#core/clock.ts';
import type { GatewayError } from '#core/errors.ts';
import type { Admission, SessionEnd } from '#core/protocol.ts';
import type { Wire } from '#core/wire.ts';
import type { Field } from './codec/fields.ts';
import type { HttpSettings } from './config.ts';
import { Outlet } from './outlet.ts';
import { Spares } from './spares.ts';
import { Upstream } from './upstream.ts';

export interface SessionParts {
  readonly admission: Admission;
  readonly settings: HttpSettings;
  readonly wire: Wire;
  readonly clock: Clock;
  /** Connections that it shares with others of its session; it has its own otherwise. */
  readonly spares?: Spares | undefined;
}

export class HttpSession {
  readonly admission: Admission;
  readonly settings: HttpSettings;
  readonly upstream: Upstream;
  readonly outlet: Outlet;
  readonly clock: Clock;
  readonly #wire: Wire;
  readonly #ownSpares: Spares;
  #failure: GatewayError | undefined;

  constructor({ admission, settings, wire, clock, spares }: SessionParts) {
    this.admission = admission;
    this.settings = settings;
    const own = new Spares(admission);
    this.#ownSpares = own;
    this.upstream = new Upstream({ admission, settings, clock, spares: spares ?? own });
    this.outlet = new Outlet(wire, admission.stages.tape);
    this.clock = clock;
    this.#wire = wire;
  }

  /** What the target is told of the client and of how it reached the gateway. */
  forwardedBy({
    request,
    prefix,
  }: {
    readonly request: { readonly clientHost: string };
    readonly prefix: string;
  }): readonly Field[] {
    const { clientAddress } = this.admission.stages.context;
    const fields: Field[] = [
      { name: 'x-forwarded-for', value: clientAddress },
      { name: 'x-forwarded-proto', value: this.#wire.security === null ? 'http' : 'https' },
    ];
    if (request.clientHost !== '') {
      fields.push({ name: 'x-forwarded-host', value: request.clientHost });
    }
    if (prefix !== '') fields.push({ name: 'x-forwarded-prefix', value: prefix });
    return fields;
  }

  /** Ends the client's connection in the middle of an answer. */
  cut(error: GatewayError): void {
    this.#failure = error;
    this.#wire.destroy();
  }

  /** Ends the session. */
  async close(end: SessionEnd): Promise<void> {
    this.upstream.drop();
    this.#ownSpares.close();
    const failure = this.#failure;
    await this.admission.close(
      failure === undefined
        ? end
        : { reason: 'error', code: failure.code, detail: failure.message },
    );
  }
}
