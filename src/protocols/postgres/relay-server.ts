/**
 * The server's side of a session: pairs each answer with what was asked, settles what names and
 * state became, masks rows, and translates the error of a substitute into the refusal.
 *
 * Invariant: a message leaves only if it answers something, or is one of the three that may come at
 * any time; rows leave only under a plan made for them.
 */
import { GatewayError } from '#core/errors.ts';
import type { MaskSet } from '#core/masking.ts';
import { frameBytes, headerBytes, malformed, rowOf } from './codec/frames.ts';
import { backend, backendTable } from './codec/messages.ts';
import {
  type NoticeField,
  readNoticeFields,
  readParameterStatus,
  readParameterTypes,
  readRowDescription,
  textOf,
} from './codec/read.ts';
import { CopyOut } from './copy.ts';
import { encodeRefusal, unparsableState } from './refusal.ts';
import type { Conversation } from './relay-conversation.ts';
import { descriptionOf, type Expected, type Running } from './relay-expected.ts';
import type { LaneReader } from './relay-lane.ts';
import type { Outlet } from './relay-outlet.ts';
import { ownRow } from './relay-own.ts';
import {
  type Description,
  mayTouchMasked,
  needsNoPlan,
  passPlan,
  planRows,
  type RowPlan,
} from './results.ts';
import {
  isEnumerated,
  labelsWithheld,
  noticeWithheld,
  notificationWithheld,
} from './results-notices.ts';
import { LargeRow, maskRow } from './results-rows.ts';

export interface ServerSideParts {
  readonly conversation: Conversation;
  readonly outlet: Outlet;
  /** ParameterStatus of the server, kept current. */
  readonly parameters: Map<string, string>;
}

/** What is done with the rows that come now. */
type Rows = 'closed' | 'pass' | 'mask' | 'own';

export class ServerSide implements LaneReader {
  readonly stalled = false;
  readonly #conversation: Conversation;
  readonly #outlet: Outlet;
  readonly #parameters: Map<string, string>;
  readonly #inserts: Uint8Array[] = [];
  #rows: Rows = 'closed';
  #plan: RowPlan | undefined;
  #masks: MaskSet | undefined;
  #copy: CopyOut | 'pass' | undefined;
  /** Bytes of a message that passes unread and has begun to leave. */
  #passLeft = 0;
  #large: LargeRow | undefined;
  /** Whether the present chunk began inside a message. */
  #entered = false;
  #stopped = false;
  #fatal = false;
  /** Bytes to come of CopyData that is too large to be masked whole. */
  #pieceLeft = 0;

  constructor(parts: ServerSideParts) {
    this.#conversation = parts.conversation;
    this.#outlet = parts.outlet;
    this.#parameters = parts.parameters;
  }

  /** Whether the client has been given the beginning of a message and not its end. */
  get inMessage(): boolean {
    return this.#passLeft > 0;
  }

  /** Whether the server said that it ends the session. */
  get saidFatal(): boolean {
    return this.#fatal;
  }

  /** After the message that has begun, nothing more of the server's leaves. */
  stopAtMessage(): void {
    this.#stopped = true;
  }

  broken(): void {
    const split = this.#outlet.discard();
    // Whether the client waits for the rest of a message is as it was before this chunk.
    this.#passLeft = split || this.#entered ? 1 : 0;
    this.#stopped = true;
  }

  /** Tells the client something of the gateway's own, between two messages. */
  insert(message: Uint8Array): void {
    if (this.inMessage) {
      this.#inserts.push(message);
      return;
    }
    this.#outlet.put(message);
    this.#outlet.flush();
  }

