/**
 * Identifiers made of letters and digits in groups: finds the groups around an anchor and asks
 * which shapes fit them. `4111 1111 1111 1111` and `12345678-Z` are groups joined by one sign.
 */
import { classes, classOf, isDigit, isHex, isHigh, isJoint, isLetter, isWord } from './bytes.ts';
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
const DOT = 46;
/** From this confidence on a shape and its check digits are enough wherever they stand. */
const CLEAR = 0.95;

/** Finds identifiers; one per scanner. */
export class TokenFinder {
  readonly #context: Context = new Context();
  readonly #starts: Int32Array = new Int32Array(GROUPS_MAX);
  readonly #ends: Int32Array = new Int32Array(GROUPS_MAX);
  readonly #digits: Int32Array = new Int32Array(GROUPS_MAX);
  readonly #compact: Uint8Array = new Uint8Array(COMPACT_MAX + 32);
  /** For which places the context was read last; that costs more than anything else here. */
  #contextAt: number = 0;
  #contextUntil: number = 0;
  /** The best that is known of the groups in question: a detector, and how sure it is. */
  #best: number = -1;
  #bestConfidence: number = 0;
  /** Groups in the table. */
  #count: number = 0;
  /** Up to where groups have been looked at. */
  #done: number = 0;

  reset(scan: Scan): void {
    this.#contextUntil = 0;
    this.#count = 0;
    this.#done = scan.start;
  }

