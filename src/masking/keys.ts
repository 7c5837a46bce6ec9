/** Keys and their values in text: `db_password: hunter2`, `"ssn":"…"`, `?token=…`, `user:pass@`. */
import { ascii, classOf, hasFolded, isDigit, isSpace, isWord } from './bytes.ts';
import { isPassword } from './credentials.ts';
import { detectors } from './detectors/table.ts';
import { hashStart, hashStep } from './dictionary.ts';
import { elementsOf } from './lists.ts';
import { addressEnd, nameEnd } from './people.ts';
import { indexOf } from './plan.ts';
import type { Scan } from './scan.ts';
import type { TokenFinder } from './tokens.ts';
import { dateEnd, valueKind } from './values.ts';

const KEY_BYTES_MAX = 64;
const VALUE_BYTES_MAX = 16 * 1024;
const AUTHORITY_BYTES_MAX = 512;
const COLON = 58;
const EQUALS = 61;
const SLASH = 47;
const AT = 64;
const BACKSLASH = 92;
const OPEN_LIST = 91;
const BRACE = 123;
const DOLLAR = 36;
const DASH = 45;

const VALUE: Uint8Array = ascii('value');
/** How far before `value` the name of it may begin. */
const NAME_BYTES_MAX = 112;
const SLOTS = 1_024;
const decoder = new TextDecoder();
const urlPassword = indexOf('url-password');
const person = indexOf('person');
const address = indexOf('address');
const birth = indexOf('date-of-birth');

/**
 * What keys say, remembered by their bytes: text repeats its keys, and a look-up by bytes makes no
 * string. Direct-mapped, so its size is fixed whatever the text.
 */
class KeyCache {
  readonly #bytes: Uint8Array = new Uint8Array(SLOTS * KEY_BYTES_MAX);
  readonly #lengths: Uint8Array = new Uint8Array(SLOTS);
  readonly #hints: Int32Array = new Int32Array(SLOTS);

  hint(scan: Scan, start: number, end: number): number {
    let hash = hashStart;
    for (let at = start; at < end; at += 1) hash = hashStep(hash, scan.bytes[at] ?? 0);
    const slot = hash & (SLOTS - 1);
    const from = slot * KEY_BYTES_MAX;
    if (this.#lengths[slot] === end - start && this.#holds(scan, start, end, from)) {
      return this.#hints[slot] ?? 0;
    }
    const hint = scan.plan.hint(decoder.decode(scan.bytes.subarray(start, end)));
    scan.spend(256);
    this.#bytes.set(scan.bytes.subarray(start, end), from);
    this.#lengths[slot] = end - start;
    this.#hints[slot] = hint;
    return hint;
  }

  #holds(scan: Scan, start: number, end: number, from: number): boolean {
    for (let at = start; at < end; at += 1) {
      if (this.#bytes[from + at - start] !== scan.bytes[at]) return false;
    }
    return true;
  }
}

/** Where a value was found. */
interface Extent {
  readonly start: number;
  readonly end: number;
  readonly isQuoted: boolean;
}

/** Finds values by their keys; one per scanner. */
export class KeyFinder {
  readonly #cache: KeyCache = new KeyCache();

  /** Looks at the colon or equals sign at `at`. */
  find(scan: Scan, at: number, tokens: TokenFinder): void {
    const sign = scan.byte(at);
    if (sign === COLON && scan.byte(at + 1) === SLASH && scan.byte(at + 2) === SLASH) {
      findUrlPassword(scan, at + 3);
      return;
    }
    if (scan.byte(at + 1) === sign) return;
    const keyEnd = trimKey(scan, at);
    const keyStart = startOfKey(scan, keyEnd);
    scan.spend(at - keyStart + 4);
    if (keyStart === keyEnd) return;
    // `${PASSWORD:?unset}` is no key with its value; a default is: `${PASSWORD:-x}`.
    const isVariable = scan.byte(keyStart - 1) === BRACE && scan.byte(keyStart - 2) === DOLLAR;
    if (isVariable && scan.byte(at + 1) !== DASH && scan.byte(at + 1) !== EQUALS) return;
    const hint = this.#hintOf(scan, keyStart, keyEnd);
    if (hint === 0) return;
    const before = scan.byte(keyStart - 1);
    const value = readValue(scan, at + 1, before === 63 || before === 38);
    if (value === undefined) return;
    this.#judge(scan, hint, value, tokens);
    if (scan.byte(value.start - (value.isQuoted ? 2 : 1)) === OPEN_LIST) {
      this.#judgeList(scan, hint, value, tokens);
    }
  }