  consume(bytes: Uint8Array, start: number, end: number): number {
    this.#entered = this.inMessage;
    this.#checkMasks();
    let at = start;
    while (at < end) {
      if (this.#passLeft > 0) {
        const count = Math.min(this.#passLeft, end - at);
        this.#passLeft -= count;
        at += count;
        continue;
      }
      if (this.#stopped) {
        this.#drop(at, end);
        return end;
      }
      if (this.#inserts.length > 0) this.#flushInserts(at);
      if (this.#large !== undefined) {
        at = this.#feedLarge(this.#large, bytes, at, end);
        continue;
      }
      if (this.#pieceLeft > 0) {
        at = this.#copyPiece(bytes, at, end);
        continue;
      }
      if (end - at < headerBytes) break;
      const total = frameBytes(bytes, at);
      const type = bytes[at] ?? 0;
      const next =
        type === backend.dataRow
          ? this.#dataRow(bytes, at, end, total)
          : this.#message(type, bytes, at, end, total);
      if (next < 0) break;
      at = next;
    }
    if (at === end && this.#passLeft === 0 && this.#inserts.length > 0) this.#flushInserts(at);
    return at;
  }

  #flushInserts(at: number): void {
    this.#outlet.cut(at);
    for (const message of this.#inserts.splice(0)) this.#outlet.put(message);
  }

  /** A policy that changes while rows are on their way holds for those that have not left. */
  #checkMasks(): void {
    const { masks } = this.#conversation.stages;
    if (masks === this.#masks) return;
    const isFirst = this.#masks === undefined;
    this.#masks = masks;
    if (isFirst || this.#rows === 'own' || this.#plan?.masks.version === masks.version) return;
    if (this.#copy !== undefined && !masks.empty) {
      throw new GatewayError('SP_MASK_UNSOUND', { detail: 'the masks changed during a COPY' });
    }
    this.#rows = 'closed';
  }

  /** @returns where the next message begins, or -1 when the row has to be whole first. */
  #dataRow(bytes: Uint8Array, at: number, end: number, total: number): number {
    if (this.#rows === 'closed') this.#openRows();
    const next = at + total;
    if (this.#rows === 'pass') {
      if (next <= end) return next;
      this.#passLeft = next - end;
      return end;
    }
    const { limits } = this.#conversation;
    if (next > end) {
      if (total <= limits.cellBytesMax || this.#plan === undefined) {
        this.#checkSize(total);
        return -1;
      }
      this.#outlet.cut(at);
      this.#outlet.skip(at + headerBytes);
      this.#large = new LargeRow(this.#plan, limits, total);
      return at + headerBytes;
    }
    if (this.#rows === 'own') {
      ownRow(this.#conversation.queue.first?.own, bytes, at, next);
      this.#drop(at, next);
    } else if (this.#plan !== undefined) {
      maskRow(this.#plan, this.#outlet, bytes, at, next);
    }
    return next;
  }

  #feedLarge(row: LargeRow, bytes: Uint8Array, at: number, end: number): number {
    const next = row.feed(bytes, at, end);
    this.#outlet.skip(next);
    if (row.done) {
      this.#outlet.put(row.message());
      this.#large = undefined;
    }
    return next;
  }

  #checkSize(total: number): void {
    if (total <= this.#conversation.limits.frameBytesMax) return;
    throw new GatewayError('SP_FRAME_TOO_LARGE', { detail: `a message of ${total} bytes` });
  }

  /** Decides what happens to the rows of the first entry. */
  #openRows(): void {
    const entry = this.#conversation.queue.first;
    if (entry === undefined || (entry.kind !== 'query' && entry.kind !== 'execute')) {
      throw outOfStep('DataRow');
    }
    if (entry.hidden) {
      this.#rows = 'own';
      this.#plan = undefined;
      return;
    }
    const { running } = entry;
    if (running === undefined || entry.refusal !== undefined) throw outOfStep('DataRow');
    this.#plan = this.#planOf(running);
    this.#rows = this.#plan.passes ? 'pass' : 'mask';
  }

  #planOf(running: Running): RowPlan {
    const { masks } = this.#conversation.stages;
    if (running.plan?.masks.version === masks.version) return running.plan;
    const stale = running.plan !== undefined && running.plan.masks.version !== masks.version;
    running.plan = this.#makePlan(running, masks, stale);
    return running.plan;
  }

  #makePlan(running: Running, masks: MaskSet, stale: boolean): RowPlan {
    const { formats, lifted } = running;
    const description = descriptionOf(running);
    // What the analyser found was found under the masks of then: under others it says nothing.
    const statement = stale ? { ...running.statement, output: undefined } : running.statement;
    if (!stale && needsNoPlan(statement, masks)) return passPlan(masks);
    if (masks.empty) return passPlan(masks);
    const { known } = this.#conversation;
    if (description === undefined || known === undefined) {
      throw new GatewayError('SP_MASK_UNSOUND', { detail: 'rows without a description' });
    }
    return planRows({ statement, lifted, masks, catalogue: known.catalogue }, description, formats);
  }

  /** @returns where the next message begins, or -1 when this one has to be whole first. */
  #message(type: number, bytes: Uint8Array, at: number, end: number, total: number): number {
    const row = rowOf(backendTable, type, total);
    if (row.treatment === 'refused') throw outOfStep(row.name);
    if (type === backend.copyData) return this.#copyData(bytes, at, end, total);
    this.#checkSize(total);
    const next = at + total;
    if (next > end) return -1;
    switch (type) {
      case backend.errorResponse:
        this.#error(bytes, at, next);
        break;
      case backend.noticeResponse:
        this.#notice(bytes, at, next);
        break;
      case backend.parameterStatus:
        this.#parameterStatus(bytes, at, next);
        break;
      case backend.notificationResponse:
        this.#notification(bytes, at, next);
        break;
      case backend.readyForQuery:
        this.#ready(bytes, at, next);
        break;
      default:
        this.#answer(type, row.name, bytes, at, next);
    }
    return next;
  }

  /** A message that answers the first entry. */
  #answer(type: number, name: string, bytes: Uint8Array, at: number, end: number): void {
    const entry = this.#conversation.queue.first;
    if (entry === undefined || entry.refusal !== undefined) throw outOfStep(name);
    if (entry.hidden) this.#drop(at, end);
    switch (type) {
      case backend.parseComplete:
        return this.#complete(entry, 'parse', name);
      case backend.bindComplete:
        return this.#complete(entry, 'bind', name);
      case backend.closeComplete:
        return this.#complete(entry, 'close', name);
      case backend.parameterDescription:
        expectKind(entry, 'describe', name);
        entry.typed?.(readParameterTypes(bytes, at, end) ?? []);
        return;
      case backend.rowDescription:
        return this.#rowDescription(entry, bytes, at, end);
      case backend.noData:
        entry.described?.(undefined);
        return this.#complete(entry, 'describe', name);
      case backend.commandComplete:
      case backend.emptyQueryResponse:
        return this.#commandComplete(entry, name);
      case backend.portalSuspended:
        this.#closeRows();
        this.#settleRest(entry);
        return this.#complete(entry, 'execute', name);
      case backend.copyInResponse:
        return this.#copyInResponse(entry);
      case backend.copyOutResponse:
        return this.#copyOutResponse(entry, bytes, at, end);
      case backend.copyDone:
        return this.#copyDone();
      default:
        throw outOfStep(name);
    }
  }

