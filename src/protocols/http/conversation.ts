/**
 * A connection that changes its protocol to one that the gateway speaks itself: the client is told
 * yes at once, what it then asks for is judged, and only for a permit is the target dialled.
 *
 * Invariants: the target gets one request, for a permit; either end waits while the other, or the
 * recorder, is behind; whatever is not understood ends both.
 */
import { GatewayError, toGatewayError } from '#core/errors.ts';
import { httpLimits } from '#core/limits.ts';
import type { AllowedCommand } from '#core/permit.ts';
import type { Direction } from '#core/tape.ts';
import type { Refusal } from '#core/verdict.ts';
import { valueOf } from './codec/fields.ts';
import { responseFraming } from './codec/framing.ts';
import { readResponseHead } from './codec/head.ts';
import { encodeHead, statusLine } from './codec/write.ts';
import { HeadConsumer, WholeBody } from './consumers.ts';
import type { Acceptance, Conversation, ConversationHost, DialAnswer, Dialect } from './dialect.ts';
import type { Source } from './outlet.ts';
import type { Asked, Client } from './relay.ts';
import type { HttpRequest } from './request.ts';
import type { HttpSession } from './session.ts';
import { Everything } from './tunnel.ts';
import type { Connection } from './spares.ts';

/** Where a conversation takes place. */
export interface ConversationPlace {
  readonly client: Client;
  readonly session: HttpSession;
  readonly asked: Asked;
}

/** Runs until either end has left or what passes is not understood. */
export async function converse(
  place: ConversationPlace,
  dialect: Dialect,
  acceptance: Acceptance,
): Promise<void> {
  const { outlet } = place.session;
  const fields = [{ name: 'connection', value: 'Upgrade' }, ...acceptance.fields];
  outlet.put(encodeHead(statusLine(101, 'Switching Protocols'), fields));
  outlet.flush();
  const failure = await new Exchange(place, dialect).run(acceptance);
  outlet.flush();
  if (failure !== undefined) place.session.cut(failure);
}

/** Makes a source wait for as long as there is one reason for it. */
class Brake {
  readonly #source: Source;
  readonly #reasons = new Set<string>();

  constructor(source: Source) {
    this.#source = source;
  }

  set(reason: string, isOn: boolean): void {
    if (isOn) this.#reasons.add(reason);
    else this.#reasons.delete(reason);
    if (this.#reasons.size > 0) this.#source.pause();
    else this.#source.resume();
  }
}

class Exchange implements ConversationHost {
  readonly stages: ConversationHost['stages'];
  readonly clock: ConversationHost['clock'];
  readonly signal: AbortSignal;
  readonly #place: ConversationPlace;
  readonly #dialect: Dialect;
  readonly #clientBrake: Brake;
  readonly #targetBrake: Brake;
  #connection: Connection | undefined;
  #conversation: Conversation | undefined;
  readonly #over = new AbortController();
  #hasDialled: boolean = false;
  #isTapeBehind: boolean = false;
  #finish: (failure: GatewayError | undefined) => void = () => undefined;

  constructor(place: ConversationPlace, dialect: Dialect) {
    const { client, session } = place;
    this.#place = place;
    this.#dialect = dialect;
    this.stages = session.admission.stages;
    this.clock = session.clock;
    this.signal = AbortSignal.any([client.gone, session.admission.signal, this.#over.signal]);
    this.#clientBrake = new Brake(client.flow);
    this.#targetBrake = new Brake({
      pause: () => this.#connection?.input.pause(),
      resume: () => this.#connection?.input.resume(),
    });
  }

  /** @returns why it ended, undefined when it was over. */
  async run(acceptance: Acceptance): Promise<GatewayError | undefined> {
    const { client, session } = this.#place;
    const over = new Promise<GatewayError | undefined>((resolve) => {
      this.#finish = resolve;
    });
    session.outlet.from({
      pause: () => this.#targetBrake.set('client', true),
      resume: () => {
        this.#targetBrake.set('client', false);
        this.#clientBrake.set('answers', false);
      },
    });
    const { signal } = session.admission;
    const refused = (): void => this.#refused(signal.reason);
    try {
      const conversation = acceptance.open(this);
      this.#conversation = conversation;
      signal.addEventListener('abort', refused, { once: true });
      if (signal.aborted) refused();
      later(() => client.body(new Everything((bytes) => conversation.fromClient(bytes)))).then(
        () => this.#finish(undefined),
        (thrown: unknown) => this.#finish(toGatewayError(thrown)),
      );
      return await over;
    } catch (thrown) {
      return toGatewayError(thrown);
    } finally {
      signal.removeEventListener('abort', refused);
      this.#over.abort();
      this.#conversation?.closed();
      session.upstream.drop();
      this.#clientBrake.set('end', false);
    }
  }