  #hintOf(scan: Scan, start: number, end: number): number {
    const hint = this.#cache.hint(scan, start, end);
    if (hint !== 0 || end - start !== VALUE.length) return hint;
    if (!hasFolded(scan.bytes, start, VALUE)) return hint;
    // `name: DB_PASSWORD, value: x`, `<add key="API_KEY" value="x"/>`: the name stands before.
    const before = scan.latin1(Math.max(scan.start, start - NAME_BYTES_MAX), start);
    scan.spend(before.length);
    const named = /(?:name|key)["']?\s{0,4}[:=]\s{0,4}["']?([\w.-]{2,64})["']?[\s,;"'-]{1,24}$/i;
    const name = named.exec(before)?.[1];
    return name === undefined ? hint : scan.plan.hint(name);
  }

  /** `"names": ["Jane Doe", "John Roe"]`: the key speaks for all of them. */
  #judgeList(scan: Scan, hint: number, first: Extent, tokens: TokenFinder): void {
    // A list in a list in a list, each with a key, is no JSON; it must not be read once for each.
    if (first.end < scan.listsRead) return;
    for (const { start, end } of elementsOf(scan, first.end, true)) {
      scan.listsRead = end;
      this.#judge(scan, hint, { start, end, isQuoted: scan.byte(end) === 34 }, tokens);
    }
  }

  #judge(scan: Scan, hint: number, value: Extent, tokens: TokenFinder): void {
    const hints = scan.plan.hints(hint);
    for (const end of endsOf(
      scan,
      value,
      hints.hints.map(({ detector }) => detector),
    )) {
      const place = { start: value.start, end, isSure: value.isQuoted, isColumn: false };
      const kind = valueKind(scan, hints, place, tokens);
      if (kind < 0) continue;
      const isWeak = hints.hints.some(({ detector, weak }) => detector === kind && weak);
      const confidence = Math.min(1, (detectors[kind]?.confidence ?? 0.5) + 0.05);
      if (kind === person && isWeak) scan.suspect(value.start, end, kind, 0.6);
      else scan.add(value.start, end, kind, confidence);
      return;
    }
  }
}

/** The ends that a value may have, best first. Without quotes only its kind says where it ends. */
function endsOf(scan: Scan, value: Extent, kinds: readonly number[]): number[] {
  if (value.isQuoted) return [value.end];
  const ends: number[] = [];
  if (kinds.includes(person)) ends.push(nameEnd(scan, value.start, 1));
  if (kinds.includes(birth)) ends.push(dateEnd(scan, value.start));
  if (kinds.includes(address)) ends.push(addressEnd(scan, value.start));
  // Secrets have no spaces in them.
  if (!kinds.every((kind) => detectors[kind]?.groups.includes('secret') === true)) {
    ends.push(fieldEnd(scan, value.start));
  }
  ends.push(value.end);
  return ends;
}

/** The end of a field of several words: at a sign that separates fields, or two spaces. */
function fieldEnd(scan: Scan, start: number): number {
  let end = start;
  for (; end < scan.end; end += 1) {
    // Longer fields of several words are prose.
    if (end - start > 64) return start;
    const byte = scan.byte(end);
    if (byte === 32 && scan.byte(end + 1) === 32) break;
    if (byte < 32 || byte === 34 || byte === 44 || byte === 59 || byte === 124 || byte === 60)
      break;
  }
  while (end > start && scan.byte(end - 1) === 32) end -= 1;
  return end;
}

function isKeyByte(scan: Scan, at: number): boolean {
  const byte = scan.byte(at);
  return (classOf(scan.bytes, at) & isWord) !== 0 || byte === 95 || byte === 46 || byte === 45;
}

const isQuote = (byte: number): boolean => byte === 34 || byte === 39 || byte === 96;

