/**
 * The client's side of a session: reads whole messages in place, has each command judged before a
 * byte of it goes on, and says no in step.
 *
 * Invariant: a message goes on only by an {@link Outcome} that says so; while one is waited for,
 * nothing behind it is read.
 */
import { GatewayError } from '#core/errors.ts';
import type { Tape } from '#core/tape.ts';
import type { Refusal } from '#core/verdict.ts';
import { frameBytes, headerBytes, rowOf } from './codec/frames.ts';
import { frontend, frontendTable } from './codec/messages.ts';
import { readQuery } from './codec/read.ts';
import { encodeParse, encodeQuery, encodeReadyForQuery } from './codec/write.ts';
import { encodeRefusal, refuse, unparsable } from './refusal.ts';
import type { Bounded } from './relay-bounded.ts';
import { type Conversation, idle } from './relay-conversation.ts';
import { type Expected, type ExpectedKind, running } from './relay-expected.ts';
import { Extended } from './relay-extended.ts';
import { chain, type Judge, type Judged, type Soon } from './relay-judge.ts';
import type { LaneReader } from './relay-lane.ts';
import type { Outlet } from './relay-outlet.ts';
import { checked, harmless, type Message, notText, type Outcome } from './relay-outcome.ts';

export interface ClientSideParts {
  readonly conversation: Conversation;
  /** Towards the server. */
  readonly outlet: Outlet;
  readonly judge: Judge;
  /** Runs what has limits. */
  readonly bounded: Bounded;
  readonly tape: Tape;
  /** Tells the client something, between two messages of the server. */
  readonly tell: (message: Uint8Array) => void;
  /** Offers the bytes again: what was waited for is there. */
  readonly resume: () => void;
  /** Ends the session. */
  readonly end: (refusal: Refusal) => void;
  /** Ends the session: something broke. */
  readonly fail: (thrown: unknown) => void;
  /** A name for substitutes, which no client knows. */
  readonly secretName: string;
}

export class ClientSide implements LaneReader {
  readonly #parts: ClientSideParts;
  readonly #conversation: Conversation;
  readonly #extended: Extended;
  /** Bytes of a CopyData that has begun to go on. */
  #passLeft = 0;
  /** Bytes at the head of what is offered next that were recorded already. */
  #recordedAhead = 0;
  #waiting = true;
  /** What was waited for: the answer for the message that is offered next. */
  #outcome: Outcome | undefined;
  #terminated = false;

  constructor(parts: ClientSideParts) {
    this.#parts = parts;
    this.#conversation = parts.conversation;
    this.#extended = new Extended(parts.conversation, parts.judge, parts.bounded);
  }

  get stalled(): boolean {
    const { queue, limits } = this.#conversation;
    return this.#waiting || queue.length >= limits.pipelineDepthMax;
  }

  /** Whether a message waits for its outcome. */
  get isJudging(): boolean {
    return this.#waiting;
  }

  /** Whether the client said goodbye. */
  get terminated(): boolean {
    return this.#terminated;
  }

  /** Start-up is over: what the client sends is read from now on. */
  start(): void {
    this.#waiting = false;
  }

  broken(): void {
    this.#waiting = true;
    this.#parts.outlet.discard();
  }

  /** Records bytes that will not be read any more. */
  abandon(bytes: Uint8Array): void {
    this.#record(bytes, this.#recordedAhead, bytes.length);
  }