  #complete(entry: Expected, kind: Expected['kind'], name: string): void {
    expectKind(entry, kind, name);
    this.#conversation.queue.shift();
    entry.settlement?.confirmed();
  }

  #closeRows(): void {
    this.#rows = 'closed';
    this.#plan = undefined;
    this.#copy = undefined;
  }

  #rowDescription(entry: Expected, bytes: Uint8Array, at: number, end: number): void {
    const fields = readRowDescription(bytes, at, end);
    if (fields === undefined) throw malformed('RowDescription');
    const description: Description = { fields };
    const { masks } = this.#conversation.stages;
    const { running } = entry;
    if (running !== undefined && !entry.hidden && labelsMayLeak(running, masks)) {
      this.#replace(at, end, labelsWithheld(fields));
    }
    if (entry.kind === 'query') {
      this.#closeRows();
      if (running === undefined) throw outOfStep('RowDescription');
      running.description = description;
      running.plan = undefined;
      return;
    }
    entry.described?.(description);
    this.#complete(entry, 'describe', 'RowDescription');
  }

  #commandComplete(entry: Expected, name: string): void {
    const { running } = entry;
    this.#closeRows();
    if (entry.kind === 'execute') {
      if (running !== undefined) this.#conversation.settle(running, entry.source, true);
      entry.statements = [];
      this.#conversation.copyIn = false;
      return this.#complete(entry, 'execute', name);
    }
    expectKind(entry, 'query', name);
    if (running === undefined) throw outOfStep(name);
    this.#conversation.settle(running, entry.source, true);
    this.#conversation.copyIn = false;
    entry.at += 1;
  }

  #error(bytes: Uint8Array, at: number, end: number): void {
    const fields = readNoticeFields(bytes, at, end);
    if (fields === undefined) throw malformed('ErrorResponse');
    const { queue } = this.#conversation;
    const entry = queue.first;
    const code = fields.find((field) => field.code === 'C');
    const sqlstate = code === undefined ? '' : (textOf(bytes, code.start, code.end) ?? '');
    this.#closeRows();
    this.#conversation.copyIn = false;
    this.#fatal = isFatal(bytes, fields);
    if (entry?.hidden === true) {
      this.#drop(at, end);
      entry.own?.failed(sqlstate);
    } else if (entry?.refusal !== undefined && sqlstate === unparsableState) {
      this.#replace(at, end, encodeRefusal(entry.refusal));
    } else {
      this.#withhold(bytes, at, end);
    }
    if (entry === undefined) return;
    if (entry.kind === 'query') this.#settleRest(entry);
    else if (entry.kind !== 'sync') this.#skipToSync();
  }

  /** The server reads on at the next Sync: what was sent before it will not be answered. */
  #skipToSync(): void {
    const { queue } = this.#conversation;
    for (let entry = queue.first; entry !== undefined; entry = queue.first) {
      if (entry.kind === 'sync') return;
      queue.shift();
      entry.settlement?.dropped();
      this.#settleRest(entry);
    }
    this.#conversation.skipping = true;
  }

  /** Statements of the entry that will not complete. */
  #settleRest(entry: Expected): void {
    for (const item of entry.statements.slice(entry.at)) {
      this.#conversation.settle(item, entry.source, false);
    }
    entry.statements = [];
    entry.at = 0;
  }

  #ready(bytes: Uint8Array, at: number, end: number): void {
    const conversation = this.#conversation;
    const entry = conversation.queue.first;
    const status = bytes[at + headerBytes] ?? 0;
    if (status !== 0x49 && status !== 0x54 && status !== 0x45) throw malformed('ReadyForQuery');
    this.#closeRows();
    if (entry === undefined || (entry.kind !== 'sync' && entry.kind !== 'query')) {
      if (conversation.looseSyncs === 0) throw outOfStep('ReadyForQuery');
      conversation.looseSyncs -= 1;
      return;
    }
    if (entry.hidden) this.#drop(at, end);
    conversation.queue.shift();
    this.#settleRest(entry);
    conversation.looseSyncs = 0;
    conversation.ready(status);
    entry.own?.done();
  }

  #notice(bytes: Uint8Array, at: number, end: number): void {
    if (this.#conversation.queue.first?.hidden === true) this.#drop(at, end);
    else this.#withhold(bytes, at, end);
  }

  /** Takes from an error or notice what may carry masked values. */
  #withhold(bytes: Uint8Array, at: number, end: number): void {
    const { stages, leaky } = this.#conversation;
    const message = noticeWithheld(bytes, at, end, stages.masks, leaky);
    if (message !== undefined) this.#replace(at, end, message);
  }

  #notification(bytes: Uint8Array, at: number, end: number): void {
    const message = notificationWithheld(bytes, at, end, this.#conversation.stages.masks);
    if (message !== undefined) this.#replace(at, end, message);
  }

  #parameterStatus(bytes: Uint8Array, at: number, end: number): void {
    const pair = readParameterStatus(bytes, at, end);
    if (pair === undefined) throw malformed('ParameterStatus');
    const [name, value] = pair;
    const { queue, leaky } = this.#conversation;
    checkLexer(name, value);
    this.#parameters.set(name, value);
    if (queue.first?.hidden === true || (leaky && !isEnumerated(name))) this.#drop(at, end);
  }

  #copyInResponse(entry: Expected): void {
    if (entry.kind !== 'query' && entry.kind !== 'execute') throw outOfStep('CopyInResponse');
    const { queue } = this.#conversation;
    this.#conversation.copyIn = true;
    // The server reads what was sent ahead as part of the copy: a Sync is ignored there, anything
    // else ends the copy with an error and is not answered itself.
    while (queue.at(1)?.kind === 'sync') {
      queue.remove(1);
      this.#conversation.looseSyncs += 1;
    }
    const eaten = queue.at(1);
    if (eaten !== undefined) {
      queue.remove(1);
      eaten.settlement?.dropped();
      this.#settleRest(eaten);
    }
  }

  #copyOutResponse(entry: Expected, bytes: Uint8Array, at: number, end: number): void {
    const { running } = entry;
    if (running === undefined || (entry.kind !== 'query' && entry.kind !== 'execute')) {
      throw outOfStep('CopyOutResponse');
    }
    const { stages, known, limits } = this.#conversation;
    const { statement } = running;
    if (stages.masks.empty || needsNoPlan(statement, stages.masks)) {
      this.#copy = 'pass';
      return;
    }
    if (known === undefined) throw new GatewayError('SP_MASK_UNSOUND');
    const columns = ((bytes[at + 6] ?? 0) << 8) | (bytes[at + 7] ?? 0);
    if (at + headerBytes + 3 + columns * 2 !== end) throw malformed('CopyOutResponse');
    const parts = {
      statement,
      lifted: running.lifted,
      masks: stages.masks,
      catalogue: known.catalogue,
    };
    this.#copy = new CopyOut(parts, columns, limits);
  }

  /** @returns where the next message begins, or -1 when the data has to be whole first. */
  #copyData(bytes: Uint8Array, at: number, end: number, total: number): number {
    if (this.#copy === undefined) throw outOfStep('CopyData');
    const next = at + total;
    if (this.#copy === 'pass') {
      if (next <= end) return next;
      this.#passLeft = next - end;
      return end;
    }
    if (next <= end) {
      this.#copy.whole(this.#outlet, bytes, at, next);
      return next;
    }
    if (total <= this.#conversation.limits.cellBytesMax) return -1;
    this.#outlet.cut(at);
    this.#outlet.skip(at + headerBytes);
    this.#pieceLeft = total - headerBytes;
    return at + headerBytes;
  }

  #copyPiece(bytes: Uint8Array, at: number, end: number): number {
    const next = at + Math.min(this.#pieceLeft, end - at);
    if (this.#copy === undefined || this.#copy === 'pass') throw outOfStep('CopyData');
    this.#copy.piece(this.#outlet, bytes, at, next);
    this.#pieceLeft -= next - at;
    return next;
  }

  #copyDone(): void {
    if (this.#copy === undefined) throw outOfStep('CopyDone');
    if (this.#copy !== 'pass') this.#copy.end();
    this.#copy = undefined;
  }

  #drop(at: number, end: number): void {
    this.#outlet.cut(at);
    this.#outlet.skip(end);
  }

  #replace(at: number, end: number, message: Uint8Array): void {
    this.#drop(at, end);
    this.#outlet.put(message);
  }
}

