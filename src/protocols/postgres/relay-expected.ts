/**
 * What the server still owes: one entry for each message that it will answer, in order. The
 * server's own rules decide what happens to them: an error in the extended protocol makes it skip
 * everything up to the next Sync, and so are the entries dropped here.
 */
import type { MaskSet } from '#core/masking.ts';
import type { Refusal } from '#core/verdict.ts';
import type { Catalogue } from './sql/catalogue.ts';
import type { SqlStatement } from './sql/types.ts';
import type { Meter } from './relay-meter.ts';
import type { ResultFormats } from './codec/read.ts';
import type { Description, RowPlan } from './results.ts';

export type ExpectedKind = 'query' | 'parse' | 'bind' | 'describe' | 'execute' | 'close' | 'sync';

/** Whoever may be told the columns of a result. */
export interface Described {
  description: Description | undefined;
  /** The plan of its last execution, and all that it was made from. */
  planned?: Planned | undefined;
  /** Its last RowDescription as the server sent it: drivers ask for the same one each time. */
  seen?: { readonly bytes: Uint8Array; readonly description: Description } | undefined;
}

export interface Planned {
  readonly plan: RowPlan;
  readonly catalogue: Catalogue;
  readonly statement: SqlStatement;
  readonly formats: ResultFormats | undefined;
  readonly description: Description;
}

/** A statement whose rows and messages are on their way, and how they were asked for. */
export interface Running extends Described {
  readonly statement: SqlStatement;
  /** The masks that the statement was analysed under. */
  readonly masks: MaskSet;
  /** Masks that an approval lifted for it; those of its latest permit. */
  lifted: readonly string[];
  /** From the Bind; undefined where the row description says it (simple queries). */
  readonly formats: ResultFormats | undefined;
  /** The prepared statement that it runs, which may have been described in its place. */
  readonly prepared: Described | undefined;
  /** Another session changed definitions after it was sent: what was found may not hold. */
  isDoubtful: boolean;
  /** Made when its first row comes, and again when the masks change. */
  plan: RowPlan | undefined;
}

export const running = (
  statement: SqlStatement,
  how: {
    readonly masks: MaskSet;
    readonly lifted?: readonly string[];
    readonly formats?: ResultFormats;
    readonly prepared?: Described;
  },
): Running => ({
  statement,
  masks: how.masks,
  lifted: how.lifted ?? [],
  formats: how.formats,
  prepared: how.prepared,
  description: undefined,
  isDoubtful: false,
  plan: undefined,
});

/** The columns of a result, as its portal or its statement was described. */
export const descriptionOf = (item: Running): Description | undefined =>
  item.description ?? item.prepared?.description;

/** A query of the gateway's own; nothing of its answer reaches the client. */
export interface OwnQuery {
  row(cells: readonly (string | null)[]): void;
  failed(sqlstate: string): void;
  /** The server is ready again. */
  done(): void;
}

/** What is done to a map of names when the server has confirmed it, or has skipped it. */
export interface Settlement {
  confirmed(): void;
  dropped(): void;
}

export class Expected {
  readonly kind: ExpectedKind;
  /** Counts Syncs and simple queries: what one segment sends stands or falls together. */
  readonly segment: number;
  /** What other sessions had done to the catalogue when it was sent. */
  readonly generation: number;
  /** The client's message was not sent but one that fails; its error becomes this. */
  refusal: Refusal | undefined;
  /** In order; more than one for a simple query of several statements. */
  statements: readonly Running[] = NONE;
  /** The text that they stand in, as the server holds it. */
  source = '';
  /** Which of the statements the server is at. */
  at = 0;
  settlement: Settlement | undefined;
  /** Called with the row description or undefined for none. */
  described: ((description: Description | undefined) => void) | undefined;
  /** Called with the parameter types that the server chose. */
  typed: ((types: readonly number[]) => void) | undefined;
  /** A call by the fast path, which alone may be answered by FunctionCallResponse. */
  isCall = false;
  /** The answer is not the client's: the gateway asked. */
  hidden = false;
  own: OwnQuery | undefined;
  /** Its error is the client's although it answers the gateway: a COMMIT that fails. */
  tells = false;
  /** Follows what runs under limits. */
  meter: Meter | undefined;
  /** The server gave an error for it. */
  errored = false;
  /** The client is told that the server is ready when the gateway says so. */
  isReadyHidden = false;

  constructor(kind: ExpectedKind, segment: number, generation: number) {
    this.kind = kind;
    this.segment = segment;
    this.generation = generation;
  }

  get running(): Running | undefined {
    return this.statements[this.at];
  }
}

const NONE: readonly Running[] = [];

/** First in, first out, without moving the rest at each step. */
export class ExpectedQueue {
  #items: (Expected | undefined)[] = [];
  #head = 0;

  get length(): number {
    return this.#items.length - this.#head;
  }

  get first(): Expected | undefined {
    return this.#items[this.#head];
  }

  /** The one behind the first by `offset`. */
  at(offset: number): Expected | undefined {
    return this.#items[this.#head + offset];
  }

  push(item: Expected): void {
    this.#items.push(item);
  }

  shift(): Expected | undefined {
    const item = this.#items[this.#head];
    this.#items[this.#head] = undefined;
    this.#head += 1;
    if (this.#head >= this.#items.length) {
      this.#items.length = 0;
      this.#head = 0;
    } else if (this.#head > 1024 && this.#head * 2 > this.#items.length) {
      this.#items = this.#items.slice(this.#head);
      this.#head = 0;
    }
    return item;
  }

  /** Takes out the one behind the first by `offset`. */
  remove(offset: number): void {
    this.#items.splice(this.#head + offset, 1);
  }
}