  #record(bytes: Uint8Array, from: number, to: number): void {
    if (to > from) this.#parts.tape.data('from-client', bytes, from, to);
  }

  consume(bytes: Uint8Array, start: number, end: number): number {
    let at = start;
    let recorded = Math.min(end, start + this.#recordedAhead);
    while (at < end && !this.stalled && !this.#terminated) {
      if (this.#passLeft > 0) {
        const count = Math.min(this.#passLeft, end - at);
        this.#passLeft -= count;
        at += count;
        continue;
      }
      if (end - at < headerBytes) break;
      const total = frameBytes(bytes, at);
      const type = bytes[at] ?? 0;
      const row = rowOf(frontendTable, type, total);
      if (type === frontend.copyData) {
        at += headerBytes;
        this.#passLeft = total - headerBytes;
        continue;
      }
      if (total > this.#conversation.limits.frameBytesMax) {
        throw new GatewayError('SP_FRAME_TOO_LARGE', { detail: `${row.name} of ${total} bytes` });
      }
      const next = at + total;
      if (next > end) break;
      // A message is recorded whole before it is judged, so that the index points behind it.
      this.#record(bytes, recorded, next);
      recorded = Math.max(recorded, next);
      if (!this.#message(type, { bytes, at, end: next })) break;
      at = next;
    }
    this.#record(bytes, recorded, at);
    this.#recordedAhead = Math.max(0, recorded - at);
    return at;
  }

  /** @returns false when the message has to be offered again. */
  #message(type: number, message: Message): boolean {
    const settled = this.#outcome;
    this.#outcome = undefined;
    // Also for a message that was judged meanwhile: the server may have begun to skip since.
    if (this.#isUnread(type)) {
      this.#drop(message);
      return true;
    }
    if (this.#conversation.copyIn && !copyTypes.has(type)) {
      throw new GatewayError('SP_PROTOCOL', { detail: 'a command while the server takes data' });
    }
    const outcome = settled ?? this.#decide(type, message);
    if (outcome instanceof Promise) {
      this.#wait(outcome);
      return false;
    }
    if (outcome.refused) this.#refuse(type, message, outcome);
    else if (outcome.forward === undefined) this.#drop(message);
    else this.#forward(message, outcome.forward());
    return true;
  }

  #forward(message: Message, before: Uint8Array | undefined): void {
    if (before === undefined) return;
    this.#parts.outlet.cut(message.at);
    this.#parts.outlet.put(before);
  }

  /** What the server would read and throw away: the rest of a failed segment, Syncs in a copy. */
  #isUnread(type: number): boolean {
    const { skipping, copyIn } = this.#conversation;
    if (type === frontend.terminate) return false;
    if (copyIn) return type === frontend.sync || type === frontend.flush;
    return skipping && type !== frontend.sync;
  }

  #wait(outcome: Promise<Outcome>): void {
    this.#waiting = true;
    outcome.then(
      (settled) => {
        this.#waiting = false;
        this.#outcome = settled;
        this.#parts.resume();
      },
      (thrown: unknown) => this.#parts.fail(thrown),
    );
  }

  #decide(type: number, message: Message): Soon<Outcome> {
    const conversation = this.#conversation;
    switch (type) {
      case frontend.query:
        return this.#query(message);
      case frontend.parse:
        return this.#extended.parse(message);
      case frontend.bind:
        return this.#extended.bind(message);
      case frontend.execute:
        return this.#extended.execute(message);
      case frontend.describe:
        return this.#extended.describe(message);
      case frontend.close:
        return this.#extended.close(message);
      case frontend.sync:
        return this.#sync();
      case frontend.flush:
        return harmless(() => {});
      case frontend.copyDone:
      case frontend.copyFail:
        return harmless(() => {
          conversation.copyIn = false;
        });
      case frontend.terminate:
        return harmless(() => {
          this.#terminated = true;
        });
      case frontend.functionCall:
        return this.#functionCall(message);
      default:
        throw new GatewayError('SP_PROTOCOL', { detail: 'a login message in a session' });
    }
  }

  #sync(): Soon<Outcome> {
    const conversation = this.#conversation;
    const forward = (): void => {
      conversation.expect('sync');
      conversation.skipping = false;
      conversation.endSegment();
    };
    return conversation.ownTransaction ? this.#parts.bounded.sync(forward) : harmless(forward);
  }

  #query({ bytes, at, end }: Message): Soon<Outcome> {
    const text = readQuery(bytes, at, end);
    if (text === undefined) return notText;
    const conversation = this.#conversation;
    if (conversation.ownTransaction) {
      throw new GatewayError('SP_PROTOCOL', { detail: 'a query where a Sync is due' });
    }
    return chain(this.#parts.judge.text(text, 'execute'), (judged) => {
      if (judged.refused) return judged;
      const { masks, statements, permits } = judged;
      const send = (): Expected => {
        const entry = conversation.expect('query');
        entry.source = text;
        entry.statements = statements.map((statement, index) =>
          running(statement, { masks, lifted: permits[index]?.liftedMasks ?? [] }),
        );
        for (const statement of statements) conversation.sent(statement);
        conversation.endSegment();
        return entry;
      };
      const outcome = checked(judged, conversation.stages, () => void send());
      if (outcome.refused) return outcome;
      const messages = [encodeQuery(text)];
      const work = { statements, permits, isSimple: true };
      const limited = { ...work, send: () => ({ entry: send(), messages }) };
      return this.#parts.bounded.run(limited) ?? outcome;
    });
  }

  /** The fast path: any function by its number. Opaque, and only where a grant names it. */
  #functionCall({ bytes, at, end }: Message): Soon<Outcome> {
    const conversation = this.#conversation;
    const { context, masks } = conversation.stages;
    if (!context.features.includes('function-call')) {
      return refuse('SP_UNSUPPORTED', 'a function call without SQL needs a grant that names it');
    }
    if (!masks.empty) {
      return refuse('SP_MASK_UNSOUND', 'the answer of a function call without SQL is not masked');
    }
    const text = `function call ${Buffer.from(bytes.subarray(at + 5, end)).toString('hex')}`;
    return chain(this.#parts.judge.call(text), (judged) =>
      checked(limitless(judged), conversation.stages, () => {
        if (judged.refused) return;
        const entry = conversation.expect('query');
        entry.isCall = true;
        entry.source = text;
        entry.statements = judged.statements.map((statement) => running(statement, { masks }));
        for (const statement of judged.statements) conversation.sent(statement);
        conversation.endSegment();
      }),
    );
  }

  #drop(message: Message): void {
    this.#parts.outlet.cut(message.at);
    this.#parts.outlet.skip(message.end);
  }

  /**
   * Says no. A lone simple query outside a transaction is answered here. In every other case the
   * server is sent something that fails, so that its transaction and its skipping are what they
   * would be, and its error is translated on the way back.
   */
  #refuse(type: number, message: Message, refusal: Refusal): void {
    this.#drop(message);
    if (refusal.endsSession) {
      this.#waiting = true;
      this.#parts.end(refusal);
      return;
    }
    const simple = type === frontend.query || type === frontend.functionCall;
    const conversation = this.#conversation;
    if (simple && conversation.isIdle) {
      this.#parts.tell(Buffer.concat([encodeRefusal(refusal), encodeReadyForQuery(idle)]));
      return;
    }
    const entry = conversation.expect(simple ? 'query' : kindOf(type));
    entry.refusal = refusal;
    if (simple) conversation.endSegment();
    else conversation.segmentOpen = true;
    // Named, so that the client's unnamed statement survives as it would have.
    this.#parts.outlet.put(
      simple ? encodeQuery(unparsable) : encodeParse(this.#parts.secretName, unparsable),
    );
  }
}

/** A call by number says nothing of its rows, so no limit can be kept. */
function limitless(judged: Judged): Judged {
  if (judged.refused || judged.permits.every(({ limits }) => limits === undefined)) return judged;
  return refuse('SP_UNSUPPORTED', 'a function call without SQL under limits');
}

/** Messages that a client may send while the server takes data. */
const copyTypes: ReadonlySet<number> = new Set([
  frontend.copyDone,
  frontend.copyFail,
  frontend.terminate,
]);

function kindOf(type: number): ExpectedKind {
  switch (type) {
    case frontend.bind:
      return 'bind';
    case frontend.execute:
      return 'execute';
    case frontend.describe:
      return 'describe';
    case frontend.close:
      return 'close';
    default:
      return 'parse';
  }
}