  toClient(bytes: Uint8Array): void {
    const { outlet } = this.#place.session;
    outlet.send(bytes);
    // What the source of all output is not: answers to a client that asks and does not read.
    if (outlet.pendingBytes > httpLimits.answersBytesMax) this.#clientBrake.set('answers', true);
  }

  toTarget(bytes: Uint8Array): void {
    const wire = this.#connection?.wire;
    if (wire === undefined || wire.write(bytes)) return;
    this.#clientBrake.set('target', true);
    if (wire.pendingBytes > httpLimits.answersBytesMax) this.#targetBrake.set('answers', true);
  }

  record(direction: Direction, bytes: Uint8Array): void {
    const { tape } = this.stages;
    tape.data(direction, bytes, 0, bytes.length);
    if (!tape.behind || this.#isTapeBehind) return;
    this.#behind(true);
    tape.whenReady(() => this.#behind(false));
  }

  hold(isHeld: boolean): void {
    this.#clientBrake.set('conversation', isHeld);
  }

  end(error?: GatewayError): void {
    this.#finish(error);
  }

  async dial(permit: AllowedCommand, request: HttpRequest): Promise<DialAnswer> {
    if (this.#hasDialled) throw new GatewayError('SP_INTERNAL', { detail: 'dialled twice' });
    this.#hasDialled = true;
    const { session, asked } = this.#place;
    const { upstream } = session;
    const connection = await upstream.connection(this.signal);
    this.signal.throwIfAborted();
    this.#connection = connection;
    connection.onDrained = () => {
      this.#clientBrake.set('target', false);
      this.#targetBrake.set('answers', false);
    };
    const added = [
      ...this.#dialect.upstreamFields(this.stages.context),
      ...session.forwardedBy(asked),
    ];
    const head = upstream.head(permit, request, added);
    this.stages.sent(permit);
    connection.wire.write(head);
    return await this.#answered(connection, request);
  }

  async #answered({ input }: Connection, request: HttpRequest): Promise<DialAnswer> {
    const consumer = new HeadConsumer((bytes) => readResponseHead(bytes, httpLimits.fieldsMax));
    if (!(await input.consume(consumer))) throw new GatewayError('SP_TARGET_LOST');
    const { head } = consumer;
    if (head.status !== 101) {
      const body = new WholeBody(responseFraming(head, request.method), httpLimits.headBytesMax);
      await input.consume(body);
      return { head, body: body.bytes };
    }
    if (valueOf(head.fields, 'upgrade')?.toLowerCase() !== request.upgrade?.toLowerCase()) {
      throw new GatewayError('SP_TARGET_PROTOCOL', { detail: 'another protocol' });
    }
    later(() =>
      input.consume(new Everything((bytes) => this.#conversation?.fromTarget(bytes))),
    ).then(
      () => this.#targetGone(),
      (thrown: unknown) => this.#finish(targetError(thrown)),
    );
    return { head, body: new Uint8Array(0) };
  }

  #targetGone(): void {
    try {
      this.#conversation?.targetGone();
    } catch (thrown) {
      this.#finish(toGatewayError(thrown));
    }
  }

  /** The session ends now: the client is told why, if it still can be. */
  #refused(refusal: Refusal): void {
    try {
      this.#conversation?.refused(refusal);
      this.#finish(undefined);
    } catch (thrown) {
      this.#finish(toGatewayError(thrown));
    }
  }

  #behind(isBehind: boolean): void {
    this.#isTapeBehind = isBehind;
    this.#clientBrake.set('tape', isBehind);
    this.#targetBrake.set('tape', isBehind);
  }
}

/** What is wrong with what the target says is the target's mistake. */
function targetError(thrown: unknown): GatewayError {
  const error = toGatewayError(thrown);
  if (error.code !== 'SP_FRAME_MALFORMED') return error;
  return new GatewayError('SP_TARGET_PROTOCOL', { detail: error.message, cause: error });
}

/** For who does not wait here: an answer or an exception that is there at once comes later too. */
const later = async (ask: () => boolean | Promise<boolean>): Promise<boolean> => await ask();