/** The end of the key before the sign at `at`: before spaces, a quote, a bracket. */
function trimKey(scan: Scan, at: number): number {
  let end = at;
  while (at - end < 3 && scan.byte(end - 1) === 32) end -= 1;
  if (scan.byte(end - 1) === 93) end -= 1;
  if (isQuote(scan.byte(end - 1))) end -= 1;
  if (scan.byte(end - 1) === BACKSLASH) end -= 1;
  return end;
}

function startOfKey(scan: Scan, end: number): number {
  let start = end;
  while (start > scan.start && end - start < KEY_BYTES_MAX && isKeyByte(scan, start - 1))
    start -= 1;
  // `full name: Jane Doe`: words before the key belong to it when they are small letters.
  return start;
}

const SCHEME = /^(?:basic|bearer|token|apikey|negotiate|digest) +/i;

function readValue(scan: Scan, from: number, isQuery: boolean): Extent | undefined {
  let start = from;
  // `:=` and `=>`.
  if (scan.byte(start) === EQUALS || scan.byte(start) === 62) start += 1;
  while (start - from < 16 && (scan.byte(start) === 32 || scan.byte(start) === 9)) start += 1;
  // A list's first value; the others are seen by what they are.
  if (scan.byte(start) === 91) start += 1;
  if (scan.byte(start) === BACKSLASH && isQuote(scan.byte(start + 1))) start += 1;
  const quote = scan.byte(start);
  const isQuoted = isQuote(quote);
  if (isQuoted) start += 1;
  const scheme = SCHEME.exec(scan.latin1(start, Math.min(scan.end, start + 16)))?.[0].length ?? 0;
  start += scheme;
  let end = start;
  const stop = Math.min(scan.end, start + VALUE_BYTES_MAX);
  while (end < stop && !endsValue(scan, end, isQuoted ? quote : 0, isQuery)) end += 1;
  // What was taken for an opening quote closed something else: `("Password: ")`.
  if (isQuoted && scan.byte(end) !== quote && end - start < 2) return undefined;
  if (isQuoted && scan.byte(end) === quote && scan.byte(end - 1) === BACKSLASH) end -= 1;
  if (!isQuoted) {
    // Brackets and stops at the end are of the sentence, not of the value.
    while (end > start && [41, 93, 125, 46, 58].includes(scan.byte(end - 1))) end -= 1;
  }
  scan.spend(end - from);
  return end > start ? { start, end, isQuoted } : undefined;
}

function endsValue(scan: Scan, at: number, quote: number, isQuery: boolean): boolean {
  const byte = scan.byte(at);
  if (quote !== 0) {
    if (byte === 10) return true;
    return byte === quote && (scan.byte(at - 1) !== BACKSLASH || scan.byte(at + 1) !== quote);
  }
  if ((classOf(scan.bytes, at) & isSpace) !== 0 || isQuote(byte)) return true;
  if (byte === 38) return isQuery;
  return byte === 44 || byte === 59 || byte === 60 || byte === 62 || byte === 124;
}

/** Adds the password of `user:password@host` that starts at `from`, after `://`. */
function findUrlPassword(scan: Scan, from: number): void {
  let colon = -1;
  let at = -1;
  const stop = Math.min(scan.end, from + AUTHORITY_BYTES_MAX);
  let here = from;
  for (; here < stop; here += 1) {
    const byte = scan.byte(here);
    if (byte === COLON && colon < 0) colon = here;
    else if (byte === AT) at = here;
    // A slash ends the authority, but passwords are often put there unencoded: go on to an at
    // sign if one comes before the end of the word.
    else if ((classOf(scan.bytes, here) & isSpace) !== 0 || isQuote(byte) || byte === 60) break;
    else if (byte === SLASH && (at >= 0 || colon < 0 || scan.byte(here + 1) === SLASH)) break;
    else if (byte === 63 && at >= 0) break;
  }
  scan.spend(here - from + 4);
  if (colon < 0 || at <= colon + 1) return;
  if (isPort(scan, colon + 1)) return;
  const text = decoder.decode(scan.bytes.subarray(colon + 1, at));
  if (isPassword(text, true)) scan.add(colon + 1, at, urlPassword, 0.99);
}

/** `host:5432/…@` is a port and a path. */
function isPort(scan: Scan, at: number): boolean {
  let end = at;
  while ((classOf(scan.bytes, end) & isDigit) !== 0 && end < scan.end) end += 1;
  return end > at && end - at <= 5 && scan.byte(end) === SLASH;
}
