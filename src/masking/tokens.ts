/**
 * Identifiers made of letters and digits in groups: finds the groups around an anchor and asks
 * which shapes fit them. `4111 1111 1111 1111` and `12345678-Z` are groups joined by one sign.
 */
import { classOf, isDigit, isHigh, isJoint, isLetter, isWord } from './bytes.ts';
import { Context, noContext, strongContext } from './context.ts';
import { detectors } from './detectors/table.ts';
import { countKey, type ShapeEntry } from './plan.ts';
import type { Scan } from './scan.ts';
import { matchShape } from './shape.ts';

/** Groups that are looked at together. */
const GROUPS_MAX = 12;
/** Characters of the longest identifier that is made of groups. */
const COMPACT_MAX = 48;
/** A group of letters this long is a word, and ends the identifier before it. */
const WORD_MIN = 4;

const SPACE = 32;
const HYPHEN = 45;

/** Finds identifiers; one per scanner. */
export class TokenFinder {
  readonly context: Context = new Context();
  readonly #starts: Int32Array = new Int32Array(GROUPS_MAX);
  readonly #ends: Int32Array = new Int32Array(GROUPS_MAX);
  readonly #digits: Int32Array = new Int32Array(GROUPS_MAX);
  readonly #compact: Uint8Array = new Uint8Array(COMPACT_MAX + 32);
  /** Where the context was read last; reading it costs more than anything else here. */
  #contextAt: number = -1;
  /** Up to where groups have been looked at. */
  #done: number = 0;

  reset(scan: Scan): void {
    this.#contextAt = -1;
    this.#done = scan.start;
  }

