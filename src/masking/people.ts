/**
 * Names of persons and postal addresses in text, as far as rules go: after an honorific or a
 * phrase, and in front of an e-mail address. A model would find more; see docs/reference.
 */
import { classOf, isDigit, isHigh, isLetter, isLower, isUpper } from './bytes.ts';
import type { Scan } from './scan.ts';

/** Words after which a name stands; the honorifics among them need two words, or a clear case. */
export const personPhrases: readonly string[] = [
  ['mr', 'mrs', 'ms', 'miss', 'mx', 'dr', 'prof', 'herr', 'frau', 'sra', 'mme', 'mlle'],
  ['senor', 'senora', 'monsieur', 'madame', 'signor', 'signora', 'hoort bij', 'belongs to'],
  ['gehort', 'pertenece a', 'appartient a', 'my name is', 'mein name ist', 'je m appelle'],
  ['mi nombre es', 'patient name', 'signed by', 'approved by', 'on behalf of', 'kind regards'],
].flat();

/** Words after which an address stands. */
export const placePhrases: readonly string[] = [
  [
    'lives at',
    'living at',
    'located at',
    'ship it to',
    'send it to',
    'mail it to',
    'deliver it to',
    'resides at',
    'residing at',
    'address is',
    'moved to',
    'ship to',
  ],
  ['shipped to', 'deliver to', 'delivered to', 'wohnhaft in', 'wohnt in', 'domiciliado en'],
  ['vive en', 'habite au', 'demeurant', 'residente a', 'woont op'],
].flat();

/** Capitalised words that are no names. */
const NO_NAMES: ReadonlySet<string> = new Set(
  `Inc Ltd LLC Corp GmbH AG SA Group Company Team Support Customer Service Services Info Contact
   Email Mail From To Cc Bcc Subject Reply Sent Dear Hello Hi The A An Re Fwd Your Our User Users
   Admin Account Order Invoice Martens Pepper Oetker Date Name Address Phone Tel Fax Street Road
   Please Thanks Regards Best Kind Sincerely January February March April May June July August
   September October November December Monday Tuesday Wednesday Thursday Friday Saturday Sunday
   Error Warning Login Password Bank Street Avenue Hotel University School Store Product
   Item`.split(/\s+/),
);
const PARTICLES: ReadonlySet<string> = new Set(
  'de da do dos das del della di du la le van der den ter von zu zur und y e bin ibn al el st'.split(
    ' ',
  ),
);
const NAME_BYTES_MAX = 80;
/** How much of a row of delimited data is looked at on each side. */
const ROW_BYTES_MAX = 256;
const decoder = new TextDecoder();
const WORDS_MAX = 5;

/**
 * The end of the name that starts at `at`: words with capitals, single spaces between them.
 *
 * @returns -1 when there are fewer than `wordsMin`.
 */
export function nameEnd(scan: Scan, at: number, wordsMin: number): number {
  let here = at;
  let words = 0;
  let good = -1;
  while (words < WORDS_MAX && here - at < NAME_BYTES_MAX) {
    const end = wordEnd(scan, here);
    if (end === here) break;
    const word = scan.latin1(here, end);
    const isName = isCapitalised(scan, here) && !NO_NAMES.has(word);
    if (!isName && !(words > 0 && PARTICLES.has(word))) break;
    if (isName) {
      words += 1;
      if (words >= wordsMin) good = end;
    }
    if (scan.byte(end) !== 32) break;
    here = end + 1;
  }
  scan.spend(here - at + 4);
  // `Jordan 11`: a product. A name ends with the text, a sign or a word in small letters.
  if (good >= 0 && (classOf(scan.bytes, good + 1) & isDigit) !== 0 && scan.byte(good) === 32)
    return -1;
  // The dot of an initial belongs to the name, that of a sentence does not.
  return good > 0 && scan.byte(good - 1) === 46 && good - at > 3 && scan.byte(good - 3) !== 32
    ? good - 1
    : good;
}

function isCapitalised(scan: Scan, at: number): boolean {
  const kind = classOf(scan.bytes, at);
  if ((kind & isHigh) === 0) return (kind & isUpper) !== 0;
  // A letter of another script that is no small one.
  const text = decoder.decode(scan.bytes.subarray(at, Math.min(scan.end, at + 4)));
  return /^[\p{Lu}\p{Lt}\p{Lo}]/u.test(text);
}

