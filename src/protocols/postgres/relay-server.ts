/**
 * The server's side of a session: pairs each answer with what was asked, settles what names and
 * state became, and translates the error of a substitute into the refusal.
 *
 * Invariant: a message leaves only if it answers something, or is one of those that may come at any
 * time; an answer that was not asked for ends the session.
 */
import { GatewayError } from '#core/errors.ts';
import type { Refusal } from '#core/verdict.ts';
import { copyOf, frameBytes, headerBytes, malformed, rowOf } from './codec/frames.ts';
import { backend, backendTable } from './codec/messages.ts';
import {
  type NoticeField,
  readNoticeFields,
  readParameterStatus,
  readParameterTypes,
  readRowDescription,
  textOf,
} from './codec/read.ts';
import { encodeRefusal, unparsableState } from './refusal.ts';
import type { Conversation } from './relay-conversation.ts';
import type { Described, Expected } from './relay-expected.ts';
import type { LaneReader } from './relay-lane.ts';
import type { Outlet } from './relay-outlet.ts';
import { outOfStep, Rows } from './relay-rows.ts';
import { type Description, labelsMayLeak } from './results.ts';
import {
  isEnumerated,
  labelsWithheld,
  noticeWithheld,
  notificationWithheld,
} from './results-notices.ts';

export interface ServerSideParts {
  readonly conversation: Conversation;
  /** Towards the client. */
  readonly outlet: Outlet;
  /** ParameterStatus of the server, kept current. */
  readonly parameters: Map<string, string>;
}

/** A longer RowDescription is not kept for the next execution. */
const SEEN_BYTES_MAX = 4_096;

export class ServerSide implements LaneReader {
  readonly stalled = false;
  readonly #conversation: Conversation;
  readonly #outlet: Outlet;
  readonly #parameters: Map<string, string>;
  readonly #rows: Rows;
  readonly #inserts: Uint8Array[] = [];
  /** Whether the present chunk began inside a message. */
  #entered = false;
  #stopped = false;
  #fatal = false;

  constructor(parts: ServerSideParts) {
    this.#conversation = parts.conversation;
    this.#outlet = parts.outlet;
    this.#parameters = parts.parameters;
    this.#rows = new Rows(parts.conversation, parts.outlet);
  }

