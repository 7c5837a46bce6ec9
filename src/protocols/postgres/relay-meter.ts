/**
 * Follows what runs under limits: counts what comes back, adds up what the server says that it
 * changed, and watches the time. One meter for a message: the statements of a text count together.
 *
 * Invariant: no row above a limit leaves, nor anything of the answer behind it.
 */
import type { Clock } from '#core/clock.ts';
import type { LimitName, Refusal } from '#core/verdict.ts';

/** What a meter stops at. */
export type Stop = Extract<LimitName, 'rowsReturned' | 'bytes' | 'time'>;

/** What has come back so far; of a portal that is run in pieces, of all of them. */
export interface Returned {
  rows: number;
  bytes: number;
}

export interface MeterParts {
  readonly returned: Returned;
  readonly rowsMax: number;
  readonly bytesMax: number;
  /** Undefined where time has no limit. */
  readonly msMax: number | undefined;
  readonly clock: Clock;
  /** Says what the sender is told. */
  readonly refusal: (limit: Stop, found: number) => Refusal;
  /** Cancels what the server runs. */
  readonly cancel: () => void;
}

/** A cancel may be lost on its way: after that long it is sent again. */
const AGAIN_MS = 5_000;

/** What the server calls a statement that was cancelled. */
const cancelledState = '57014';

export class Meter {
  readonly #parts: MeterParts;
  #changed = 0;
  #refusal: Refusal | undefined;
  #late: Refusal | undefined;
  #disarm: (() => void) | undefined;

  constructor(parts: MeterParts) {
    this.#parts = parts;
  }

  /** Why nothing more of the answer leaves; undefined while it does. */
  get refusal(): Refusal | undefined {
    return this.#refusal;
  }

  /** Rows that the server's command tags said were changed. */
  get changed(): number {
    return this.#changed;
  }

  /** The server is about to have it: its time begins. */
  start(): void {
    const { msMax, clock, refusal } = this.#parts;
    if (msMax === undefined) return;
    this.#disarm = clock.after(msMax, () => {
      this.#late = refusal('time', msMax);
      this.#cancel();
    });
  }

  #cancel(): void {
    this.#parts.cancel();
    this.#disarm = this.#parts.clock.after(AGAIN_MS, () => this.#cancel());
  }

  /** Whether a row of that many bytes may still leave; the first that may not stops it all. */
  admits(bytes: number): boolean {
    if (this.#refusal !== undefined) return false;
    const { rowsMax, bytesMax, returned } = this.#parts;
    if (returned.rows >= rowsMax) this.#stop('rowsReturned', returned.rows + 1);
    else if (returned.bytes + bytes > bytesMax) this.#stop('bytes', returned.bytes + bytes);
    return this.#refusal === undefined;
  }

  #stop(limit: Stop, found: number): void {
    this.#refusal = this.#parts.refusal(limit, found);
    this.#cancel();
  }

  /** A row has left. */
  count(bytes: number): void {
    const { returned } = this.#parts;
    returned.rows += 1;
    returned.bytes += bytes;
  }

  /** A statement is complete, with its command tag. */
  completed(tag: string): void {
    const words = tag.split(' ');
    const count = Number(words.at(-1));
    if (writing.has(words[0] ?? '') && Number.isSafeInteger(count)) this.#changed += count;
  }

  /** A statement failed: what its sender is told in place of the server's words, if anything. */
  failed(sqlstate: string): Refusal | undefined {
    this.end();
    return this.#refusal ?? (sqlstate === cancelledState ? this.#late : undefined);
  }

  /** It is over: nothing is watched any more. */
  end(): void {
    this.#disarm?.();
    this.#disarm = undefined;
  }
}

/** Tags whose number is one of rows that were changed. */
const writing: ReadonlySet<string> = new Set(['INSERT', 'UPDATE', 'DELETE', 'MERGE', 'COPY']);
