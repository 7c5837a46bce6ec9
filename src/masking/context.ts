/**
 * The words before a value: "NHS number", "mi DNI es", `ssn=`. Looks back over a few words of the
 * same line and asks the dictionary which kinds they name.
 */
import { classes, isHigh, isLetter, isLower, isUpper, isWord } from './bytes.ts';
import { detectors } from './detectors/table.ts';
import { baseLetters, hashStart, hashStep, mayEndPhrase, phrasesByHash } from './dictionary.ts';
import type { Scan } from './scan.ts';

const LOOK_BACK_BYTES = 64;
const WORDS_MAX = 7;
const PHRASE_WORDS = 5;

/** How far the words before a place speak for each detector. */
export const noContext = 0;
/** Named, but ambiguously. */
export const weakContext = 1;
export const strongContext = 2;

/** The context of one place in a text. */
export class Context {
  readonly #strength: Uint8Array = new Uint8Array(detectors.length);
  readonly #wordStarts: Int32Array = new Int32Array(WORDS_MAX);
  readonly #wordEnds: Int32Array = new Int32Array(WORDS_MAX);
  /** Whether nothing is named at all: the usual case. */
  isEmpty: boolean = true;

  /** How far the words before the place of {@link read} speak for `detector`. */
  of(detector: number): number {
    return this.#strength[detector] ?? noContext;
  }

  /** Reads the words before `at`, and what the column says. */
  read(scan: Scan, at: number): void {
    if (!this.isEmpty) this.#strength.fill(noContext);
    this.isEmpty = true;
    if (scan.hint !== 0) {
      for (const { detector, weak } of scan.plan.hints(scan.hint).hints) {
        this.#note(detector, weak);
      }
    }
    if (at > scan.start) this.#readWords(scan, at);
  }

  #note(detector: number, weak: boolean): void {
    this.isEmpty = false;
    const strength = weak ? weakContext : strongContext;
    if ((this.#strength[detector] ?? 0) < strength) this.#strength[detector] = strength;
  }

  #readWords(scan: Scan, at: number): void {
    const { bytes } = scan;
    const from = Math.max(scan.start, at - LOOK_BACK_BYTES);
    let count = 0;
    // Words nearer than the nearest other number: a phrase must have one of them in it, because
    // what stands before that number speaks for that number.
    let near = WORDS_MAX;
    let here = at;
    while (here > from && count < WORDS_MAX) {
      let kind = classes[bytes[here - 1] ?? 0] ?? 0;
      if ((kind & isWord) === 0) {
        if (bytes[here - 1] === 10) break;
        here -= 1;
        continue;
      }
      const end = here;
      let kinds = kind;
      here -= 1;
      while (here > from) {
        const before = classes[bytes[here - 1] ?? 0] ?? 0;
        // A capital after a small letter starts a word: `customerSsn=`.
        const isHump = (before & isLower) !== 0 && (kind & isUpper) !== 0;
        if ((before & isWord) === 0 || isHump) break;
        kind = before;
        kinds |= before;
        here -= 1;
      }
      if ((kinds & (isLetter | isHigh)) === 0) {
        if (near === WORDS_MAX && count > 0) near = count;
        continue;
      }
      this.#wordStarts[count] = here;
      this.#wordEnds[count] = end;
      count += 1;
    }
    scan.spend(at - here + 2);
    this.#matchPhrases(scan, count, near);
  }

  #matchPhrases(scan: Scan, count: number, near: number): void {
    const { bytes } = scan;
    for (let last = 0; last < Math.min(count, near); last += 1) {
      const end = hashWord(
        bytes,
        this.#wordStarts[last] ?? 0,
        this.#wordEnds[last] ?? 0,
        hashStart,
      );
      if (!mayEndPhrase(end)) continue;
      for (let words = 1; words <= PHRASE_WORDS && last + words <= count; words += 1) {
        let hash = hashStart;
        for (let word = last + words - 1; word >= last; word -= 1) {
          hash = hashWord(bytes, this.#wordStarts[word] ?? 0, this.#wordEnds[word] ?? 0, hash);
        }
        const hints = phrasesByHash.get(hash);
        if (hints === undefined) continue;
        for (const { detector, weak } of hints) this.#note(detector, weak);
      }
      scan.spend(16);
    }
  }
}

/** Goes on hashing with a word, folded as the dictionary's phrases are. */
export function hashWord(bytes: Uint8Array, start: number, end: number, from: number): number {
  let hash = from;
  for (let at = start; at < end; at += 1) {
    const byte = bytes[at] ?? 0;
    if (byte >= 0xc3 && byte <= 0xc5 && at + 1 < end) {
      const base = baseLetters[((byte & 0x1f) << 6) | ((bytes[at + 1] ?? 0) & 0x3f)] ?? 0;
      if (base !== 0) {
        hash = hashStep(hash, base);
        at += 1;
        continue;
      }
    }
    hash = hashStep(hash, byte >= 65 && byte <= 90 ? byte | 0x20 : byte);
  }
  return hash;
}