  /** Whether the client has been given the beginning of a message and not its end. */
  get inMessage(): boolean {
    return this.#rows.passLeft > 0;
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
    this.#rows.passLeft = split || this.#entered ? 1 : 0;
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
    this.#rows.checkMasks();
    let at = start;
    while (at < end) {
      if (this.#rows.passLeft > 0) {
        const count = Math.min(this.#rows.passLeft, end - at);
        this.#rows.passLeft -= count;
        at += count;
        continue;
      }
      if (this.#stopped) {
        this.#drop(at, end);
        return end;
      }
      if (this.#inserts.length > 0) this.#flushInserts(at);
      if (this.#rows.isStreaming) {
        at = this.#rows.continue(bytes, at, end);
        continue;
      }
      if (end - at < headerBytes) break;
      const next = this.#next(bytes, at, end);
      if (next < 0) break;
      at = next;
    }
    if (at === end && !this.inMessage && this.#inserts.length > 0) this.#flushInserts(at);
    this.#conversation.emptied();
    return at;
  }

  #flushInserts(at: number): void {
    this.#outlet.cut(at);
    for (const message of this.#inserts.splice(0)) this.#outlet.put(message);
  }

  /** @returns where the next message begins, or -1 when this one has to be whole first. */
  #next(bytes: Uint8Array, at: number, end: number): number {
    const total = frameBytes(bytes, at);
    const type = bytes[at] ?? 0;
    let next = at + total;
    if (type === backend.dataRow) next = this.#rows.row(bytes, at, end, total);
    else if (type === backend.copyData) next = this.#rows.copyData(bytes, at, end, total);
    else {
      const row = rowOf(backendTable, type, total);
      if (row.treatment === 'refused') throw outOfStep(row.name);
      if (next > end) next = -1;
      else this.#message(type, row.name, bytes, at, next);
    }
    if (next < 0 && total > this.#conversation.limits.frameBytesMax) {
      throw new GatewayError('SP_FRAME_TOO_LARGE', { detail: `a message of ${total} bytes` });
    }
    return next;
  }

  #message(type: number, name: string, bytes: Uint8Array, at: number, end: number): void {
    switch (type) {
      case backend.errorResponse:
        return this.#error(bytes, at, end);
      case backend.noticeResponse:
        return this.#notice(bytes, at, end);
      case backend.parameterStatus:
        return this.#parameterStatus(bytes, at, end);
      case backend.notificationResponse:
        return this.#notification(bytes, at, end);
      case backend.readyForQuery:
        return this.#ready(bytes, at, end);
      default:
        return this.#answer(type, name, bytes, at, end);
    }
  }

  /** A message that answers the first entry. */
  #answer(type: number, name: string, bytes: Uint8Array, at: number, end: number): void {
    const entry = this.#conversation.queue.first;
    if (entry === undefined || entry.refusal !== undefined) throw outOfStep(name);
    if (entry.hidden || entry.meter?.refusal !== undefined) this.#drop(at, end);
    switch (type) {
      case backend.parseComplete:
        return this.#complete(entry, 'parse', name);
      case backend.bindComplete:
        return this.#complete(entry, 'bind', name);
      case backend.closeComplete:
        return this.#complete(entry, 'close', name);
      case backend.parameterDescription:
        if (entry.kind !== 'describe') throw outOfStep(name);
        return entry.typed?.(readParameterTypes(bytes, at, end) ?? []);
      case backend.rowDescription:
        return this.#rowDescription(entry, bytes, at, end);
      case backend.noData:
        entry.described?.(undefined);
        return this.#complete(entry, 'describe', name);
      case backend.commandComplete:
      case backend.emptyQueryResponse:
        entry.meter?.completed(textOf(bytes, at + headerBytes, end - 1) ?? '');
        return this.#commandComplete(entry, name);
      case backend.portalSuspended:
        this.#rows.close();
        this.#settleRest(entry);
        return this.#complete(entry, 'execute', name);
      case backend.functionCallResponse:
        if (!entry.isCall) throw outOfStep(name);
        // It was judged without masks; with them its answer is of no known type or origin.
        if (!this.#conversation.stages.masks.empty) throw new GatewayError('SP_MASK_UNSOUND');
        return;
      case backend.copyInResponse:
        return this.#copyInResponse(entry);
      case backend.copyOutResponse:
        return this.#rows.copyOut(entry, bytes, at, end);
      case backend.copyDone:
        return this.#rows.copyDone();
      default:
        throw outOfStep(name);
    }
  }

  #complete(entry: Expected, kind: Expected['kind'], name: string): void {
    if (entry.kind !== kind) throw outOfStep(name);
    this.#conversation.queue.shift();
    entry.meter?.end();
    entry.settlement?.confirmed();
  }