/** Letters with apostrophes and hyphens inside, and the dot of an initial. */
function wordEnd(scan: Scan, at: number): number {
  let end = at;
  while (end < scan.end) {
    const kind = classOf(scan.bytes, end);
    const byte = scan.byte(end);
    const inside =
      (byte === 39 || byte === 45) &&
      end > at &&
      (classOf(scan.bytes, end + 1) & (isLetter | isHigh)) !== 0;
    if ((kind & (isLetter | isHigh)) === 0 && !inside) break;
    end += 1;
  }
  if (scan.byte(end) === 46 && end > at && end - at <= 4) end += 1;
  if ((classOf(scan.bytes, end) & isDigit) !== 0 || scan.byte(end) === 95) return at;
  return end;
}

/** Adds the name that stands in front of an e-mail address: `Jane Doe <jane@…>`. */
export function findNameBefore(scan: Scan, email: number, detector: number): void {
  let end = email;
  while (end > scan.start && email - end < 6 && isDelimiter(scan.byte(end - 1))) end -= 1;
  if (end === email) return;
  let start = end;
  while (start > scan.start && end - start < NAME_BYTES_MAX && isNameByte(scan, start - 1))
    start -= 1;
  scan.spend(email - start);
  // Words in front of the name: try from each, the first that reads to the end is it.
  for (let tries = 0; start < end && tries < 8; tries += 1) {
    while (start < end && !isCapitalised(scan, start)) start += 1;
    if (scan.isStart(start) && nameEnd(scan, start, 2) === end) {
      scan.add(start, end, detector, 0.7);
      return;
    }
    while (start < end && scan.byte(start) !== 32) start += 1;
    start += 1;
  }
}

/**
 * Adds the names in a row of delimited data in which another field, between `start` and `end`, has
 * been found to be somebody's: `DE89…;12.50;EUR;Jane Doe`.
 */
export function findNamesInRow(scan: Scan, start: number, end: number, detector: number): void {
  const sign = scan.byte(end) === 0 ? scan.byte(start - 1) : scan.byte(end);
  const isRow = sign === 59 || sign === 124 || sign === 9;
  if (!isRow || (start > scan.start && scan.byte(start - 1) !== sign)) return;
  const from = Math.max(scan.start, start - ROW_BYTES_MAX);
  const to = Math.min(scan.end, end + ROW_BYTES_MAX);
  let field = from;
  for (let at = from; at <= to; at += 1) {
    const byte = scan.byte(at);
    if (at < to && byte !== sign && byte !== 10) continue;
    const isWhole =
      field === scan.start || scan.byte(field - 1) === sign || scan.byte(field - 1) === 10;
    if (isWhole && at > field && nameEnd(scan, field, 2) === at) scan.add(field, at, detector, 0.6);
    field = at + 1;
  }
  scan.spend(to - from);
}

function isDelimiter(byte: number): boolean {
  return [32, 9, 60, 34, 39, 40, 44, 59, 124].includes(byte);
}

function isNameByte(scan: Scan, at: number): boolean {
  const byte = scan.byte(at);
  if ((classOf(scan.bytes, at) & (isLetter | isHigh)) !== 0) return true;
  return (byte === 32 && scan.byte(at + 1) !== 32) || byte === 45 || byte === 46 || byte === 39;
}

/** Whether a whole value is a person's name, for columns that say so. */
export function isPersonValue(text: string, wordsMin: number): boolean {
  const words = text.trim().split(/[\s,]+/);
  return (
    text.length <= 100 &&
    words.length >= wordsMin &&
    words.length <= 7 &&
    /^[\p{L}\p{M}\s.,'’`·\-()]+$/u.test(text) &&
    /\p{L}{2}|^\p{Lo}/u.test(text) &&
    (wordsMin < 2 || words.every((word) => /^[^\p{Ll}]/u.test(word) || PARTICLES.has(word)))
  );
}

/** Whether a whole value is a postal address, for columns that say so. */
export function isAddressValue(text: string): boolean {
  return (
    text.length >= 4 &&
    text.length <= 300 &&
    /\p{L}{2}/u.test(text) &&
    /\d|\s|\p{Lo}/u.test(text) &&
    !/^[a-z]+:\/\/|@|^[0-9a-f:.]+$|^0x/i.test(text)
  );
}

/** The end of an address in running text: of its line, or of its sentence. */
export function addressEnd(scan: Scan, at: number): number {
  let end = at;
  while (end < scan.end && end - at < 160) {
    const byte = scan.byte(end);
    if (byte === 10 || byte === 13 || byte === 34 || byte === 59 || byte === 124 || byte === 9)
      break;
    // Two small letters and a dot end a sentence; `St.` and `12.` do not.
    if (byte === 46 && scan.byte(end + 1) === 32 && (classOf(scan.bytes, end - 3) & isLower) !== 0)
      break;
    end += 1;
  }
  while (end > at && (scan.byte(end - 1) === 32 || scan.byte(end - 1) === 46)) end -= 1;
  scan.spend(end - at);
  return end;
}
