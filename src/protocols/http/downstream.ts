/**
 * The client's connection, from its first byte: TLS or not, then requests, each with its proof. The
 * connection has a session for as long as requests come with one proof to one target; another proof
 * or another target is another session.
 *
 * Invariants: nothing of a body is read before its sender was let in; one request is worked on at a
 * time; whatever is not understood ends the connection.
 */
import { type GatewayError, toGatewayError } from '#core/errors.ts';
import { httpLimits } from '#core/limits.ts';
import type {
  Admission,
  Door,
  LoginAttempt,
  ProtocolServices,
  SessionEnd,
} from '#core/protocol.ts';
import type { Target } from '#core/target.ts';
import type { Refusal } from '#core/verdict.ts';
import type { Wire } from '#core/wire.ts';
import { type RequestHead, RequestHeads } from './codec/head.ts';
import { FirstBytes, HeadConsumer } from './consumers.ts';
import { readClaim } from './credentials.ts';
import type { Dialect } from './dialect.ts';
import { Input } from './input.ts';
import { isGrpcType, mediaType } from './media-type.ts';
import { noBody, type ReadBody, readBody } from './read-body.ts';
import { type ProblemForm, refusalOf, refuse } from './refusal.ts';
import { type Asked, Relay } from './relay.ts';
import { type Place, type Routes, userOf } from './route.ts';
import { SaidFields } from './said.ts';
import { HttpSession } from './session.ts';
import type { Spares } from './spares.ts';

const TLS_HANDSHAKE = 0x16;
/** How HTTP/2 begins (RFC 9113 section 3.4), as far as no request of HTTP/1.1 can. */
const HTTP2_PREFACE = 'PRI ';
/** For the client to take its last answer. */
const LINGER_MS = 1_000;
const encoder = new TextEncoder();
const goOn = encoder.encode('HTTP/1.1 100 Continue\r\n\r\n');

export interface DownstreamParts {
  readonly wire: Wire;
  readonly door: Door;
  readonly services: ProtocolServices;
  readonly dialect: Dialect;
  readonly routes: Routes;
  /** For a stream of HTTP/2, which carries one request: the sessions of its connection. */
  readonly shared?: SharedSessions;
}

/** The sessions of a connection that carries many requests at once. */
export interface SharedSessions {
  /**
   * The session that a key names, as one request has it.
   *
   * @throws GatewayError as `Door.admit` does.
   */
  admit(key: string, attempt: LoginAttempt): Promise<SharedAdmission>;
}

export interface SharedAdmission {
  readonly admission: Admission;
  /** Connections to the target that no request uses now. */
  readonly spares?: Spares;
}

interface Current {
  readonly key: string;
  /** What led to the key. */
  readonly target: string | undefined;
  said: SaidFields;
  readonly session: HttpSession;
  readonly relay: Relay;
}

/** A request with what was found out about it. */
interface Understood {
  readonly session: HttpSession;
  readonly said: SaidFields;
  readonly body: ReadBody;
}

export class Downstream {
  readonly #parts: DownstreamParts;
  readonly #signal: AbortSignal;
  readonly #gone: AbortController = new AbortController();
  readonly #heads: RequestHeads = new RequestHeads(httpLimits.fieldsMax);
  #input: Input;
  #current: Current | undefined;
  #said: SaidFields | undefined;
  #isIdle: boolean = false;
  #idleSinceMs: number = 0;
  #cancelIdle: () => void = () => {};
  #isEnding: boolean = false;
  #end: SessionEnd = { reason: 'client', code: undefined, detail: '' };

  constructor(parts: DownstreamParts, signal: AbortSignal) {
    this.#parts = parts;
    this.#signal = signal;
    this.#input = this.#attach();
  }

