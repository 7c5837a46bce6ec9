/**
 * Rows and COPY data on their way to the client: whether they pass unread, are masked, or are the
 * gateway's own, decided once for each result and again when the masks change.
 *
 * Invariant: data leaves only under a plan that was made for it.
 */
import { GatewayError } from '#core/errors.ts';
import type { MaskSet } from '#core/masking.ts';
import { headerBytes, int16, malformed } from './codec/frames.ts';
import type { ResultFormats } from './codec/read.ts';
import { CopyOut } from './copy.ts';
import type { Conversation } from './relay-conversation.ts';
import { descriptionOf, type Expected, type Running } from './relay-expected.ts';
import type { Meter } from './relay-meter.ts';
import type { Outlet } from './relay-outlet.ts';
import { ownRow } from './relay-own.ts';
import { copyPasses, passPlan, type PlanParts, planRows, type RowPlan } from './results.ts';
import { LargeRow, maskRow } from './results-rows.ts';

/** What is done with the rows that come now. */
type Mode = 'closed' | 'pass' | 'mask' | 'own';

export class Rows {
  readonly #conversation: Conversation;
  readonly #outlet: Outlet;
  #mode: Mode = 'closed';
  #plan: RowPlan | undefined;
  #masks: MaskSet | undefined;
  #copy: CopyOut | 'pass' | undefined;
  /** Bytes of a message that passes unread and has begun to leave. */
  passLeft = 0;
  #large: LargeRow | undefined;
  /** Bytes to come of CopyData that is too large to be masked whole. */
  #pieceLeft = 0;
  /** Bytes to come of a message that does not leave. */
  #dropLeft = 0;
  /** Counts what leaves, where that has limits. */
  #meter: Meter | undefined;

  constructor(conversation: Conversation, outlet: Outlet) {
    this.#conversation = conversation;
    this.#outlet = outlet;
  }

  /** A message is masked as its bytes come; {@link Rows.continue} takes them. */
  get isStreaming(): boolean {
    return this.#large !== undefined || this.#pieceLeft > 0 || this.#dropLeft > 0;
  }

  /** The result is complete. */
  close(): void {
    this.#mode = 'closed';
    this.#plan = undefined;
    this.#copy = undefined;
  }

