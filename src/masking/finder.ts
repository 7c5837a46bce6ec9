/**
 * The engine: asks the kernel where to look, and the recognisers what is there. One per set of
 * detectors; synchronous; makes nothing on the heap for a text in which nothing is found.
 */
import { classOf, isDigit } from './bytes.ts';
import { detectors } from './detectors/table.ts';
import { findEmail } from './email.ts';
import {
  anchor,
  Kernel,
  seenBackslash,
  seenEscape,
  seenHigh,
  WINDOW_BYTES,
} from './kernel/kernel.ts';
import { KeyFinder } from './keys.ts';
import { findColons, findIpv4 } from './network.ts';
import { findNameBefore, findNamesInRow } from './people.ts';
import { findPattern } from './patterns.ts';
import { PhoneFinder } from './phone.ts';
import { indexOf, type Plan, type ShapeEntry } from './plan.ts';
import { Scan } from './scan.ts';
import { matchShape } from './shape.ts';
import { TokenFinder } from './tokens.ts';
import { WordFinder } from './words.ts';

/** Windows overlap by this much, so that no anchor is cut: none is longer. */
const OVERLAP_BYTES = 256;
/** Digits of the shortest telephone number that is looked for. */
const PHONE_DIGITS_MIN = 7;
/** Findings whose rows are looked at for names. */
const ROWS_MAX = 16;

const email = indexOf('email');
const phone = indexOf('phone');
const person = indexOf('person');
const ip = indexOf('ip-address');
const mac = indexOf('mac-address');
const azure = indexOf('azure-client-secret');

export class Finder {
  /** The findings of the last text. */
  readonly scan: Scan;
  /** Whether the last text had escapes or other than ASCII, which may have to be folded first. */
  special: boolean = false;
  readonly #kernel: Kernel;
  /** What the group of digits in question has. */
  #digitCount: number = 0;
  #dotCount: number = 0;
  /** Up to where addresses with colons have been looked for. */
  #colonsDone: number = 0;
  /** Whether it had backslashes. */
  hasBackslash: boolean = false;
  readonly tokens: TokenFinder = new TokenFinder();
  readonly #keys: KeyFinder = new KeyFinder();
  readonly #words: WordFinder = new WordFinder();
  readonly #phones: PhoneFinder = new PhoneFinder();

  constructor(plan: Plan) {
    this.scan = new Scan(plan);
    this.#kernel = new Kernel(plan.kernel);
  }

  /**
   * Finds what is in `bytes[start, end)`.
   *
   * @returns how many findings {@link Finder.scan} has, -1 when the text is to be masked whole.
   */
  find(bytes: Uint8Array, start: number, end: number, hint: number): number {
    const { scan } = this;
    const isShort = end - start < scan.plan.tokenBytesMin;
    if (isShort && hint === 0 && isPlainToken(scan.plan, bytes, start, end)) return this.#nothing();
    scan.reset(bytes, start, end, hint);
    this.tokens.reset(scan);
    this.#words.reset();
    this.#colonsDone = start;
    let special = 0;
    for (let from = start; ; from += WINDOW_BYTES - OVERLAP_BYTES) {
      const to = Math.min(end, from + WINDOW_BYTES);
      const count = this.#kernel.find(bytes, from, to);
      special |= this.#kernel.special;
      if (count > 0) this.#visit(from, count);
      if (scan.exhausted) return -1;
      if (to === end) break;
    }
    if (scan.plan.patterns.length > 0) this.#ownPatterns();
    if (scan.exhausted) return -1;
    this.hasBackslash = (special & seenBackslash) !== 0;
    this.special = (special & (seenEscape | seenHigh)) !== 0;
    if (scan.count === 0) return 0;
    if (scan.plan.enabled[person] === 1) this.#names();
    scan.confirm();
    scan.settle();
    return scan.exhausted ? -1 : scan.count;
  }

