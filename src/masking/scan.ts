/**
 * One text under examination: its bytes, what is known of it, and what has been found in it. The
 * recognisers read it and add to it; there is one per scanner, used again for every text.
 *
 * Invariant: the work spent on a text is bounded by its length. A text that asks for more is
 * `exhausted`, and its owner masks all of it.
 */
import { isWord, classOf } from './bytes.ts';
import type { Plan } from './plan.ts';

/** Findings that one text may have; more exhausts it. */
const SPANS_MAX = 4_096;
/** Steps of recognisers (about a byte each) per byte of text, and for every text. */
const WORK_PER_BYTE = 48;
const WORK_BASE = 20_000;

const SUSPECTS_MAX = 64;
/** How near another finding must be to make a suspect one. */
const COMPANY_BYTES = 400;

interface Suspect {
  readonly start: number;
  readonly end: number;
  readonly detector: number;
  readonly confidence: number;
}

/** The findings of one text, as parallel arrays; sorted and disjoint after {@link Scan.settle}. */
export class Scan {
  readonly plan: Plan;
  bytes: Uint8Array = new Uint8Array(0);
  start: number = 0;
  end: number = 0;
  /** Number of the column's hints in the plan; 0 for none. */
  hint: number = 0;
  /** How many findings there are. */
  count: number = 0;
  exhausted: boolean = false;
  /** Up to where lists have been read for the keys before them. */
  listsRead: number = 0;
  readonly starts: Int32Array = new Int32Array(SPANS_MAX);
  readonly ends: Int32Array = new Int32Array(SPANS_MAX);
  readonly found: Int16Array = new Int16Array(SPANS_MAX);
  readonly confidence: Float32Array = new Float32Array(SPANS_MAX);
  readonly #suspects: Suspect[] = [];
  #work: number = 0;

  constructor(plan: Plan) {
    this.plan = plan;
  }

  /** Starts on another text. */
  reset(bytes: Uint8Array, start: number, end: number, hint: number): void {
    this.bytes = bytes;
    this.start = start;
    this.end = end;
    this.hint = hint;
    this.count = 0;
    this.exhausted = false;
    this.listsRead = 0;
    if (this.#suspects.length > 0) this.#suspects.length = 0;
    this.#work = WORK_BASE + WORK_PER_BYTE * (end - start);
  }

  /** Pays for `steps`; false when the text has used up its share. */
  spend(steps: number): boolean {
    this.#work -= steps;
    if (this.#work < 0) this.exhausted = true;
    return this.#work >= 0;
  }

  /** Adds a finding, unless the policy does not ask for its kind. */
  add(start: number, end: number, detector: number, confidence: number): void {
    if (end <= start || this.plan.enabled[detector] !== 1) return;
    if (this.count === SPANS_MAX) {
      this.exhausted = true;
      return;
    }
    this.starts[this.count] = start;
    this.ends[this.count] = end;
    this.found[this.count] = detector;
    this.confidence[this.count] = confidence;
    this.count += 1;
  }

  /**
   * Notes a finding that counts only if the text has another one: `"name":"Red Chair"` is a
   * product, next to an e-mail address it is a customer.
   */
  suspect(start: number, end: number, detector: number, confidence: number): void {
    if (this.#suspects.length < SUSPECTS_MAX) {
      this.#suspects.push({ start, end, detector, confidence });
    }
  }

  /** Adds the suspects that have company. */
  confirm(): void {
    const { count } = this;
    for (const { start, end, detector, confidence } of this.#suspects) {
      for (let i = 0; i < count; i += 1) {
        const distance = Math.max((this.starts[i] ?? 0) - end, start - (this.ends[i] ?? 0));
        if (distance < COMPANY_BYTES) {
          this.add(start, end, detector, confidence);
          break;
        }
      }
    }
  }

  /** Whether a token may start at `at`: nothing that continues a word stands before it. */
  isStart(at: number): boolean {
    return at <= this.start || (classOf(this.bytes, at - 1) & isWord) === 0;
  }

  /** Whether a token may end before `at`. */
  isEnd(at: number): boolean {
    return at >= this.end || (classOf(this.bytes, at) & isWord) === 0;
  }

  /** The byte at `at`; 0 outside of the text. */
  byte(at: number): number {
    return at >= this.start && at < this.end ? (this.bytes[at] ?? 0) : 0;
  }

  /** A piece as characters of one byte each; for messages and short comparisons. */
  latin1(start: number, end: number): string {
    let text = '';
    for (let at = start; at < end; at += 1) text += String.fromCharCode(this.bytes[at] ?? 0);
    return text;
  }

  /**
   * Puts the findings in order and joins those that overlap: the most certain gives its name, all
   * of them together the range, so that nothing that any of them found stays.
   */
  settle(): void {
    if (this.count < 2) return;
    const order = Array.from({ length: this.count }, (_, i) => i).sort(
      (a, b) =>
        this.#at(this.starts, a) - this.#at(this.starts, b) ||
        this.#at(this.ends, b) - this.#at(this.ends, a),
    );
    const rows = order.map((i) => ({
      start: this.#at(this.starts, i),
      end: this.#at(this.ends, i),
      found: this.#at(this.found, i),
      confidence: this.confidence[i] ?? 0,
    }));
    this.count = 0;
    const [first, ...rest] = rows;
    if (first === undefined) return;
    let open = first;
    for (const next of rest) {
      if (next.start >= open.end) {
        this.add(open.start, open.end, open.found, open.confidence);
        open = next;
        continue;
      }
      const { found, confidence } = next.confidence > open.confidence ? next : open;
      open = { start: open.start, end: Math.max(open.end, next.end), found, confidence };
    }
    this.add(open.start, open.end, open.found, open.confidence);
  }

  #at(list: Int32Array | Int16Array, index: number): number {
    return list[index] ?? 0;
  }
}