  /** A policy that changes while rows are on their way holds for those that have not left. */
  checkMasks(): void {
    const { masks } = this.#conversation.stages;
    if (masks === this.#masks) return;
    const isSame = this.#masks === undefined || this.#masks.version === masks.version;
    this.#masks = masks;
    if (isSame || this.#mode === 'own') return;
    if ((this.#copy !== undefined && !masks.empty) || this.isStreaming) {
      throw new GatewayError('SP_MASK_UNSOUND', { detail: 'the masks changed within a result' });
    }
    this.#mode = 'closed';
  }

  /** @returns where the next message begins, or -1 when the row has to be whole first. */
  row(bytes: Uint8Array, at: number, end: number, total: number): number {
    if (this.#mode === 'closed') this.#open();
    if (this.#meter === undefined) return this.#row(bytes, at, end, total);
    if (!this.#meter.admits(total)) return this.#drop(at, at + total, end);
    const next = this.#row(bytes, at, end, total);
    if (next >= 0) this.#meter.count(total);
    return next;
  }

  #row(bytes: Uint8Array, at: number, end: number, total: number): number {
    const next = at + total;
    if (this.#mode === 'pass') return this.#pass(next, end);
    if (next > end) {
      if (total <= this.#conversation.limits.cellBytesMax || this.#plan === undefined) return -1;
      this.#begin(at);
      this.#large = new LargeRow(this.#plan, this.#conversation.limits.frameBytesMax, total);
      return at + headerBytes;
    }
    if (this.#plan === undefined) {
      ownRow(this.#conversation.queue.first?.own, bytes, at, next);
      this.#outlet.cut(at);
      this.#outlet.skip(next);
    } else {
      maskRow(this.#plan, this.#outlet, bytes, at, next);
    }
    return next;
  }

  /** @returns where the next message begins, or -1 when the data has to be whole first. */
  copyData(bytes: Uint8Array, at: number, end: number, total: number): number {
    if (this.#copy === undefined) throw outOfStep('CopyData');
    if (this.#meter === undefined) return this.#copyData(this.#copy, bytes, [at, end, total]);
    if (!this.#meter.admits(total)) return this.#drop(at, at + total, end);
    const next = this.#copyData(this.#copy, bytes, [at, end, total]);
    if (next >= 0) this.#meter.count(total);
    return next;
  }

  #copyData(
    copy: CopyOut | 'pass',
    bytes: Uint8Array,
    [at, end, total]: readonly [number, number, number],
  ): number {
    const next = at + total;
    if (copy === 'pass') return this.#pass(next, end);
    if (next <= end) {
      copy.whole(this.#outlet, bytes, at, next);
      return next;
    }
    if (total <= this.#conversation.limits.cellBytesMax) return -1;
    this.#begin(at);
    this.#pieceLeft = total - headerBytes;
    return at + headerBytes;
  }

  /** What is above a limit does not leave; where its end has not come yet, nor does the rest. */
  #drop(at: number, next: number, end: number): number {
    const stop = Math.min(next, end);
    this.#outlet.cut(at);
    this.#outlet.skip(stop);
    this.#dropLeft = next - stop;
    return stop;
  }

  #pass(next: number, end: number): number {
    if (next <= end) return next;
    this.passLeft = next - end;
    return end;
  }

  /** The header does not leave: the masked message gets its own. */
  #begin(at: number): void {
    this.#outlet.cut(at);
    this.#outlet.skip(at + headerBytes);
  }

  /** Takes more of the message that is masked as it comes. */
  continue(bytes: Uint8Array, at: number, end: number): number {
    if (this.#dropLeft > 0) {
      const stop = at + Math.min(this.#dropLeft, end - at);
      this.#dropLeft -= stop - at;
      this.#outlet.skip(stop);
      return stop;
    }
    if (this.#large !== undefined) {
      const next = this.#large.feed(bytes, at, end);
      this.#outlet.skip(next);
      if (this.#large.done) {
        this.#outlet.put(this.#large.message());
        this.#large = undefined;
      }
      return next;
    }
    const next = at + Math.min(this.#pieceLeft, end - at);
    if (this.#copy === undefined || this.#copy === 'pass') throw outOfStep('CopyData');
    this.#copy.piece(this.#outlet, bytes, at, next);
    this.#pieceLeft -= next - at;
    return next;
  }

  /** Decides what happens to the rows of the first entry. */
  #open(): void {
    const entry = this.#conversation.queue.first;
    if (entry === undefined || !canReturnRows(entry)) throw outOfStep('DataRow');
    this.#meter = entry.meter;
    if (entry.hidden) {
      this.#mode = 'own';
      this.#plan = undefined;
      return;
    }
    const { running } = entry;
    if (running === undefined) throw outOfStep('DataRow');
    this.#doubt(entry, running);
    const { masks } = this.#conversation.stages;
    if (running.plan?.version !== masks.version) {
      running.plan = this.#makePlan(running, masks);
    }
    this.#plan = running.plan;
    this.#mode = running.plan.passes ? 'pass' : 'mask';
  }

  /**
   * Definitions may change between the moment at which a statement was judged and the one at which
   * the server reads it. From its first row on, its locks keep what it was read by.
   */
  #doubt(entry: Expected, running: Running): void {
    if (entry.generation === this.#conversation.othersGeneration || running.isDoubtful) return;
    running.isDoubtful = true;
    running.plan = undefined;
  }

  #makePlan(running: Running, masks: MaskSet): RowPlan {
    if (masks.empty) return passPlan(masks);
    const description = descriptionOf(running);
    if (description === undefined) {
      throw new GatewayError('SP_MASK_UNSOUND', { detail: 'rows without a description' });
    }
    const parts = this.#planParts(running, masks);
    const { prepared, formats, statement, lifted } = running;
    const { catalogue } = parts;
    const isUsual = running.masks === masks && lifted.length === 0 && !running.isDoubtful;
    const known = isUsual ? prepared?.planned : undefined;
    const isOfNow = known?.plan.masks === masks && known.catalogue === catalogue;
    if (isOfNow && known.statement === statement && known.description === description) {
      if (sameFormats(known.formats, formats)) return known.plan;
    }
    const plan = planRows(parts, description, formats);
    if (prepared !== undefined && isUsual) {
      prepared.planned = { plan, catalogue, statement, formats, description };
    }
    return plan;
  }

  #planParts(running: Running, masks: MaskSet): PlanParts {
    const { known, limits } = this.#conversation;
    if (known === undefined) throw new GatewayError('SP_MASK_UNSOUND');
    const { cellBytesMax } = limits;
    return { running, masks, catalogue: known.catalogue, cellBytesMax };
  }

  copyOut(entry: Expected, bytes: Uint8Array, at: number, end: number): void {
    const { running } = entry;
    if (running === undefined || !canReturnRows(entry)) throw outOfStep('CopyOutResponse');
    this.#doubt(entry, running);
    const { stages } = this.#conversation;
    this.#meter = entry.meter;
    const columns = int16(bytes, at + headerBytes + 1) & 0xffff;
    if (at + headerBytes + 3 + columns * 2 !== end) throw malformed('CopyOutResponse');
    this.#copy = copyPasses(running, stages.masks)
      ? 'pass'
      : new CopyOut(this.#planParts(running, stages.masks), columns);
  }

  copyDone(): void {
    if (this.#copy === undefined) throw outOfStep('CopyDone');
    if (this.#copy !== 'pass') this.#copy.end();
    this.#copy = undefined;
  }
}

/** Each Bind has its own, and they are mostly the same. */
const sameFormats = (left: ResultFormats | undefined, right: ResultFormats | undefined): boolean =>
  left === right ||
  (left !== undefined &&
    left.length === right?.length &&
    left.every((format, index) => format === right[index]));

const canReturnRows = (entry: Expected): boolean =>
  (entry.kind === 'query' || entry.kind === 'execute') && entry.refusal === undefined;

export const outOfStep = (name: string): GatewayError =>
  new GatewayError('SP_TARGET_PROTOCOL', { detail: `${name} out of step` });