  #nothing(): number {
    this.scan.count = 0;
    this.scan.exhausted = false;
    this.hasBackslash = false;
    this.special = false;
    return 0;
  }

  #ownPatterns(): void {
    const { scan } = this;
    for (const { number, pattern } of scan.plan.patterns) {
      const isHere = pattern.columns.length === 0 || hasHint(scan, number);
      if (isHere) findPattern(scan, pattern, number);
    }
  }

  #visit(base: number, count: number): void {
    const { scan } = this;
    const { events } = this.#kernel;
    for (let i = 0; i < count; i += 1) {
      const event = events[i] ?? 0;
      const at = base + (event >>> 3);
      switch (event & 7) {
        case anchor.at:
          this.#atSign(at);
          break;
        case anchor.word:
          this.#words.find(scan, at, this.tokens);
          break;
        case anchor.digits:
          this.#digits(at);
          break;
        case anchor.key:
          this.#keys.find(scan, at, this.tokens);
          break;
        case anchor.long:
          this.#shapes(at, scan.plan.atTokens.long);
          this.tokens.find(scan, at);
          break;
        case anchor.colons:
          if (at >= this.#colonsDone && !scan.plan.hints(scan.hint).isVersion) {
            this.#colonsDone = findColons(scan, at, ip, mac);
          }
          break;
        case anchor.tilde:
          this.#tilde(at);
          break;
      }
      if (scan.exhausted) return;
    }
  }

  /** Names in the rows of data that the first findings are in. */
  #names(): void {
    const { scan } = this;
    const count = Math.min(scan.count, ROWS_MAX);
    for (let i = 0; i < count; i += 1) {
      const isSecret = detectors[scan.found[i] ?? 0]?.groups.includes('secret') === true;
      if (!isSecret) findNamesInRow(scan, scan.starts[i] ?? 0, scan.ends[i] ?? 0, person);
    }
  }

  #atSign(at: number): void {
    const start = findEmail(this.scan, at, email);
    if (start >= 0 && this.scan.plan.enabled[person] === 1)
      findNameBefore(this.scan, start, person);
  }

  /** A group of digits with single signs between them: every run of digits may start something. */
  #digits(from: number): void {
    const { scan } = this;
    const isVersion = scan.hint !== 0 && scan.plan.hints(scan.hint).isVersion;
    this.#count(from);
    const wantsPhone = scan.plan.enabled[phone] === 1 && this.#digitCount >= PHONE_DIGITS_MIN;
    const wantsIp = scan.plan.enabled[ip] === 1 && !isVersion && this.#dotCount >= 3;
    if (scan.hint === 0 && from === scan.start && this.#isBareNumber()) return;
    let at = skipTimestamp(scan, from);
    let done = at;
    // The kernel's group goes on over any number of signs, so this does too.
    for (at = nextRun(scan, at); at >= 0; at = nextRun(scan, at)) {
      const end = runEnd(scan, at);
      if (!scan.spend(end - at + 8)) return;
      const known = scan.count;
      if (wantsIp && end - at <= 3 && scan.byte(end) === 46) findIpv4(scan, at, ip);
      const isDotted = scan.byte(end) === 46 && scan.byte(end + 2) === 46;
      if (isDotted && (classOf(scan.bytes, end + 1) & isDigit) !== 0) {
        // `120.0.6099.71`: a version, or the address that it was just taken for.
        at = dottedEnd(scan, end);
        continue;
      }
      // `+49 …` is a telephone number, whatever the words before it name.
      if (wantsPhone && scan.byte(at - 1) === PLUS) {
        const stop = this.#phones.find(scan, at, phone, this.tokens);
        if (stop > at) {
          at = done = stop;
          continue;
        }
      }
      this.tokens.find(scan, at);
      // Digits that another sign follows may be the beginning of something else: `123456789:AA…`.
      if (end < scan.end && steps[scan.byte(end)] !== SIGN)
        this.#shapes(at, scan.plan.atTokens.digits);
      // What is an identifier is no telephone number too.
      if (scan.count > known) done = Math.max(done, scan.ends[scan.count - 1] ?? 0);
      if (wantsPhone && at >= done) {
        done = Math.max(done, this.#phones.find(scan, at, phone, this.tokens));
      }
      at = end;
    }
  }

  /** Counts the digits and dots of the group that starts at `from`. */
  #count(from: number): void {
    const { bytes, end } = this.scan;
    let digits = 0;
    let dots = 0;
    for (let at = from; at < end; at += 1) {
      const byte = bytes[at] ?? 0;
      const kind = steps[byte] ?? 0;
      if (kind === 0) break;
      if (kind === DIGIT) digits += 1;
      else if (byte === 46) dots += 1;
    }
    this.#digitCount = digits;
    this.#dotCount = dots;
    this.scan.spend(digits + dots);
  }

  /** Whether the value is a number and nothing else, of a length that means nothing by itself. */
  #isBareNumber(): boolean {
    const { bytes, start, end, plan } = this.scan;
    const length = end - start;
    if (plan.bareDigits[length] !== 0) return false;
    for (let at = start; at < end; at += 1) if ((classOf(bytes, at) & isDigit) === 0) return false;
    return bytes[start] !== 48;
  }

  #shapes(at: number, entries: readonly ShapeEntry[]): void {
    const { scan } = this;
    for (const { shape, detector } of entries) {
      const end = matchShape(shape, scan.bytes, at, scan.end);
      if (end > 0 && scan.isEnd(end) && scan.isStart(at)) scan.add(at, end, detector, 0.98);
    }
  }

  /** `aB38Q~…`: the sign is the sixth character. */
  #tilde(at: number): void {
    const { scan } = this;
    const shape = scan.plan.shapes[azure]?.[0]?.shape;
    if (shape === undefined || at - 5 < scan.start) return;
    const end = matchShape(shape, scan.bytes, at - 5, scan.end);
    if (end > 0 && scan.isStart(at - 5)) scan.add(at - 5, end, azure, 0.98);
  }
}

