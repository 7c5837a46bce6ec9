/**
 * Numbers, bounds and batches events. Emitting one costs a number, an id and a place in an array; a
 * batch goes to the writer's thread at most {@link BATCH_MS} later. Numbers are given out in order
 * and written in order, so the stored sequence has no gap: an event that was not stored before a
 * crash has not happened, and its number is given out again.
 */
import type { Clock } from '#core/clock.ts';
import { GatewayError, toGatewayError } from '#core/errors.ts';
import {
  type AuditEvent,
  type EventDraft,
  type EventLog,
  type EventType,
  eventTypes,
} from '#core/events.ts';
import { type EpochMs, uuidv7 } from '#core/ids.ts';
import type { EventWriter } from '#core/ports/events.ts';
import type { Random } from '#core/random.ts';
import { catalogue } from './catalogue.ts';

/** Milliseconds that an event waits for company; a stored one is at most twice as old. */
const BATCH_MS = 25;
/** Events that are written at once. */
const BATCH_MAX = 5_000;
/** Milliseconds until a batch that could not be written is tried again. */
const RETRY_MS = 1_000;
/** Random bytes of an id, and ids' worth that is fetched at once: a call costs more than the bytes. */
const ID_BYTES = 10;
const ID_POOL = 256;

/** What the log works with. */
export interface EventLogParts {
  readonly writer: EventWriter;
  readonly clock: Clock;
  readonly random: Random;
  /** Events that may wait to be stored. */
  readonly queueMax: number;
  /** Told once per trouble with the writer, for the operator's log. */
  readonly onTrouble: (error: GatewayError) => void;
}

interface Waiting {
  readonly event: AuditEvent;
  readonly resolve: (event: AuditEvent) => void;
  readonly reject: (error: GatewayError) => void;
}

const allowedKeys: ReadonlyMap<EventType, ReadonlySet<string>> = new Map(
  eventTypes.map((type) => [type, new Set(Object.keys(catalogue[type].data.shape))]),
);

/** The event log of the process. */
export class QueuedEventLog implements EventLog {
  readonly #parts: EventLogParts;
  #next: number;
  #queue: AuditEvent[] = [];
  /** Taken from the queue and not yet stored; kept for another try when that failed. */
  #batch: readonly AuditEvent[] = [];
  #waiting: Waiting[] = [];
  #cancelTimer: (() => void) | undefined;
  #writing: Promise<void> | undefined;
  #closed = false;
  #troubled = false;
  #pool: Uint8Array;
  #pooled = 0;

  constructor(parts: EventLogParts) {
    this.#parts = parts;
    this.#pool = parts.random.bytes(ID_BYTES * ID_POOL);
    this.#next = parts.writer.lastNumber + 1;
  }

  /** Events that are not stored yet. */
  get backlog(): number {
    return this.#queue.length + this.#batch.length;
  }

  emit(draft: EventDraft): void {
    this.#take(draft);
    this.#cancelTimer ??= this.#parts.clock.after(BATCH_MS, () => this.#wake());
  }

  commit(draft: EventDraft): Promise<AuditEvent> {
    return new Promise((resolve, reject) => {
      this.#waiting.push({ event: this.#take(draft), resolve, reject });
      // Others that commit in this turn of the loop share the batch.
      queueMicrotask(() => this.#wake());
    });
  }

  /** Stores what waits and takes nothing more; for the end of the process. */
  async close(): Promise<void> {
    this.#closed = true;
    await this.#writing;
    while (this.backlog > 0 && !this.#troubled) {
      this.#wake();
      await this.#writing;
    }
    this.#cancelTimer?.();
    const lost = this.backlog;
    await this.#parts.writer.close();
    if (lost > 0) throw new GatewayError('SP_STORE', { detail: `${lost} events were not stored` });
  }

  #take(draft: EventDraft): AuditEvent {
    if (this.#closed) throw new GatewayError('SP_STORE', { detail: 'the event log is closed' });
    const { clock, queueMax } = this.#parts;
    // Fails closed: what cannot be told does not happen.
    if (this.backlog >= queueMax) {
      throw new GatewayError('SP_STORE', { detail: 'too many events wait to be stored' });
    }
    const at = clock.now();
    const event: AuditEvent = {
      number: this.#next,
      id: this.#newId(at),
      at,
      type: draft.type,
      actor: draft.actor,
      session: draft.session,
      target: draft.target,
      data: listed(draft.type, draft.data),
    };
    this.#next += 1;
    this.#queue.push(event);
    return event;
  }

  #newId(at: EpochMs): string {
    if (this.#pooled === ID_POOL) {
      this.#pool = this.#parts.random.bytes(ID_BYTES * ID_POOL);
      this.#pooled = 0;
    }
    const from = this.#pooled * ID_BYTES;
    this.#pooled += 1;
    return uuidv7(at, this.#pool.subarray(from, from + ID_BYTES));
  }

  #wake(): void {
    this.#cancelTimer?.();
    this.#cancelTimer = undefined;
    if (this.#writing !== undefined || this.backlog === 0) return;
    this.#writing = this.#write().then(() => {
      this.#writing = undefined;
      if (this.backlog === 0) return;
      const wait = this.#troubled ? RETRY_MS : this.#waiting.length > 0 ? 0 : BATCH_MS;
      this.#cancelTimer ??= this.#parts.clock.after(wait, () => this.#wake());
    });
  }

  async #write(): Promise<void> {
    if (this.#batch.length === 0) {
      const rest = this.#queue.splice(BATCH_MAX);
      this.#batch = this.#queue;
      this.#queue = rest;
    }
    try {
      await this.#parts.writer.append(this.#batch);
      const last = this.#batch.at(-1)?.number ?? 0;
      this.#batch = [];
      this.#troubled = false;
      const stored = this.#waiting.filter(({ event }) => event.number <= last);
      this.#waiting = this.#waiting.filter(({ event }) => event.number > last);
      for (const { event, resolve } of stored) resolve(event);
    } catch (thrown) {
      this.#fail(toGatewayError(thrown, 'SP_STORE'));
    }
  }

  /** Whoever waits is told at once; the events stay, and are tried again. */
  #fail(error: GatewayError): void {
    const waiting = this.#waiting;
    this.#waiting = [];
    for (const { reject } of waiting) reject(error);
    if (!this.#troubled) this.#parts.onTrouble(error);
    this.#troubled = true;
  }
}

/** `data` with what the catalogue lists; the names of other keys are kept, their values are not. */
function listed(
  type: EventType,
  data: Readonly<Record<string, unknown>>,
): Readonly<Record<string, unknown>> {
  const allowed = allowedKeys.get(type);
  let dropped: string[] | undefined;
  for (const key in data) {
    if (allowed?.has(key) !== true) dropped = [...(dropped ?? []), key];
  }
  if (dropped === undefined) return data;
  const unlisted = new Set(dropped);
  const kept = Object.entries(data).filter(([key]) => !unlisted.has(key));
  return { ...Object.fromEntries(kept), dropped };
}