  /** Looks for identifiers around `at`, which is in a token. */
  find(scan: Scan, at: number): void {
    if (at < this.#done) return;
    let from = at;
    while (from > scan.start && at - from < COMPACT_MAX && !scan.isStart(from)) from -= 1;
    if (isInUuid(scan, from)) return;
    from = this.#withPrefix(scan, from);
    while (!scan.exhausted) {
      const count = this.#split(scan, from);
      scan.spend(16 + (this.#done - from));
      // When the table is full the last groups are looked at again, with what follows them.
      const isFull = count === GROUPS_MAX;
      const until = isFull ? GROUPS_MAX / 2 : count;
      let first = 0;
      while (first < until) {
        const last = this.#longestFrom(scan, first, count);
        first = last < 0 ? first + 1 : last + 1;
      }
      if (!isFull || first >= count) return;
      from = this.#starts[first] ?? this.#done;
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
    while (count < GROUPS_MAX) {
      const start = here;
      let digits = 0;
      let kinds = 0;
      for (; here < end; here += 1) {
        const kind = classes[bytes[here] ?? 0] ?? 0;
        if ((kind & isWord) === 0) break;
        kinds |= kind;
        digits += kind & isDigit;
      }
      const length = here - start;
      const isText = (kinds & isHigh) !== 0 || (digits === 0 && length >= WORD_MIN);
      if (length === 0 || isText) break;
      this.#starts[count] = start;
      this.#ends[count] = here;
      this.#digits[count] = digits;
      count += 1;
      const isJoined =
        (classOf(bytes, here) & isJoint) !== 0 &&
        here + 1 < end &&
        (classOf(bytes, here + 1) & isWord) !== 0;
      if (!isJoined) break;
      here += 1;
    }
    this.#done = Math.max(this.#done, here);
    this.#count = count;
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
    const { free, near, freeLengths } = scan.plan.byCount;
    // Most places have no words before them that name anything; then only clear shapes count.
    const isUnnamed = this.isUnnamed(scan, this.#starts[first] ?? 0);
    for (last -= 1; last >= first; last -= 1) {
      if (!isUnnamed || freeLengths[length] === 1) {
        const key = countKey(length, digits);
        const named = isUnnamed ? undefined : near[key];
        if (this.#fits(scan, free[key], named, first, last)) return last;
      }
      length -= (lengths[last] ?? 0) - (this.#starts[last] ?? 0);
      digits -= this.#digits[last] ?? 0;
    }
    return -1;
  }

  #fits(
    scan: Scan,
    free: readonly ShapeEntry[] | undefined,
    near: readonly ShapeEntry[] | undefined,
    first: number,
    last: number,
  ): boolean {
    this.#best = -1;
    this.#bestConfidence = 0;
    if (free !== undefined) this.#judgeAll(scan, free, first, last);
    if (near !== undefined) this.#judgeAll(scan, near, first, last);
    if (this.#best < 0) return false;
    scan.add(this.#starts[first] ?? 0, this.#ends[last] ?? 0, this.#best, this.#bestConfidence);
    return true;
  }

  #judgeAll(scan: Scan, entries: readonly ShapeEntry[], first: number, last: number): void {
    scan.spend(4 * entries.length);
    for (const entry of entries) {
      const confidence = this.#judge(scan, entry, first, last);
      if (confidence <= this.#bestConfidence) continue;
      this.#best = entry.detector;
      this.#bestConfidence = confidence;
    }
  }

  /** How sure it is that the groups are what `entry` says; 0 when they are not. */
  #judge(scan: Scan, entry: ShapeEntry, first: number, last: number): number {
    const start = this.#starts[first] ?? 0;
    const end = this.#ends[last] ?? 0;
    if (matchShape(entry.shape, scan.bytes, start, end) !== end) return 0;
    const strength = this.contextOf(scan, start, entry.detector);
    if (entry.needsName && strength === noContext) return 0;
    const confidence = detectors[entry.detector]?.confidence ?? 0;
    const isSure = confidence >= CLEAR || strength === strongContext;
    if (!this.#isAlone(scan, first, last, isSure)) return 0;
    // In free text even a clear word is no proof, so the check digits must hold.
    if (!this.passes(scan, entry.detector, start, end)) return 0;
    return Math.min(1, confidence + 0.05 * strength);
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

  /** Whether neither the column nor the words before `start` name anything. */
  isUnnamed(scan: Scan, start: number): boolean {
    if (scan.hint === 0 && start < scan.start + 2) return true;
    this.#readContext(scan, start);
    return this.#context.isEmpty;
  }

  /** How far the column and the words before `start` speak for `detector`. */
  contextOf(scan: Scan, start: number, detector: number): number {
    return this.isUnnamed(scan, start) ? noContext : this.#context.of(detector);
  }

  #readContext(scan: Scan, start: number): void {
    if (start >= this.#contextAt && start < this.#contextUntil) return;
    this.#context.read(scan, start);
    this.#contextAt = start;
    this.#contextUntil = start + 1;
    // Groups with digits have no words between them, so they have one context.
    for (let group = 0; group < this.#count; group += 1) {
      if ((this.#starts[group] ?? 0) < start) continue;
      if ((this.#starts[group] ?? 0) > this.#contextUntil + 1 || this.#digits[group] === 0) break;
      this.#contextUntil = this.#ends[group] ?? start;
    }
  }

  /**
   * Whether the groups stand by themselves. An identifier inside a longer one of the same kind is
   * part of that: twelve digits of a sixteen-digit number are no Aadhaar.
   *
   * @param isSure - what was found is seldom found by chance, or is named: more may stand around.
   */
  #isAlone(scan: Scan, first: number, last: number, isSure: boolean): boolean {
    const before = scan.byte((this.#starts[first] ?? 0) - 1);
    const after = scan.byte(this.#ends[last] ?? 0);
    if (after === 64 || after === 95) return false;
    const isSpaced = last > first && scan.byte(this.#ends[first] ?? 0) === SPACE;
    const digitsBefore = first > 0 && (this.#digits[first - 1] ?? 0) > 0;
    const digitsAfter = last + 1 < this.#count && (this.#digits[last + 1] ?? 0) > 0;
    if (last + 1 < this.#count) {
      if (after === SPACE ? isSpaced && digitsAfter && !isSure : digitsAfter || after !== DOT) {
        return false;
      }
    }
    if (first === 0) return this.#isFreeBefore(scan, before, isSure);
    if (before === SPACE) return !(isSpaced && digitsBefore && !isSure);
    return isSure && !digitsBefore;
  }

  #isFreeBefore(scan: Scan, before: number, isSure: boolean): boolean {
    // A hyphen, dot or slash that joins it to something in front: the end of a longer identifier.
    if (before !== HYPHEN && before !== DOT && before !== 47 && before !== 35) return true;
    const joined = classOf(scan.bytes, (this.#starts[0] ?? 0) - 2);
    if ((this.#starts[0] ?? 0) - 2 < scan.start || (joined & isWord) === 0) return true;
    return isSure && (joined & isDigit) === 0;
  }
}

/** Whether a group of a UUID starts at `at`. The kernel leaves out those that it sees whole. */
function isInUuid(scan: Scan, at: number): boolean {
  if (scan.end - scan.start < 36) return false;
  if (scan.byte(at + 8) === HYPHEN && isUuid(scan, at)) return true;
  if (scan.byte(at - 1) !== HYPHEN) return false;
  return (
    isUuid(scan, at - 9) || isUuid(scan, at - 14) || isUuid(scan, at - 19) || isUuid(scan, at - 24)
  );
}

function isUuid(scan: Scan, start: number): boolean {
  if (scan.byte(start + 13) !== HYPHEN || scan.byte(start + 18) !== HYPHEN) return false;
  if (!scan.isStart(start) || !scan.isEnd(start + 36)) return false;
  for (let i = 0; i < 36; i += 1) {
    const isSign = i === 8 || i === 13 || i === 18 || i === 23;
    // Outside of the text there is no byte, so neither a digit nor a hyphen.
    const byte = scan.byte(start + i);
    if (isSign ? byte !== HYPHEN : ((classes[byte] ?? 0) & isHex) === 0) return false;
  }
  return true;
}
