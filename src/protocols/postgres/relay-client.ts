/**
 * The client's side of a session: reads whole messages in place, has each command judged before a
 * byte of it goes on, and writes down what the server will answer.
 *
 * Invariant: bytes of a Query, Parse, Bind or Execute are forwarded only behind the permits of every
 * command in it; everything else that is forwarded can run nothing.
 */
import type { BoundValue } from '#core/command.ts';
import { GatewayError } from '#core/errors.ts';
import { AllowedCommand } from '#core/permit.ts';
import type { Tape } from '#core/tape.ts';
import type { Refusal } from '#core/verdict.ts';
import { frameBytes, headerBytes, rowOf } from './codec/frames.ts';
import { frontend, frontendTable } from './codec/messages.ts';
import {
  type BindMessage,
  readBind,
  readExecute,
  readNamed,
  readParse,
  readQuery,
} from './codec/read.ts';
import { encodeDescribe, encodeParse, encodeQuery, encodeReadyForQuery } from './codec/write.ts';
import { boundValues, nothing, type Portal, type Prepared } from './commands.ts';
import { encodeRefusal, refuse, unparsable } from './refusal.ts';
import { type Conversation, idle } from './relay-conversation.ts';
import { descriptionOf, type Expected, type ExpectedKind, running } from './relay-expected.ts';
import { chain, closed, type Judge, type Judged, type Soon } from './relay-judge.ts';
import type { LaneReader } from './relay-lane.ts';
import type { Outlet } from './relay-outlet.ts';
import { mayTouchMasked, needsNoPlan } from './results.ts';
import type { SqlStatement } from './sql/types.ts';

export interface ClientSideParts {
  readonly conversation: Conversation;
  /** Towards the server. */
  readonly outlet: Outlet;
  readonly judge: Judge;
  readonly tape: Tape;
  /** Tells the client something, between two messages of the server. */
  readonly tell: (message: Uint8Array) => void;
  /** Calls {@link Lane.resume}: what was waited for is there. */
  readonly resume: () => void;
  /** Ends the session. */
  readonly end: (refusal: Refusal) => void;
  /** Ends the session: something broke. */
  readonly fail: (thrown: unknown) => void;
  /** A name for substitutes, which no client knows. */
  readonly secretName: string;
}

/** What becomes of one message: `go` when it is forwarded, by calling it. */
type Outcome = Refusal | Go;
interface Go {
  readonly refused: false;
  /** Writes down what is expected; what it answers is put in front of the message. */
  forward(): Uint8Array | undefined;
}

/** A message as it lies in the bytes read. */
interface Message {
  readonly bytes: Uint8Array;
  readonly at: number;
  readonly end: number;
}

/** Parameter values above this are not kept for a second judgement of the same portal. */
const KEPT_VALUE_BYTES_MAX = 64 * 1024;

export class ClientSide implements LaneReader {
  readonly #parts: ClientSideParts;
  readonly #conversation: Conversation;
  /** Bytes of a CopyData that has begun to go on. */
  #passLeft = 0;
  /** Bytes at the head of what is offered next that were recorded already. */
  #recordedAhead = 0;
  #waiting = true;
  #outcome: Outcome | undefined;
  #terminated = false;

  constructor(parts: ClientSideParts) {
    this.#parts = parts;
    this.#conversation = parts.conversation;
  }

  get stalled(): boolean {
    return this.#waiting || this.#isFull;
  }

  /** Whether the client said goodbye. */
  get terminated(): boolean {
    return this.#terminated;
  }

  get #isFull(): boolean {
    const { queue, limits } = this.#conversation;
    return queue.length >= limits.pipelineDepthMax;
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
    if (settled !== undefined) {
      this.#outcome = undefined;
      this.#apply(type, message, settled);
      return true;
    }
    if (this.#isUnread(type)) {
      this.#drop(message);
      return true;
    }
    const outcome = this.#decide(type, message);
    if (outcome instanceof Promise) {
      this.#wait(outcome);
      return false;
    }
    this.#apply(type, message, outcome);
    return true;
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

