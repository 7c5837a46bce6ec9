/**
 * Telephone numbers: international ones by country code and length (ITU-T E.164), North American
 * ones by their groups, national ones only where a name or word says phone.
 */
import { classOf, isDigit, isWord } from './bytes.ts';
import { strongContext } from './context.ts';
import type { Scan } from './scan.ts';
import type { TokenFinder } from './tokens.ts';

/** Digits after the country code, as `code:min-max`; three-digit codes not listed take 6 to 10. */
const PLANS: ReadonlyMap<number, readonly [number, number]> = new Map(
  `1:10 7:10 20:8-10 27:9 30:10 31:9 32:8-9 33:9 34:9 36:8-9 39:6-11 40:9 41:9 43:7-13 44:9-10
   45:8 46:7-10 47:8 48:9 49:6-11 51:8-9 52:10-11 53:8 54:10-11 55:10-11 56:9 57:10 58:10 60:8-10
   61:9 62:8-12 63:9-10 64:8-10 65:8 66:8-9 81:9-10 82:8-10 84:9-10 86:10-11 90:10 91:10 92:9-10
   93:9 94:9 95:7-10 98:10 212:9 213:8-9 216:8 218:8-9 221:9 225:10 233:9 234:8-10 237:9 243:9
   244:9 251:9 254:9 255:9 256:9 258:8-9 260:9 263:9 351:9 352:6-11 353:8-9 354:7 355:8-9 356:8
   357:8 358:6-11 359:7-9 370:8 371:8 372:7-8 373:8 374:8 375:9 376:6-9 377:8-9 380:9 381:8-10
   382:8 383:8 385:8-9 386:8 387:8-9 389:8 420:9 421:9 423:7 502:8 503:8 504:8 505:8 506:8 507:7-8
   591:8 592:7 593:8-9 595:9 598:8 852:8 853:8 855:8-9 856:8-10 880:8-10 886:8-9 960:7 961:7-8
   962:8-9 963:8-9 964:10 965:8 966:8-9 967:9 968:8 970:9 971:8-9 972:8-9 973:8 974:8 975:8 976:8
   977:8-10 992:9 993:8 994:9 995:9 996:9 998:9`
    .split(/\s+/)
    .map((plan) => {
      const [code = '', range = ''] = plan.split(':');
      const [min = '', max = min] = range.split('-');
      return [Number(code), [Number(min), Number(max)]];
    }),
);
const DIGITS_MAX = 17;
const GROUPS_MAX = 8;
const PLUS = 43;
const OPEN = 40;
const CLOSE = 41;
const SPACE = 32;

/** The digits of a candidate in groups. */
interface Groups {
  readonly sizes: number[];
  readonly ends: number[];
  readonly digits: string;
}

/**
 * Adds the telephone number whose first digit is at `at`.
 *
 * @returns its end, or -1.
 */
export function findPhone(scan: Scan, at: number, detector: number, tokens: TokenFinder): number {
  if (!scan.isStart(at)) return -1;
  let start = at;
  if (scan.byte(start - 1) === OPEN) start -= 1;
  const hasPlus = scan.byte(start - 1) === PLUS;
  if (hasPlus) start -= 1;
  if (hasPlus && !scan.isStart(start)) return -1;
  const groups = readGroups(scan, at);
  scan.spend(groups.digits.length + 8);
  if (groups.digits.length < 7) return -1;
  const isInternational = hasPlus || groups.digits.startsWith('00');
  let length = isInternational
    ? internationalGroups(groups, hasPlus)
    : freeGroups(scan, start, groups);
  let confidence = hasPlus ? 0.9 : 0.8;
  if (length === 0 && (scan.hint !== 0 || at > scan.start)) {
    tokens.context.read(scan, start);
    if (tokens.context.of(detector) !== strongContext) return -1;
    length = groups.sizes.length;
    if (groups.digits.length > 15 || !isAlone(scan, start, groups.ends[length - 1] ?? at))
      return -1;
    confidence = 0.85;
  }
  if (length === 0) return -1;
  const end = withExtension(scan, groups.ends[length - 1] ?? at);
  if (!scan.isEnd(end)) return -1;
  scan.add(start, end, detector, confidence);
  return end;
}

