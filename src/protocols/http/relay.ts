/**
 * One request of a session: judged, sent, answered. Requests of a connection come here one after
 * the other, so answers are in order.
 *
 * Invariants: nothing is sent without a permit for exactly it; a refusal leaves the connection in
 * step; an answer that has begun and cannot be finished is cut, so that it is not taken for whole.
 */
import type { BoundValue, Command } from '#core/command.ts';
import { GatewayError, toGatewayError } from '#core/errors.ts';
import { httpLimits } from '#core/limits.ts';
import type { MaskSet } from '#core/masking.ts';
import type { AllowedCommand } from '#core/permit.ts';
import type { Refusal } from '#core/verdict.ts';
import { Answer } from './answer.ts';
import { BodyReader } from './codec/body-reader.ts';
import { encodeChunk, lastChunk } from './codec/chunked.ts';
import { membersOf, valueOf } from './codec/fields.ts';
import { type Framing, responseFraming } from './codec/framing.ts';
import { readResponseHead, type ResponseHead } from './codec/head.ts';
import { encodeHead, statusLine } from './codec/write.ts';
import { BodyConsumer, HeadConsumer } from './consumers.ts';
import { converse } from './conversation.ts';
import type { Dialect, RequestAnalysis } from './dialect.ts';
import { holdWords } from './hold-status.ts';
import type { Consumer } from './input.ts';
import { isGrpcType, mediaType } from './media-type.ts';
import type { HttpRequest } from './request.ts';
import { bodyText, requestText } from './request.ts';
import { encodeJson, ownPaths, type ProblemForm, refusalOf, refuse } from './refusal.ts';
import { answerFields, trailerFields } from './results.ts';
import type { HttpSession } from './session.ts';
import { runTunnel } from './tunnel.ts';
import type { Connection } from './spares.ts';
import { targetFault } from './upstream.ts';

const INTERIM_MAX = 16;

/** A request as it was read, and what it asks of the connection. */
export interface Asked {
  readonly request: HttpRequest;
  /** What was taken off its path. */
  readonly prefix: string;
  /** Whether the client understands chunks and interim answers. */
  readonly isModern: boolean;
  /** Whether the client understands fields behind the body of its answer. */
  readonly takesTrailers: boolean;
  /** Whether the connection ends behind its answer. */
  readonly isLast: boolean;
  /** The rest of a body that goes on unread, behind what was read of it. */
  readonly rest: { readonly reader: BodyReader; readonly begun: Uint8Array } | undefined;
}

/** The client's end. */
export interface Client {
  /** Aborted when the client has gone. */
  readonly gone: AbortSignal;
  /** Hands what follows on. False when the client went first. */
  readonly body: (consumer: Consumer) => boolean | Promise<boolean>;
  /** The client's body waits, and goes on. */
  readonly flow: { pause(): void; resume(): void };
}

export class Relay {
  readonly #session: HttpSession;
  readonly #client: Client;
  readonly #dialect: Dialect;
  /** Aborted when the client has gone or the session is over: then nothing goes on. */
  readonly #over: AbortSignal;
  #answer: Answer | undefined;

  constructor(session: HttpSession, client: Client, dialect: Dialect) {
    this.#session = session;
    this.#client = client;
    this.#dialect = dialect;
    this.#over = AbortSignal.any([client.gone, session.admission.signal]);
    this.#over.addEventListener('abort', () => session.upstream.drop(), { once: true });
  }