  #apply(type: number, message: Message, outcome: Outcome): void {
    if (outcome.refused) this.#refuse(type, message, outcome);
    else {
      const before = outcome.forward();
      if (before === undefined) return;
      this.#parts.outlet.cut(message.at);
      this.#parts.outlet.put(before);
    }
  }

  #decide(type: number, message: Message): Soon<Outcome> {
    const { copyIn } = this.#conversation;
    if (copyIn && !copyTypes.has(type)) {
      throw new GatewayError('SP_PROTOCOL', { detail: 'a command while the server takes data' });
    }
    switch (type) {
      case frontend.query:
        return this.#query(message);
      case frontend.parse:
        return this.#parse(message);
      case frontend.bind:
        return this.#bind(message);
      case frontend.execute:
        return this.#execute(message);
      case frontend.describe:
        return this.#describe(message);
      case frontend.close:
        return this.#close(message);
      case frontend.sync:
        return this.#go(() => this.#sync());
      case frontend.flush:
        return this.#go(() => undefined);
      case frontend.copyDone:
      case frontend.copyFail:
        return this.#go(() => {
          this.#conversation.copyIn = false;
        });
      case frontend.terminate:
        return this.#go(() => {
          this.#terminated = true;
        });
      case frontend.functionCall:
        return refuse('SP_UNSUPPORTED', 'a function call without SQL cannot be judged');
      default:
        throw new GatewayError('SP_PROTOCOL', { detail: 'a login message in a session' });
    }
  }

  #go(forward: () => Uint8Array | undefined | void): Go {
    return { refused: false, forward: () => forward() ?? undefined };
  }

  /** What carries commands goes on behind the permits of all of them. */
  #permitted(permits: readonly AllowedCommand[], forward: () => Uint8Array | undefined): Go {
    if (permits.length === 0 || !permits.every((permit) => AllowedCommand.isGenuine(permit))) {
      throw new GatewayError('SP_INTERNAL', { detail: 'a command without a permit' });
    }
    return { refused: false, forward };
  }

  #sync(): undefined {
    const conversation = this.#conversation;
    conversation.expect('sync');
    conversation.skipping = false;
    conversation.endSegment();
    return undefined;
  }

  #query({ bytes, at, end }: Message): Soon<Outcome> {
    const text = readQuery(bytes, at, end);
    if (text === undefined) return notText;
    return chain(this.#parts.judge.text(text, 'execute'), (judged) =>
      this.#checked(judged, (statements, lifted) => {
        const conversation = this.#conversation;
        const entry = conversation.expect('query');
        entry.source = text;
        entry.statements = statements.map((statement, index) =>
          running(statement, lifted[index] ?? [], undefined),
        );
        for (const statement of statements) conversation.sent(statement);
        conversation.endSegment();
        return undefined;
      }),
    );
  }

  /** From permits to what is sent; refuses what could not be masked when it comes back. */
  #checked(
    judged: Judged,
    forward: (
      statements: readonly SqlStatement[],
      lifted: readonly (readonly string[])[],
    ) => Uint8Array | undefined,
  ): Outcome {
    if (judged.refused) return judged;
    const { masks } = this.#conversation.stages;
    if (judged.statements.some((statement) => isUnmaskableCopy(statement, masks))) {
      return refuse('SP_MASK_UNSOUND', 'a COPY whose rows cannot be told apart');
    }
    const lifted = judged.permits.map((permit) => permit.liftedMasks);
    return this.#permitted(judged.permits, () => forward(judged.statements, lifted));
  }

  #parse({ bytes, at, end }: Message): Soon<Outcome> {
    const parse = readParse(bytes, at, end);
    if (parse === undefined) return notText;
    const { statements, limits } = this.#conversation;
    if (parse.name !== '' && statements.size >= limits.preparedMax) {
      return refuse('SP_TOO_MANY', 'too many prepared statements', 'Close some.');
    }
    return chain(this.#parts.judge.text(parse.text, 'prepare'), (judged) => {
      if (judged.refused) return judged;
      return this.#permitted(judged.permits, () => {
        this.#open();
        const prepared: Prepared = {
          name: parse.name,
          text: parse.text,
          source: parse.text,
          fromSql: false,
          types: parse.types,
          statements: judged.statements,
          under: this.#conversation.under(),
          description: undefined,
          describedIn: -1,
        };
        const entry = this.#conversation.expect('parse');
        const { segment } = this.#conversation;
        entry.settlement = statements.change(parse.name, prepared, segment);
        return undefined;
      });
    });
  }

  #bind(message: Message): Soon<Outcome> {
    // The values are kept until the command was judged, which may be long after this read.
    const bytes = message.bytes.slice(message.at, message.end);
    const bind = readBind(bytes, 0, bytes.length);
    if (bind === undefined) return notText;
    return closed(() =>
      chain(this.#statement(bind.statement), (prepared) => {
        if (prepared === undefined) return unknownName('prepared statement', bind.statement);
        return chain(this.#analysed(prepared), () => {
          const values = boundValues(bind, prepared.types);
          const judged = this.#parts.judge.statements(prepared.statements, 'execute', values);
          const kept = bytes.length <= KEPT_VALUE_BYTES_MAX ? values : undefined;
          return chain(judged, (answer) => this.#bound(prepared, bind, answer, kept));
        });
      }),
    );
  }

  #bound(
    prepared: Prepared,
    bind: BindMessage,
    judged: Judged,
    parameters: readonly BoundValue[] | undefined,
  ): Outcome {
    const { portals, segment, stages } = this.#conversation;
    if (prepared.statements.length > 1) {
      return refuse('SP_NOT_UNDERSTOOD', 'a prepared statement of several statements');
    }
    return this.#checked(judged, (_, lifted) => {
      this.#open();
      const entry = this.#conversation.expect('bind');
      const statement = prepared.statements[0] ?? nothing;
      const portal: Portal = {
        name: bind.portal,
        running: running(statement, lifted[0] ?? [], bind.resultFormats, prepared),
        source: prepared.source,
        prepared,
        parameters,
        fromSql: false,
        epoch: stages.epoch,
        describedIn: -1,
      };
      entry.settlement = portals.change(portal.name, portal, segment);
      return undefined;
    });
  }

  /** Finds a statement by name; waits while the name is under way, asks the server when in doubt. */
  #statement(name: string): Soon<Prepared | undefined> {
    const found = this.#conversation.findStatement(name);
    if (found !== 'wait' && (found !== undefined || !this.#inDoubt(name))) return found;
    return this.#settledNames().then(() => {
      const again = this.#conversation.findStatement(name);
      return again === 'wait' ? undefined : again;
    });
  }

  #portal(name: string): Soon<Portal | undefined> {
    const found = this.#conversation.findPortal(name);
    if (found !== 'wait' && (found !== undefined || !this.#inDoubt(name))) return found;
    return this.#settledNames().then(() => {
      const again = this.#conversation.findPortal(name);
      return again === 'wait' ? undefined : again;
    });
  }

  #inDoubt = (name: string): boolean =>
    name !== '' && this.#conversation.namesUnknown && this.#conversation.canRefresh;

  async #settledNames(): Promise<void> {
    await this.#conversation.whenAnswered();
    if (this.#conversation.namesUnknown) await this.#parts.judge.refreshed();
  }

  /** Makes sure that a statement's analysis is one of this moment. */
  #analysed(prepared: Prepared): Soon<void> {
    if (prepared.fromSql || prepared.under === this.#conversation.under()) return undefined;
    return chain(this.#parts.judge.analyse(prepared.text), (statements) => {
      prepared.statements = statements;
      prepared.under = this.#conversation.under();
    });
  }

  #execute({ bytes, at, end }: Message): Soon<Outcome> {
    const name = readExecute(bytes, at, end);
    if (name === undefined) return notText;
    return closed(() => chain(this.#portal(name), (portal) => this.#executed(name, portal)));
  }

  #executed(name: string, portal: Portal | undefined): Soon<Outcome> {
    if (portal === undefined) return unknownName('portal', name);
    const { stages } = this.#conversation;
    if (portal.epoch === stages.epoch) return this.#go(() => this.#run(portal));
    if (portal.parameters === undefined && !portal.fromSql) {
      return refuse(
        'SP_POLICY_DENIED',
        'the policy changed since the values were bound',
        'Bind again.',
      );
    }
    const statements = [portal.running.statement];
    const judged = this.#parts.judge.statements(statements, 'execute', portal.parameters);
    return chain(judged, (answer) => {
      if (answer.refused) return answer;
      portal.epoch = stages.epoch;
      return this.#permitted(answer.permits, () => this.#run(portal));
    });
  }

  #run(portal: Portal): Uint8Array | undefined {
    const conversation = this.#conversation;
    this.#open();
    const before = this.#describeFirst(portal);
    const entry = conversation.expect('execute');
    const item = portal.running;
    entry.statements = [item];
    entry.source = portal.source;
    conversation.sent(item.statement);
    return before;
  }

  /** Rows that need a plan need a description; the gateway asks for it when the client does not. */
  #describeFirst(portal: Portal): Uint8Array | undefined {
    const { stages, segment } = this.#conversation;
    const item = portal.running;
    if (needsNoPlan(item.statement, stages.masks)) return undefined;
    if (descriptionOf(item) !== undefined || portal.describedIn === segment) return undefined;
    if (portal.prepared?.describedIn === segment) return undefined;
    portal.describedIn = segment;
    const entry = this.#conversation.expect('describe');
    entry.hidden = true;
    entry.described = (description) => {
      item.description = description;
    };
    return encodeDescribe('P', portal.name);
  }

  #describe({ bytes, at, end }: Message): Soon<Outcome> {
    const named = readNamed(bytes, at, end);
    if (named === undefined) return notText;
    if (named.what === 'statement') {
      return closed(() =>
        chain(this.#statement(named.name), (prepared) => {
          if (prepared === undefined) return unknownName('prepared statement', named.name);
          return this.#go(() => this.#describeStatement(prepared));
        }),
      );
    }
    return closed(() =>
      chain(this.#portal(named.name), (portal) => {
        if (portal === undefined) return unknownName('portal', named.name);
        return this.#go(() => this.#describePortal(portal));
      }),
    );
  }

  #describePortal(portal: Portal): void {
    this.#open();
    const entry = this.#conversation.expect('describe');
    entry.statements = [portal.running];
    portal.describedIn = this.#conversation.segment;
    entry.described = (description) => {
      portal.running.description = description;
    };
  }

  #describeStatement(prepared: Prepared): void {
    this.#open();
    const entry = this.#conversation.expect('describe');
    const statement = prepared.statements[0];
    if (statement !== undefined) entry.statements = [running(statement, [], undefined)];
    prepared.describedIn = this.#conversation.segment;
    entry.typed = (types) => {
      prepared.types = types;
    };
    entry.described = (description) => {
      prepared.description = description;
    };
  }

  #close({ bytes, at, end }: Message): Soon<Outcome> {
    const named = readNamed(bytes, at, end);
    if (named === undefined) return notText;
    return this.#go(() => {
      this.#open();
      const { statements, portals, segment } = this.#conversation;
      const names = named.what === 'statement' ? statements : portals;
      const entry = this.#conversation.expect('close');
      entry.settlement = names.change(named.name, undefined, segment);
    });
  }

  /** A message of the extended protocol goes on: its segment is closed by a Sync alone. */
  #open(): void {
    this.#conversation.segmentOpen = true;
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
      const error = encodeRefusal(refusal);
      const ready = encodeReadyForQuery(idle);
      const both = new Uint8Array(error.length + ready.length);
      both.set(error);
      both.set(ready, error.length);
      this.#parts.tell(both);
      return;
    }
    const entry: Expected = conversation.expect(simple ? 'query' : kindOf(type));
    entry.refusal = refusal;
    if (simple) conversation.endSegment();
    else this.#open();
    // Named, so that the client's unnamed statement survives as it would have.
    const substitute = simple
      ? encodeQuery(unparsable)
      : encodeParse(this.#parts.secretName, unparsable);
    this.#parts.outlet.put(substitute);
  }
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

const notText: Refusal = refuse(
  'SP_FRAME_MALFORMED',
  'the message is cut short, has bytes left over, or is not UTF-8',
);

const unknownName = (what: string, name: string): Refusal =>
  refuse(
    'SP_NOT_UNDERSTOOD',
    `the text behind the ${what} ${name === '' ? 'without a name' : `"${name}"`} is not known`,
    'Prepare it again.',
  );

/** A COPY that would have to be masked and cannot be. */
function isUnmaskableCopy(
  statement: SqlStatement,
  masks: Conversation['stages']['masks'],
): boolean {
  if (masks.empty || !statement.facts.effects.includes('copy-out')) return false;
  return (
    statement.copy === undefined &&
    (masks.content !== undefined || mayTouchMasked(statement, masks))
  );
}