  #rowDescription(entry: Expected, bytes: Uint8Array, at: number, end: number): void {
    const { running } = entry;
    const description = describedBy(running?.prepared, bytes, at, end);
    if (running !== undefined && !entry.hidden) {
      const { masks } = this.#conversation.stages;
      const isOver = entry.meter?.refusal !== undefined;
      if (!isOver && labelsMayLeak(running, masks))
        this.#replace(at, end, labelsWithheld(description.fields));
    }
    if (entry.kind !== 'query') {
      entry.described?.(description);
      return this.#complete(entry, 'describe', 'RowDescription');
    }
    this.#rows.close();
    if (running === undefined) throw outOfStep('RowDescription');
    running.description = description;
    running.plan = undefined;
  }

  #commandComplete(entry: Expected, name: string): void {
    const { running } = entry;
    this.#rows.close();
    this.#conversation.copyIn = false;
    if (running !== undefined) this.#conversation.settle(running, entry.source, true);
    if (entry.kind === 'execute') {
      entry.statements = [];
      return this.#complete(entry, 'execute', name);
    }
    if (entry.kind !== 'query' || running === undefined) throw outOfStep(name);
    entry.at += 1;
  }

  #error(bytes: Uint8Array, at: number, end: number): void {
    const fields = readNoticeFields(bytes, at, end);
    if (fields === undefined) throw malformed('ErrorResponse');
    const entry = this.#conversation.queue.first;
    const sqlstate = fieldText(bytes, fields, 'C');
    const severity = fieldText(bytes, fields, 'V');
    this.#rows.close();
    this.#conversation.copyIn = false;
    this.#fatal = severity === 'FATAL' || severity === 'PANIC';
    const refusal = refusalBehind(entry, sqlstate);
    entry?.own?.failed(sqlstate);
    if (entry?.hidden === true && !entry.tells) {
      this.#drop(at, end);
    } else if (refusal !== undefined) {
      this.#replace(at, end, encodeRefusal(refusal));
    } else {
      this.#withhold(bytes, at, end);
    }
    if (entry === undefined) return;
    entry.errored = true;
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
    this.#rows.close();
    if (entry === undefined || (entry.kind !== 'sync' && entry.kind !== 'query')) {
      if (conversation.looseSyncs === 0) throw outOfStep('ReadyForQuery');
      conversation.looseSyncs -= 1;
      return;
    }
    if (entry.hidden || entry.isReadyHidden) this.#drop(at, end);
    entry.meter?.end();
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
    const { queue, leaky, stages } = this.#conversation;
    if (isFollowed(name) && !stages.factsMatter) this.#conversation.settingsUnknown = true;
    else checkLexer(name, value);
    this.#parameters.set(name, value);
    const withheld = leaky && stages.masks.columns.length > 0 && !isEnumerated(name);
    if (queue.first?.hidden === true || withheld) this.#drop(at, end);
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
    if (eaten === undefined) return;
    queue.remove(1);
    eaten.settlement?.dropped();
    this.#settleRest(eaten);
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

/** What the client is told in place of an error of the server's. */
function refusalBehind(entry: Expected | undefined, sqlstate: string): Refusal | undefined {
  if (entry?.refusal !== undefined) {
    return sqlstate === unparsableState ? entry.refusal : undefined;
  }
  return entry?.meter?.failed(sqlstate);
}

/** What a RowDescription says; not read again when it is the one that came for the last execution. */
function describedBy(
  prepared: Described | undefined,
  bytes: Uint8Array,
  at: number,
  end: number,
): Description {
  const seen = prepared?.seen;
  if (seen !== undefined && isSame(seen.bytes, bytes, at, end)) return seen.description;
  const fields = readRowDescription(bytes, at, end);
  if (fields === undefined) throw malformed('RowDescription');
  const description = { fields };
  if (prepared !== undefined && end - at <= SEEN_BYTES_MAX) {
    prepared.seen = { bytes: copyOf(bytes, at, end), description };
  }
  return description;
}

function isSame(known: Uint8Array, bytes: Uint8Array, at: number, end: number): boolean {
  if (known.length !== end - at) return false;
  for (let index = 0; index < known.length; index += 1) {
    if (known[index] !== bytes[at + index]) return false;
  }
  return true;
}

function fieldText(bytes: Uint8Array, fields: readonly NoticeField[], code: string): string {
  const field = fields.find((each) => each.code === code);
  return field === undefined ? '' : (textOf(bytes, field.start, field.end) ?? '');
}

/** How the server reads text is pinned at start-up; if it is changed nothing can be judged. */
export function checkLexer(name: string, value: string): void {
  const pinned = pinnedParameters.get(name);
  if (pinned === undefined || pinned === value) return;
  throw new GatewayError('SP_PROTOCOL', { detail: `${name} may not be changed` });
}

/**
 * Where no decision depends on what texts mean, they may come to mean something else: the state is
 * then unknown, so that nothing is said to be complete.
 */
const isFollowed = (name: string): boolean => name === 'standard_conforming_strings';

/** Settings that decide how bytes become a statement. */
const pinnedParameters: ReadonlyMap<string, string> = new Map([
  ['standard_conforming_strings', 'on'],
  ['client_encoding', 'UTF8'],
]);
