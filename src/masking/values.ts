/**
 * Values whose name is known: a column, a key, a word before them. The name says what kind to
 * expect, so less has to show: a shape is enough, or for names and passwords almost anything.
 */
import {
  isPassword,
  isPlaceholder,
  isRandom,
  isRandomKey,
  isSeedPhrase,
  isUuid,
} from './credentials.ts';
import type { Recogniser } from './detectors/detector.ts';
import { detectors } from './detectors/table.ts';
import type { NameHints } from './dictionary.ts';
import { isAddressValue, isPersonValue } from './people.ts';
import { isPhoneValue } from './phone.ts';
import type { Scan } from './scan.ts';
import { matchShape } from './shape.ts';
import type { TokenFinder } from './tokens.ts';

/** Longer values are no identifiers; of secrets this much is enough to judge. */
const VALUE_BYTES_MAX = 512;
const decoder = new TextDecoder();
const encoder = new TextEncoder();

/** Where a value stands. */
export interface ValuePlace {
  readonly start: number;
  readonly end: number;
  /** The name covers all of the value: a column or a quoted string, not the next word of prose. */
  readonly isSure: boolean;
  /** It is a column of its own: then an identifier whose check digits fail is a mistyped one. */
  readonly isColumn: boolean;
}

/**
 * The detector whose value `place` is, by its name alone.
 *
 * @returns its number, -1 when the value does not look like any that the name hints at.
 */
export function valueKind(
  scan: Scan,
  hints: NameHints,
  place: ValuePlace,
  tokens: TokenFinder,
): number {
  const { start, end } = place;
  if (end <= start) return -1;
  const isLong = end - start > VALUE_BYTES_MAX;
  const judged = Math.min(end, start + VALUE_BYTES_MAX);
  scan.spend(4 * (judged - start));
  let text: string | undefined;
  for (const { detector: number, weak } of hints.hints) {
    const detector = detectors[number];
    if (detector === undefined || scan.plan.enabled[number] !== 1) continue;
    if (isLong && !detector.groups.includes('secret')) continue;
    const fits = scan.plan.shapes[number]?.some(
      ({ shape }) => matchShape(shape, scan.bytes, start, end) === end,
    );
    // A mistyped card number in a column of cards is still somebody's; an ambiguous name, or a key
    // in text, is not enough for that.
    const isTrusted = place.isColumn && !weak;
    if (fits === true && (isTrusted || tokens.passes(scan, number, start, end))) {
      if (!isZero(scan, start, end)) return number;
    }
    if (detector.recogniser === undefined) continue;
    text ??= decoder.decode(scan.bytes.subarray(start, judged));
    if (detector.recogniser === 'token' && weak && !isRandomKey(text)) continue;
    if (recognises(detector.recogniser, text, place.isSure && !weak, hints)) return number;
  }
  return -1;
}

/** 0, 000-00-0000: no value. */
function isZero(scan: Scan, start: number, end: number): boolean {
  for (let at = start; at < end; at += 1) {
    const byte = scan.byte(at);
    if (byte >= 49) return false;
  }
  return true;
}

function recognises(
  recogniser: Recogniser,
  text: string,
  isSure: boolean,
  hints: NameHints,
): boolean {
  if (isPlaceholder(text)) return false;
  switch (recogniser) {
    case 'phone':
      return isPhoneValue(text);
    case 'person':
      return isPersonValue(text, isSure ? 1 : 2);
    case 'address':
      return isAddressValue(text);
    case 'date':
      return isDateValue(text);
    case 'geo':
      return /^[([]?-?\d{1,3}\.\d{3,}°?[NS]?(?:[,;\s]+-?\d{1,3}\.\d{3,}°?[EW]?)?[)\]]?$/.test(text);
    case 'username':
      return /^[\p{L}\d._@-]{2,64}$/u.test(text) && !/^\d+$/.test(text) && !isUuid(text);
    case 'credential':
      return isPassword(text, isSure);
    case 'token':
      return isSeedPhrase(text) || (isRandom(text) && !(hints.isSession && isUuid(text)));
    case 'anything':
      return text.length <= 200;
    // These have anchors of their own.
    case 'email':
    case 'ip':
    case 'mac':
    case 'url-password':
    case 'private-key':
      return false;
  }
}

const DATES: readonly RegExp[] = [
  /^\d{4}[-/.]\d{1,2}[-/.]\d{1,2}(?:[T ]\d\d:\d\d(?::\d\d(?:\.\d+)?)?(?:Z|[+-]\d\d:?\d\d)?)?$/,
  /^\d{1,2}[-/.] ?\d{1,2}[-/.] ?\d{2,4}(?: \d\d:\d\d(?::\d\d)?)?$/,
  /^(?:19|20)\d{6}$/,
  /^(?:[0-2]\d|3[01])(?:[0-2]\d|3[01])(?:19|20)\d\d$/,
  /^\d{4}年\d{1,2}月\d{1,2}日$/,
  // Names of months begin with three letters in every language that writes them so.
  /^\p{L}{3,10}\.? \d{1,2}(?:st|nd|rd|th)?,? \d{2,4}$/u,
  /^\d{1,2}(?:st|nd|rd|th|º|\.)?[ -/](?:de )?\p{L}{3,10}\.?,?[ -/](?:de )?\d{2,4}$/u,
];

function isDateValue(text: string): boolean {
  return DATES.some((shape) => shape.test(text));
}

/** Dates as they begin in running text. */
const DATE_STARTS: readonly RegExp[] = DATES.map(
  ({ source }) => new RegExp(`${source.slice(0, -1)}(?![\\p{L}\\d])`, 'u'),
);
const DATE_BYTES_MAX = 40;

/** The end of the date that starts at `at`; `at` when there is none. */
export function dateEnd(scan: Scan, at: number): number {
  const text = decoder.decode(scan.bytes.subarray(at, Math.min(scan.end, at + DATE_BYTES_MAX)));
  scan.spend(DATE_BYTES_MAX);
  for (const shape of DATE_STARTS) {
    const date = shape.exec(text)?.[0];
    if (date !== undefined) return at + encoder.encode(date).length;
  }
  return at;
}
