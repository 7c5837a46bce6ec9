/**
 * What the target listens for on the client's behalf (`ssh -R`), and the answers to the client's
 * global requests, which come in the order of the requests (RFC 4254 section 4).
 *
 * Invariants: the target is asked to listen only with an `AllowedCommand`; a connection from it is
 * passed on only for what it was asked to listen for and still is.
 */
import { toGatewayError } from '#core/errors.ts';
import type { AllowedCommand } from '#core/permit.ts';
import { FieldReader, FieldWriter, malformed } from '#core/ssh-fields.ts';
import type { Refusal } from '#core/verdict.ts';
import { message } from './codec/messages.ts';
import { makeCommand } from './commands.ts';
import { featureOf, mayPass, type Passage, passageFacts, passageText } from './forwarding.ts';
import type { ChannelHost } from './relay-host.ts';

/** Places that one session may listen on. */
const LISTENING_MAX = 64;
/** Requests of one client that are not answered yet. */
const OWED_MAX = 64;

/** A GLOBAL_REQUEST of the client. */
export interface GlobalRequest {
  readonly name: string;
  readonly wantReply: boolean;
  readonly data: Uint8Array;
}

interface Owed {
  readonly wantReply: boolean;
  answer: Uint8Array | undefined;
}

export class Listeners {
  readonly #host: ChannelHost;
  readonly #places = new Set<string>();
  readonly #owed: Owed[] = [];
  /** Who gets the target's next answers. */
  readonly #asked: ((answer: Uint8Array) => void)[] = [];
  readonly #cancelled = new AbortController();

  constructor(host: ChannelHost) {
    this.#host = host;
  }

  /** Answers a request behind those before it. */
  answer({ wantReply }: GlobalRequest, isSuccess: boolean): void {
    this.#settle(this.#owe(wantReply), isSuccess);
  }

  /** Judges a request to listen, and asks the target. */
  listen(request: GlobalRequest, passage: Passage): void {
    const owed = this.#owe(request.wantReply);
    const { stages } = this.#host;
    const isFull = this.#places.size + this.#asked.length >= LISTENING_MAX;
    const isMasked = stages.masks.content !== undefined;
    if (isFull || isMasked || !mayPass(stages.context, passage)) return this.#settle(owed, false);
    const facts = passageFacts(passage);
    const command = makeCommand(stages, { text: passageText(passage), state: 'listen', facts });
    const answer = stages.gate(command, () => undefined, this.#cancelled.signal);
    const go = (result: AllowedCommand | Refusal): void =>
      this.#judged(result, { owed, request: { ...request, data }, passage });
    const data = request.data.slice();
    if (!(answer instanceof Promise)) return go(answer);
    answer.then(go).catch((thrown: unknown) => this.#host.failed(toGatewayError(thrown)));
  }

  /** Stops to listen. What is not listened for is no place to stop at. */
  cancel(request: GlobalRequest, passage: Passage): void {
    const owed = this.#owe(request.wantReply);
    if (!this.#places.delete(featureOf(passage))) return this.#settle(owed, false);
    this.#ask(request, (answer) => this.#settle(owed, answer[0] === message.requestSuccess));
  }

  /** Whether a connection from there may be passed on: it was asked for, and needs no mask now. */
  mayPass(passage: Passage): boolean {
    return this.#host.stages.masks.content === undefined && this.#places.has(featureOf(passage));
  }

  /** REQUEST_SUCCESS or REQUEST_FAILURE of the target. */
  answered(payload: Uint8Array): void {
    const next = this.#asked.shift();
    if (next === undefined) throw malformed('an answer to no request');
    next(payload);
  }

  /** The session is over: nobody waits for people any more. */
  close(): void {
    this.#cancelled.abort();
  }

  #judged(
    result: AllowedCommand | Refusal,
    asked: { readonly owed: Owed; readonly request: GlobalRequest; readonly passage: Passage },
  ): void {
    const { owed, request, passage } = asked;
    if (result.refused) {
      this.#settle(owed, false);
      if (result.endsSession) this.#host.ended(result);
      return;
    }
    this.#host.stages.sent(result);
    this.#ask(request, (answer) => {
      const isSuccess = answer[0] === message.requestSuccess;
      if (!isSuccess) return this.#settle(owed, false);
      // Port 0 asks for any; the answer says which.
      const port = passage.port === 0 ? new FieldReader(answer, 1).uint32() : undefined;
      this.#places.add(featureOf(port === undefined ? passage : { ...passage, port }));
      this.#settle(owed, true, port);
    });
  }

  #ask({ name, data }: GlobalRequest, then: (answer: Uint8Array) => void): void {
    this.#asked.push(then);
    const writer = new FieldWriter().byte(message.globalRequest).text(name).bool(true);
    this.#host.send('target', writer.raw(data).done());
  }

  #owe(wantReply: boolean): Owed {
    if (this.#owed.length >= OWED_MAX) throw malformed('too many requests at once');
    const owed: Owed = { wantReply, answer: undefined };
    this.#owed.push(owed);
    return owed;
  }

  #settle(owed: Owed, isSuccess: boolean, port?: number): void {
    const writer = new FieldWriter();
    writer.byte(isSuccess ? message.requestSuccess : message.requestFailure);
    if (port !== undefined) writer.uint32(port);
    owed.answer = writer.done();
    for (;;) {
      const [first] = this.#owed;
      if (first?.answer === undefined) return;
      this.#owed.shift();
      if (first.wantReply) this.#host.send('client', first.answer);
    }
  }
}