/** Whether a whole value is a telephone number, for columns that say so. */
export function isPhoneValue(text: string): boolean {
  const [main = ''] = text.split(/\s*(?:x|ext\.?|extension|#)\s*\d{1,6}$/i, 1);
  const digits = main.replace(/\D/g, '').length;
  return digits >= 6 && digits <= 15 && /^\+?[\d\s().\-/–]+$/.test(main);
}

function readGroups(scan: Scan, at: number): Groups {
  const sizes: number[] = [];
  const ends: number[] = [];
  let digits = '';
  let here = at;
  while (sizes.length < GROUPS_MAX && digits.length < DIGITS_MAX) {
    const from = here;
    while (
      here < scan.end &&
      (classOf(scan.bytes, here) & isDigit) !== 0 &&
      here - from < DIGITS_MAX
    ) {
      digits += String.fromCharCode(scan.byte(here));
      here += 1;
    }
    if (here === from) break;
    sizes.push(here - from);
    ends.push(here);
    here += separator(scan, here);
  }
  return { sizes, ends, digits };
}

/** The length of what may stand between two groups. */
function separator(scan: Scan, at: number): number {
  const first = scan.byte(at);
  const second = scan.byte(at + 1);
  if (first === CLOSE) return second === SPACE || second === 45 ? 2 : 1;
  if (first === OPEN) return 1;
  if (first !== SPACE && first !== 45 && first !== 46 && first !== 47) return 0;
  return second === OPEN ? 2 : 1;
}

/** How many groups, from the first, make a whole number with a known country code. */
function internationalGroups(groups: Groups, hasPlus: boolean): number {
  const digits = hasPlus ? groups.digits : groups.digits.slice(2);
  const skipped = hasPlus ? 0 : 2;
  for (let count = groups.sizes.length; count > 0; count -= 1) {
    const total = groups.sizes.slice(0, count).reduce((sum, size) => sum + size, 0) - skipped;
    for (const codeLength of [1, 2, 3]) {
      const [min, max] = planOf(Number(digits.slice(0, codeLength)), codeLength);
      if (total - codeLength >= min && total - codeLength <= max) return count;
    }
  }
  return 0;
}

function planOf(code: number, length: number): readonly [number, number] {
  const plan = PLANS.get(code);
  if (plan !== undefined && String(code).length === length) return plan;
  // Zones 2, 3, 4, 5, 6, 8 and 9 have three-digit codes that the table leaves out.
  return length === 3 &&
    code >= 200 &&
    ![7, 1].includes(Math.trunc(code / 100)) &&
    !PLANS.has(Math.trunc(code / 10))
    ? [6, 10]
    : [1, 0];
}

/** National forms that are clear by their groups alone. */
function freeGroups(scan: Scan, start: number, groups: Groups): number {
  const { sizes, digits, ends } = groups;
  if (sizes.length < 3) return 0;
  const shape = sizes.join('-');
  // France: 0x xx xx xx xx; Japan: 0x0-xxxx-xxxx.
  if (
    shape.startsWith('2-2-2-2-2') &&
    /^0[1-9]/.test(digits) &&
    isAlone(scan, start, ends[4] ?? 0)
  ) {
    return 5;
  }
  if (shape.startsWith('3-4-4') && /^0[5789]0/.test(digits) && isAlone(scan, start, ends[2] ?? 0)) {
    return 3;
  }
  const skip = shape.startsWith('1-3-3-4') && digits.startsWith('1') ? 1 : 0;
  if (!shape.slice(skip * 2).startsWith('3-3-4')) return 0;
  const count = 3 + skip;
  const end = ends[count - 1] ?? 0;
  return /^[2-9](?!11)\d\d[2-9](?!11)\d\d/.test(digits.slice(skip)) && isAlone(scan, start, end)
    ? count
    : 0;
}

/** Whether nothing joins the number to something longer. */
function isAlone(scan: Scan, start: number, end: number): boolean {
  const before = scan.byte(start - 1);
  const after = scan.byte(end);
  const joins = (sign: number): boolean => sign === 45 || sign === 46 || sign === 47 || sign === 95;
  if (joins(before) && (classOf(scan.bytes, start - 2) & isWord) !== 0) return false;
  if (joins(after) && end + 1 < scan.end && (classOf(scan.bytes, end + 1) & isWord) !== 0)
    return false;
  // `871-8904 2021`: another number of the same kind of groups follows.
  return !(
    after === SPACE &&
    before !== OPEN &&
    /^\d{3}[ .-]\d/.test(scan.latin1(end + 1, end + 6))
  );
}

/** ` x3819`, ` ext. 4954`. */
function withExtension(scan: Scan, end: number): number {
  const match = /^\s?(?:x|ext\.?|extension)\s?\d{1,6}(?!\w)/i.exec(
    scan.latin1(end, Math.min(scan.end, end + 20)),
  );
  return match === null ? end : end + match[0].length;
}