  /** Serves one request. Never throws; answers whether the connection can carry another. */
  async serve(asked: Asked): Promise<boolean> {
    const { admission, upstream, outlet } = this.#session;
    this.#answer = undefined;
    try {
      const { context, masks } = admission.stages;
      const fault = this.#dialect.fault(asked.request);
      if (fault !== undefined) return this.#refuse(refuse('SP_UNSUPPORTED', fault), asked);
      const { request } = asked;
      if (request.path.startsWith(ownPaths)) return await this.#ownAnswer(asked);
      if (request.upgrade !== undefined && this.#dialect.accept !== undefined) {
        const acceptance = this.#dialect.accept(request, context);
        await converse(
          { client: this.#client, session: this.#session, asked },
          this.#dialect,
          acceptance,
        );
        return false;
      }
      const analysis = this.#dialect.analyse(request, context, masks);
      const judging = this.#judge(asked, analysis);
      const judged = judging instanceof Promise ? await judging : judging;
      if (judged.refused) return this.#refuse(judged, asked);
      return await this.#forward(judged, asked, analysis);
    } catch (thrown) {
      upstream.drop();
      return this.#failed(toGatewayError(thrown), asked);
    } finally {
      outlet.from(undefined);
    }
  }

  #judge(
    { request }: Asked,
    { facts }: RequestAnalysis,
  ): AllowedCommand | Refusal | Promise<AllowedCommand | Refusal> {
    const { stages } = this.#session.admission;
    const id = stages.commandId();
    const command: Command = {
      id,
      context: stages.context,
      kind: 'execute',
      text: requestText(request),
      parameters: bodyValues(request),
      // What is not read must never match what a reviewer has seen.
      state: request.body.kind === 'stream' ? `unread body of ${id}` : '',
      facts,
    };
    if (request.body.kind !== 'stream') return stages.gate(command, () => {}, this.#over);
    const left = new AbortController();
    const cancelled = AbortSignal.any([this.#over, left.signal]);
    // Nobody can approve what nobody has read.
    return stages.gate(command, () => left.abort(), cancelled);
  }

  async #forward(
    permit: AllowedCommand,
    asked: Asked,
    analysis: RequestAnalysis,
  ): Promise<boolean> {
    const { upstream, admission, outlet } = this.#session;
    const { request } = asked;
    const connecting = upstream.connection(this.#over);
    const connection = connecting instanceof Promise ? await connecting : connecting;
    connection.onDrained = () => this.#client.flow.resume();
    outlet.from(connection.input);
    const added = [
      ...this.#dialect.upstreamFields(admission.stages.context),
      ...this.#session.forwardedBy(asked),
    ];
    const head = upstream.head(permit, request, added);
    admission.stages.sent(permit);
    const { body } = request;
    const isWhole = body.kind === 'whole' && body.bytes.length > 0;
    connection.wire.write(isWhole ? Buffer.concat([head, body.bytes]) : head);
    let isSent = asked.rest === undefined;
    if (!isSent) {
      this.#sendRest(connection, asked).then(
        (isWhole) => {
          isSent = isWhole;
          if (!isWhole) upstream.drop();
        },
        () => upstream.drop(),
      );
    }
    const answered = await this.#receive(connection);
    const passing = { asked, analysis, permit, head: answered };
    if (answered.status === 101) return await this.#upgrade(connection, passing);
    const mayReuse = await this.#pass(connection, passing);
    // A target that answers before it has the body leaves both connections out of step.
    if (mayReuse && isSent) upstream.keep();
    else upstream.drop();
    return isSent && !asked.isLast && this.#answer?.endsByClose === false;
  }

  /** Sends a body on that is not read. Resolves to whether all of it was sent. */
  async #sendRest(connection: Connection, { request, rest }: Asked): Promise<boolean> {
    if (rest === undefined || request.body.kind !== 'stream') return true;
    const isChunked = request.body.length === undefined;
    const { tape } = this.#session.admission.stages;
    const send = (bytes: Uint8Array, start: number, end: number): void => {
      tape.data('from-client', bytes, start, end);
      const piece = isChunked ? encodeChunk(bytes, start, end) : bytes.subarray(start, end);
      if (!connection.wire.write(piece)) this.#client.flow.pause();
    };
    if (rest.begun.length > 0) send(rest.begun, 0, rest.begun.length);
    const isWhole = await this.#client.body(new BodyConsumer(rest.reader, send));
    if (isWhole && isChunked) connection.wire.write(lastChunk);
    return isWhole;
  }

  /** The head of the final answer; interim ones say nothing that the client needs. */
  async #receive({ input }: Connection): Promise<ResponseHead> {
    for (let count = 0; count < INTERIM_MAX; count += 1) {
      const consumer = new HeadConsumer((bytes) => readResponseHead(bytes, httpLimits.fieldsMax));
      if (!(await input.consume(consumer))) throw new GatewayError('SP_TARGET_LOST');
      const { head } = consumer;
      if (head.status >= 200 || head.status === 101) return head;
    }
    throw broken('too many interim answers');
  }