/** `V` is the severity in English, whatever the server's language. */
function isFatal(bytes: Uint8Array, fields: readonly NoticeField[]): boolean {
  const severity = fields.find((field) => field.code === 'V');
  const text = severity === undefined ? '' : textOf(bytes, severity.start, severity.end);
  return text === 'FATAL' || text === 'PANIC';
}

const outOfStep = (name: string): GatewayError =>
  new GatewayError('SP_TARGET_PROTOCOL', { detail: `${name} out of step` });

function expectKind(entry: Expected, kind: Expected['kind'], name: string): void {
  if (entry.kind !== kind) throw outOfStep(name);
}

/** A label that was not in the text can carry a value (`AS` of dynamic SQL behind a cursor). */
const labelsMayLeak = (running: Running, masks: MaskSet): boolean =>
  running.statement.output === undefined && mayTouchMasked(running.statement, masks);

/** How the server reads text is pinned at start-up; if it is changed nothing can be judged. */
export function checkLexer(name: string, value: string): void {
  const pinned = pinnedParameters.get(name);
  if (pinned === undefined || pinned === value) return;
  throw new GatewayError('SP_PROTOCOL', { detail: `${name} may not be changed` });
}

/** Settings that decide how bytes become a statement. */
export const pinnedParameters: ReadonlyMap<string, string> = new Map([
  ['standard_conforming_strings', 'on'],
  ['client_encoding', 'UTF8'],
]);