  /**
   * Serves the connection to its end. Never throws.
   *
   * @param http2 - serves it instead when it speaks HTTP/2; told what was read of it already.
   */
  async run(http2?: (first: Uint8Array) => Promise<void>): Promise<void> {
    const drain = (): void => this.#stop({ reason: 'drained', code: 'SP_DRAINING', detail: '' });
    this.#watchIdle(httpLimits.idleMsMax);
    this.#signal.addEventListener('abort', drain, { once: true });
    if (this.#signal.aborted) drain();
    try {
      if (await this.#secure(http2)) while (!this.#isEnding && (await this.#next()));
    } catch (thrown) {
      this.#failed(toGatewayError(thrown));
    }
    this.#signal.removeEventListener('abort', drain);
    this.#cancelIdle();
    const { wire, services } = this.#parts;
    wire.end();
    const cancelLinger = services.clock.after(LINGER_MS, () => wire.destroy());
    this.#gone.signal.addEventListener('abort', cancelLinger, { once: true });
    try {
      await this.#current?.session.close(this.#end);
    } catch (thrown) {
      this.#parts.door.failed(toGatewayError(thrown).code, 'a session did not end cleanly');
    }
  }

  /** What came is no request, or nothing can be recorded any more. */
  #failed(error: GatewayError): void {
    try {
      this.#turnAway(error, { method: 'GET' });
    } catch (thrown) {
      this.#parts.door.failed(toGatewayError(thrown).code, 'an answer that cannot be recorded');
      this.#parts.wire.destroy();
    }
  }

  #attach(): Input {
    return new Input(this.#parts.wire, 1, {
      fault: toGatewayError,
      gone: () => this.#gone.abort(),
      drained: () => this.#current?.session.outlet.drained(),
    });
  }

  /** Ends the connection: at once when nothing is under way, else behind it. */
  #stop(end: SessionEnd): void {
    this.#isEnding = true;
    this.#end = end;
    if (this.#isIdle) this.#input.abandon();
  }

  /** TLS where the first byte says so. Answers whether there is somebody to serve. */
  async #secure(http2?: (first: Uint8Array) => Promise<void>): Promise<boolean> {
    const { wire, door, shared } = this.#parts;
    if (shared !== undefined) return true;
    const first = new FirstBytes();
    this.#isIdle = true;
    if (!(await this.#input.consume(first))) return false;
    this.#isIdle = false;
    if (first.bytes[0] === TLS_HANDSHAKE) {
      const { tls } = door.listener;
      if (tls === undefined) {
        door.failed('SP_PROTOCOL', 'TLS is not configured here');
        return false;
      }
      door.spend(first.bytes.length);
      wire.pause();
      await wire.upgradeServer(tls, this.#signal, first.bytes);
      if (wire.security?.alpn === 'h2') {
        await http2?.(new Uint8Array(0));
        return false;
      }
      this.#input = this.#attach();
      return true;
    }
    if (door.listener.plaintextAllowed && isHttp2(first.bytes)) {
      await http2?.(first.bytes);
      return false;
    }
    this.#input.unread(first.bytes);
    if (door.listener.plaintextAllowed) return true;
    this.#refuse(refuse('SP_TLS_REQUIRED'), { method: 'GET' });
    return false;
  }

  /** Serves the next request; answers whether there can be another. */
  async #next(): Promise<boolean> {
    const head = await this.#head();
    if (head === undefined) return false;
    let asked: Asked;
    let current: Current;
    try {
      const { door } = this.#parts;
      const place = this.#parts.routes.place(head, door.listener.target);
      const said = this.#saidBy(head);
      current = this.#sameSession(said, place) ?? (await this.#session(head, said, place));
      const isAlone = said.framing.kind === 'none';
      const { method, fields } = head;
      const judged = { method, path: place.path, fields };
      const body = isAlone ? noBody : await this.#body(judged, said, current.session);
      asked = this.#asked(head, place, { session: current.session, said, body });
    } catch (thrown) {
      const isGrpc = isGrpcType(mediaType(head.fields).name);
      this.#turnAway(toGatewayError(thrown), { method: head.method, isGrpc });
      return false;
    }
    return current.relay.serve(asked);
  }

  /** The head of the next request; undefined when there is none. */
  async #head(): Promise<RequestHead | undefined> {
    const { door, services } = this.#parts;
    const spend = this.#current === undefined ? (count: number) => door.spend(count) : undefined;
    const consumer = new HeadConsumer((bytes) => this.#heads.read(bytes), spend);
    this.#isIdle = true;
    this.#idleSinceMs = services.clock.monotonicMs();
    try {
      return (await this.#input.consume(consumer)) ? consumer.head : undefined;
    } finally {
      this.#isIdle = false;
    }
  }

  /** Ends the connection once no request has come for a while. One timer for all its requests. */
  #watchIdle(ms: number): void {
    const { clock } = this.#parts.services;
    this.#cancelIdle = clock.after(ms, () => {
      const since = this.#isIdle ? this.#idleSinceMs : clock.monotonicMs();
      const left = since + httpLimits.idleMsMax - clock.monotonicMs();
      if (left > 0) this.#watchIdle(left);
      else this.#input.abandon();
    });
  }

  /** What the fields of a request say; mostly those of the one before. */
  #saidBy(head: RequestHead): SaidFields {
    if (this.#said?.isOf(head) !== true) this.#said = new SaidFields(head);
    return this.#said;
  }

  /** The present session, if the request claims exactly what the one before it claimed. */
  #sameSession(said: SaidFields, { target }: Place): Current | undefined {
    const current = this.#current;
    if (current === undefined || current.target !== target) return undefined;
    if (!current.said.isSameClaim(said)) return undefined;
    current.said = said;
    return current;
  }

  /** The session that a request belongs to: the present one if proof and target are the same. */
  async #session(head: RequestHead, said: SaidFields, place: Place): Promise<Current> {
    const { door, services, dialect, wire } = this.#parts;
    const claim = readClaim(head.fields);
    const named = userOf(claim.user, place.target);
    const key = `${named}\n${claim.key.reveal()}`;
    if (this.#current?.key === key) {
      this.#current = { ...this.#current, target: place.target, said };
      return this.#current;
    }
    const former = this.#current;
    this.#current = undefined;
    await former?.session.close(this.#end);
    const isBound = door.listener.target !== undefined;
    const attempt = {
      user: isBound ? named.slice(0, named.lastIndexOf('@')) : named,
      namespace: '',
      clientName: claim.clientName,
      holdMode: claim.holdMode,
      proof: claim.proof,
    };
    const shared = this.#parts.shared?.admit(key, attempt);
    const { admission, spares }: SharedAdmission = (await shared) ?? {
      admission: await door.admit(attempt, this.#signal),
    };
    const { target } = admission.authorization;
    const session = new HttpSession({
      admission,
      settings: dialect.settings(target),
      wire,
      clock: services.clock,
      spares,
    });
    const relay = new Relay(session, this.#client(), dialect);
    this.#current = { key, target: place.target, said, session, relay };
    // From here on a client that leaves is noticed while it waits for its answer.
    this.#input.heldBytesMax = services.limits.heldBytesMax;
    admission.signal.addEventListener('abort', () => this.#ended(session), { once: true });
    if (admission.signal.aborted) this.#ended(session);
    return this.#current;
  }

  #ended(session: HttpSession): void {
    if (this.#current?.session !== session && this.#current !== undefined) return;
    this.#stop({ reason: 'refused', code: undefined, detail: '' });
  }

  #client(): ConstructorParameters<typeof Relay>[1] {
    return {
      gone: this.#gone.signal,
      body: (consumer) => this.#input.consume(consumer),
      flow: { pause: () => this.#input.pause(), resume: () => this.#input.resume() },
    };
  }

  /** The body of a request, as far as it is read before it is judged. */
  async #body(
    head: Pick<RequestHead, 'method' | 'path' | 'fields'>,
    { framing, isExpecting }: SaidFields,
    { outlet, settings }: HttpSession,
  ): Promise<ReadBody> {
    if (isExpecting) {
      outlet.put(goOn);
      outlet.flush();
    }
    return readBody(this.#input, head, framing, settings);
  }

  /** A request as it is judged and as it goes on. */
  #asked(
    head: RequestHead,
    place: Place,
    { session, said, body: { body, rest, isDecoded } }: Understood,
  ): Asked {
    const { upstream, admission } = session;
    const { dialect } = this.#parts;
    const isMasked = !admission.stages.masks.empty;
    const { secretField } = upstream;
    const fields = said.forwarded({ isMasked, isDecoded, secretField });
    const forwarded = isMasked ? dialect.maskedFields(fields, place.path) : fields;
    const { upgrade } = said;
    const mayUpgrade = upgrade !== undefined && dialect.upgrades.includes(upgrade);
    return {
      request: {
        method: head.method,
        path: place.path,
        query: head.query,
        fields: head.fields,
        forwarded,
        host: upstream.host,
        clientHost: head.host,
        body,
        upgrade: mayUpgrade && said.isBodiless ? upgrade : undefined,
      },
      prefix: place.prefix,
      isModern: head.version === 1,
      takesTrailers: said.takesTrailers,
      isLast: said.isLast || this.#isEnding,
      rest,
    };
  }

  /** Answers a request that has no session, or whose body cannot be read. Ends the connection. */
  #turnAway(error: GatewayError, form: Omit<ProblemForm, 'isLast'>): void {
    const { door } = this.#parts;
    if (this.#current === undefined) door.failed(error.code, error.message);
    this.#end = { reason: 'error', code: error.code, detail: error.message };
    if (!this.#gone.signal.aborted) this.#refuse(refusalOf(error), form);
  }

  #refuse(refusal: Refusal, form: Omit<ProblemForm, 'isLast'>): void {
    const bytes = this.#parts.dialect.refusal(refusal, { ...form, isLast: true });
    const session = this.#current?.session;
    if (session === undefined) this.#parts.wire.write(bytes);
    else {
      session.outlet.put(bytes);
      session.outlet.flush();
    }
  }
}

const isHttp2 = (first: Uint8Array): boolean =>
  Buffer.from(first.subarray(0, HTTP2_PREFACE.length)).toString('latin1') === HTTP2_PREFACE;

/** The targets of a protocol, by what clients call them. */
export const namesOf =
  (dialect: Dialect) =>
  (target: Target): { readonly hosts: readonly string[]; readonly prefix: string | undefined } => {
    const { hosts, prefix } = dialect.settings(target);
    return { hosts, prefix };
  };