  /** Looks for identifiers around `at`, which is in a token. */
  find(scan: Scan, at: number): void {
    let from = at;
    while (from > scan.start && at - from < COMPACT_MAX && !scan.isStart(from)) from -= 1;
    from = this.#withPrefix(scan, from);
    if (from < this.#done) return;
    const count = this.#split(scan, from);
    scan.spend(16 + (this.#done - from));
    for (let first = 0; first < count; ) {
      const last = this.#longestFrom(scan, first, count);
      first = last < 0 ? first + 1 : last + 1;
      if (scan.exhausted) return;
    }
  }

  /** `AB 12 34 56 C` and `X-1234567-L` start with letters of their own. */
  #withPrefix(scan: Scan, from: number): number {
    const sign = scan.byte(from - 1);
    if (sign !== SPACE && sign !== HYPHEN) return from;
    const most = sign === SPACE ? 2 : 4;
    let start = from - 1;
    while (from - 1 - start <= most && (classOf(scan.bytes, start - 1) & isLetter) !== 0)
      start -= 1;
    const length = from - 1 - start;
    const isPrefix = length > 0 && length <= most && (sign === HYPHEN || length === 2);
    return isPrefix && start >= scan.start && scan.isStart(start) ? start : from;
  }

  /** Fills the table of groups from `from` on and returns how many there are. */
  #split(scan: Scan, from: number): number {
    const { bytes, end } = scan;
    let here = from;
    let count = 0;
    let total = 0;
    while (count < GROUPS_MAX) {
      const start = here;
      let digits = 0;
      let kinds = 0;
      while (here < end && (classOf(bytes, here) & isWord) !== 0) {
        const kind = classOf(bytes, here);
        kinds |= kind;
        if ((kind & isDigit) !== 0) digits += 1;
        here += 1;
      }
      const length = here - start;
      const isText = (kinds & isHigh) !== 0 || (digits === 0 && length >= WORD_MIN);
      if (length === 0 || isText) break;
      this.#starts[count] = start;
      this.#ends[count] = here;
      this.#digits[count] = digits;
      count += 1;
      total += length;
      const isJoined =
        (classOf(bytes, here) & isJoint) !== 0 &&
        here + 1 < end &&
        (classOf(bytes, here + 1) & isWord) !== 0;
      // A group at the end of the table may continue an identifier: begin with it next time.
      if (!isJoined || total > COMPACT_MAX) break;
      here += 1;
    }
    this.#done = Math.max(this.#done, here);
    return count;
  }

  /** Adds the longest identifier that starts with group `first`; returns its last group or -1. */
  #longestFrom(scan: Scan, first: number, count: number): number {
    let length = 0;
    let digits = 0;
    let last = first;
    const lengths = this.#ends;
    for (; last < count && length <= COMPACT_MAX; last += 1) {
      length += (lengths[last] ?? 0) - (this.#starts[last] ?? 0);
      digits += this.#digits[last] ?? 0;
    }
    for (last -= 1; last >= first; last -= 1) {
      const entries = scan.plan.byCount.get(countKey(length, digits));
      if (entries !== undefined && this.#fits(scan, entries, first, last, count)) return last;
      length -= (lengths[last] ?? 0) - (this.#starts[last] ?? 0);
      digits -= this.#digits[last] ?? 0;
    }
    return -1;
  }

  #fits(
    scan: Scan,
    entries: readonly ShapeEntry[],
    first: number,
    last: number,
    count: number,
  ): boolean {
    const start = this.#starts[first] ?? 0;
    const end = this.#ends[last] ?? 0;
    let best: ShapeEntry | undefined;
    let bestConfidence = 0;
    for (const entry of entries) {
      scan.spend(4);
      if (entry.needsName && !this.#mayHaveContext(scan, start)) continue;
      if (matchShape(entry.shape, scan.bytes, start, end) !== end) continue;
      const strength = this.#contextOf(scan, start, entry.detector);
      if (entry.needsName && strength === noContext) continue;
      if (!this.#isAlone(scan, first, last, count, strength)) continue;
      const detector = detectors[entry.detector];
      // In free text even a clear word is no proof, so the check digits must hold.
      if (detector === undefined || !this.passes(scan, entry.detector, start, end)) continue;
      const confidence = Math.min(1, detector.confidence + 0.05 * strength);
      if (confidence <= bestConfidence) continue;
      best = entry;
      bestConfidence = confidence;
    }
    if (best === undefined) return false;
    scan.add(start, end, best.detector, bestConfidence);
    return true;
  }

  /** Whether the check digits of a detector hold for the text between `start` and `end`. */
  passes(scan: Scan, number: number, start: number, end: number): boolean {
    const detector = detectors[number];
    if (detector?.checkExact !== undefined && !detector.checkExact(scan.bytes, start, end)) {
      return false;
    }
    if (detector?.check === undefined) return true;
    let length = 0;
    for (let at = start; at < end && length < COMPACT_MAX; at += 1) {
      const byte = scan.bytes[at] ?? 0;
      if ((classOf(scan.bytes, at) & isWord) === 0) continue;
      this.#compact[length] = byte >= 97 && byte <= 122 ? byte & 0xdf : byte;
      length += 1;
    }
    scan.spend(length);
    return detector.check(this.#compact, length);
  }

  #mayHaveContext(scan: Scan, start: number): boolean {
    return scan.hint !== 0 || start > scan.start;
  }

  #contextOf(scan: Scan, start: number, detector: number): number {
    if (!this.#mayHaveContext(scan, start)) return noContext;
    if (this.#contextAt !== start) {
      this.context.read(scan, start);
      this.#contextAt = start;
    }
    return this.context.of(detector);
  }

  /**
   * Whether the groups stand by themselves. An identifier inside a longer one of the same kind is
   * part of that: twelve digits of a sixteen-digit number are no Aadhaar.
   */
  #isAlone(scan: Scan, first: number, last: number, count: number, strength: number): boolean {
    const before = scan.byte((this.#starts[first] ?? 0) - 1);
    const after = scan.byte(this.#ends[last] ?? 0);
    const isSpaced = last > first && scan.byte(this.#ends[first] ?? 0) === SPACE;
    const digitsBefore = first > 0 && (this.#digits[first - 1] ?? 0) > 0;
    const digitsAfter = last + 1 < count && (this.#digits[last + 1] ?? 0) > 0;
    const isNamed = strength === strongContext;
    if (first > 0 && (before === SPACE ? isSpaced && digitsBefore && !isNamed : !isNamed))
      return false;
    if (last + 1 < count) {
      if (after === SPACE ? isSpaced && digitsAfter && !isNamed : digitsAfter || after !== 46)
        return false;
    }
    if (first === 0 && !this.#isFreeBefore(scan, before, strength)) return false;
    return after !== 64 && after !== 95;
  }

  #isFreeBefore(scan: Scan, before: number, strength: number): boolean {
    // A hyphen, dot or slash that joins it to something in front: the end of a longer identifier.
    if (before !== 45 && before !== 46 && before !== 47 && before !== 35) return true;
    if (strength === strongContext) return true;
    const joined = (this.#starts[0] ?? 0) - 2;
    return joined < scan.start || (classOf(scan.bytes, joined) & isWord) === 0;
  }
}