/**
 * Whether a short value is one word or number in which nothing can be: too short for what begins
 * with a known beginning, no sign that is an anchor, too few digits. Most cells are that.
 */
function isPlainToken(
  { bareDigits, kernel }: Plan,
  bytes: Uint8Array,
  start: number,
  end: number,
): boolean {
  let counts = 0;
  for (let at = start; at < end; at += 1) counts += tokenSteps[bytes[at] ?? 0] ?? OTHER;
  if (counts >= OTHER) return false;
  const digits = counts & 0xff;
  const dots = (counts >>> 8) & 0xff;
  const letters = counts >>> 16;
  // Dots between letters may separate words, three of them an address.
  if (dots > 0 && (letters > 0 || dots > 2)) return false;
  if (digits < kernel.digitsMin) return true;
  const isBare = letters + dots === 0 && bytes[start] !== 48;
  return isBare && bareDigits[end - start] === 0;
}

/** By byte: a digit counts in the low byte, a dot in the next, a letter in the third. */
const OTHER = 1 << 24;
const tokenSteps: Int32Array = Int32Array.from({ length: 256 }, (_, byte) => {
  const character = String.fromCharCode(byte);
  if (/[0-9]/.test(character)) return 1;
  if (character === '.') return 1 << 8;
  return /[A-Za-z_]/.test(character) && byte < 0x80 ? 1 << 16 : OTHER;
});

function hasHint(scan: Scan, number: number): boolean {
  return scan.plan.hints(scan.hint).hints.some(({ detector }) => detector === number);
}

/** The next digit at or after `at` with only signs of a group between; -1 when the group ends. */
function nextRun(scan: Scan, at: number): number {
  const { bytes, end } = scan;
  let here = at;
  for (; here < end; here += 1) {
    const kind = steps[bytes[here] ?? 0] ?? 0;
    if (kind === 0) return -1;
    if (kind === DIGIT) {
      scan.spend(here - at);
      return here;
    }
  }
  return -1;
}

/** The end of the digits at `at`. */
function runEnd(scan: Scan, at: number): number {
  const { bytes, end } = scan;
  let here = at;
  while (here < end && steps[bytes[here] ?? 0] === DIGIT) here += 1;
  return here;
}

const PLUS = 43;
const SIGN = 1;
const DIGIT = 2;
/** What each byte is in a group of digits: a sign between them, a digit, or its end (0). */
const steps: Uint8Array = Uint8Array.from({ length: 256 }, (_, byte) =>
  byte >= 48 && byte <= 57 ? DIGIT : ' ./-()'.includes(String.fromCharCode(byte)) ? SIGN : 0,
);

/** The end of digits and dots. */
function dottedEnd(scan: Scan, at: number): number {
  let end = at;
  while (end < scan.end && ((classOf(scan.bytes, end) & isDigit) !== 0 || scan.byte(end) === 46)) {
    end += 1;
  }
  scan.spend(end - at);
  return end;
}

const isDash = (scan: Scan, at: number): boolean => scan.byte(at) === 45;

/** `2025-04-08`, also with a time: nothing that is looked for by digits. */
function skipTimestamp(scan: Scan, at: number): number {
  const century = scan.byte(at) * 256 + scan.byte(at + 1);
  // 19 and 20.
  if ((century !== 0x3139 && century !== 0x3230) || !isDash(scan, at + 4)) return at;
  if (!isDash(scan, at + 7) || !scan.isStart(at)) return at;
  for (const digit of [2, 3, 5, 6, 8, 9]) {
    if ((classOf(scan.bytes, at + digit) & isDigit) === 0) return at;
  }
  const after = scan.byte(at + 10);
  // A hyphen would make it a longer identifier.
  if (after === 45 || (classOf(scan.bytes, at + 10) & isDigit) !== 0) return at;
  if (after !== 32 || scan.byte(at + 13) !== 58) return at + 10;
  return at + 13;
}