  /** Passes an answer on; answers whether the target's connection can be used again. */
  async #pass({ input }: Connection, { asked, analysis, permit, head }: Passing): Promise<boolean> {
    const { admission, outlet, settings, upstream } = this.#session;
    const masks = masksOf(admission.stages.masks, permit);
    const framing = framingOf(head, asked.request.method);
    const { request } = asked;
    const masker =
      masks.empty || framing.kind === 'none'
        ? undefined
        : this.#dialect.masker({ request, analysis, head, masks, settings });
    const mayChunk = asked.isModern;
    const answer = new Answer({
      outlet,
      status: head.status,
      // Words of the target's own, which nobody looks at.
      reason: masks.empty ? head.reason : '',
      fields: answerFields(head, masks, { prefix: asked.prefix, host: upstream.host }),
      framing,
      toldLength: masks.empty ? valueOf(head.fields, 'content-length') : undefined,
      masker,
      mayChunk,
      isLast: asked.isLast || (!mayChunk && framing.kind !== 'length' && framing.kind !== 'none'),
    });
    this.#answer = answer;
    answer.begin();
    const consumer = new BodyConsumer(
      new BodyReader(framing),
      (bytes, start, end) => answer.take(bytes, start, end),
      () => answer.flush(),
    );
    const passing = consumer.isDone || input.consume(consumer);
    const isWhole = passing === true || (await passing);
    if (!isWhole && !consumer.mayEndByClose) throw new GatewayError('SP_TARGET_LOST');
    answer.end(asked.takesTrailers ? trailerFields(consumer.trailers, masks) : []);
    const isClosing = membersOf(head.fields, 'connection').includes('close');
    return isWhole && head.version === 1 && !isClosing && input.heldBytes === 0;
  }

  /** The connection changes its protocol, and ends with it. */
  async #upgrade(
    connection: Connection,
    { asked, analysis, permit, head }: Passing,
  ): Promise<boolean> {
    const { admission, outlet, settings, upstream } = this.#session;
    const { request, prefix } = asked;
    const { stages } = admission;
    const protocol = valueOf(head.fields, 'upgrade')?.toLowerCase();
    if (request.upgrade === undefined || protocol !== request.upgrade) {
      throw broken('an upgrade that nobody asked for');
    }
    const masks = (): MaskSet => masksOf(stages.masks, permit);
    const fields = [
      { name: 'connection', value: 'upgrade' },
      { name: 'upgrade', value: request.upgrade },
      ...answerFields(head, masks(), { prefix, host: upstream.host }),
    ];
    outlet.put(encodeHead(statusLine(101, 'Switching Protocols'), fields));
    outlet.flush();
    const upgraded = { request, analysis, permit, settings, stages, masks };
    const place = { client: this.#client, connection, outlet, tape: stages.tape };
    const failure = await runTunnel(place, (ends) => this.#dialect.tunnel(upgraded, ends));
    upstream.drop();
    if (failure !== undefined) this.#session.cut(failure);
    return false;
  }

  #refuse(refusal: Refusal, asked: Asked): boolean {
    const form = formOf(asked, refusal.endsSession);
    return this.#say(this.#dialect.refusal(refusal, form), form);
  }

  #say(answer: Uint8Array, { isLast }: ProblemForm): boolean {
    const { outlet } = this.#session;
    outlet.put(answer);
    outlet.flush();
    return !isLast;
  }

  /** Answers what is asked of the gateway itself. */
  async #ownAnswer(asked: Asked): Promise<boolean> {
    const words = await holdWords(asked.request, this.#session.admission.stages);
    if (words === undefined) return this.#refuse(refuse('SP_NOT_FOUND'), asked);
    const form = formOf(asked, false);
    return this.#say(encodeJson(words, form), form);
  }

  #failed(error: GatewayError, asked: Asked): boolean {
    const { signal } = this.#session.admission;
    if (this.#client.gone.aborted) return false;
    if (this.#answer?.hasStarted === true) {
      this.#session.cut(error);
      return false;
    }
    if (!signal.aborted) return this.#refuse({ ...refusalOf(error) }, asked);
    const reason: Refusal = signal.reason;
    return this.#refuse({ ...reason, endsSession: true }, asked);
  }
}

function formOf({ request, prefix, isLast, rest }: Asked, endsSession: boolean): ProblemForm {
  // The rest of a body that nobody will read stands in the way of the next request.
  return {
    method: request.method,
    prefix,
    isLast: isLast || endsSession || rest !== undefined,
    isGrpc: isGrpcType(mediaType(request.fields).name),
  };
}

interface Passing {
  readonly asked: Asked;
  readonly analysis: RequestAnalysis;
  readonly permit: AllowedCommand;
  readonly head: ResponseHead;
}

/** Without what an approval lifted for this one request. */
const masksOf = (masks: MaskSet, { liftedMasks }: AllowedCommand): MaskSet =>
  liftedMasks.length === 0 ? masks : masks.without(liftedMasks);

/** A body that no text shows whole, so that approvals and recordings have it all the same. */
function bodyValues({ body }: HttpRequest): readonly BoundValue[] {
  if (body.kind !== 'whole' || bodyText(body.bytes) !== undefined) return [];
  return [{ type: 'body', format: 'binary', bytes: body.bytes }];
}

function framingOf(head: ResponseHead, method: string): Framing {
  try {
    return responseFraming(head, method);
  } catch (thrown) {
    throw targetFault(thrown);
  }
}

const broken = (detail: string): GatewayError => new GatewayError('SP_TARGET_PROTOCOL', { detail });
