/**
 * Telephone numbers: international ones by country code and length (ITU-T E.164), North American
 * ones by their groups, national ones only where a name or word says phone.
 */
import { classOf, isWord } from './bytes.ts';
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
const COLON = 58;

const PREFIX_DIGITS = 7;

/** Finds telephone numbers; one per scanner. */
export class PhoneFinder {
  readonly #sizes: Int32Array = new Int32Array(GROUPS_MAX);
  readonly #ends: Int32Array = new Int32Array(GROUPS_MAX);
  #groups: number = 0;
  #digits: number = 0;
  /** The first seven digits as a number. */
  #prefix: number = 0;

  /**
   * Adds the telephone number whose first digit is at `at`.
   *
   * @returns its end, or -1.
   */
  find(scan: Scan, at: number, detector: number, tokens: TokenFinder): number {
    if (!scan.isStart(at)) return -1;
    let start = at;
    if (scan.byte(start - 1) === OPEN) start -= 1;
    const hasPlus = scan.byte(start - 1) === PLUS;
    if (hasPlus) start -= 1;
    if (hasPlus && !scan.isStart(start)) return -1;
    this.#read(scan, at);
    scan.spend(this.#digits + 8);
    if (this.#digits < 7) return -1;
    // Fields between colons have no 00 in front: `arn:aws:iam::001234567890:role`.
    const isField = scan.byte(start - 1) === COLON && scan.byte(this.#ends[0] ?? at) === COLON;
    // 00 as the prefix of international calls.
    const isInternational =
      hasPlus || (!isField && this.#prefix < 100_000 && scan.byte(at + 1) === 48);
    let count = isInternational
      ? this.#internationalGroups(hasPlus ? 0 : 2)
      : this.#freeGroups(scan, start);
    let confidence = hasPlus ? 0.9 : 0.8;
    if (count === 0) {
      if (tokens.contextOf(scan, start, detector) !== strongContext || this.#digits > 15) return -1;
      count = this.#groups;
      if (!isAlone(scan, start, this.#ends[count - 1] ?? at)) return -1;
      confidence = 0.85;
    }
    const end = withExtension(scan, this.#ends[count - 1] ?? at);
    if (!scan.isEnd(end)) return -1;
    scan.add(start, end, detector, confidence);
    return end;
  }

  #read(scan: Scan, at: number): void {
    const { bytes, end } = scan;
    let here = at;
    let groups = 0;
    let digits = 0;
    let prefix = 0;
    while (groups < GROUPS_MAX && digits < DIGITS_MAX) {
      const from = here;
      for (; here < end && digits < DIGITS_MAX; here += 1) {
        const digit = (bytes[here] ?? 0) - 48;
        if (digit < 0 || digit > 9) break;
        if (digits < PREFIX_DIGITS) prefix = prefix * 10 + digit;
        digits += 1;
      }
      if (here === from) break;
      this.#sizes[groups] = here - from;
      this.#ends[groups] = here;
      groups += 1;
      here += separator(scan, here);
      // `+44 (0)20`: the trunk prefix is not dialled from abroad.
      if (groups === 1) here += trunkPrefix(scan, here);
    }
    this.#groups = groups;
    this.#digits = digits;
    this.#prefix = prefix;
  }

  /** How many groups, from the first, make a whole number with a known country code. */
  #internationalGroups(skipped: number): number {
    const scale = 10 ** (PREFIX_DIGITS - skipped);
    const prefix = this.#prefix % scale;
    let total = this.#digits - skipped;
    for (let count = this.#groups; count > 0; count -= 1) {
      for (let length = 1; length <= 3; length += 1) {
        const [min, max] = planOf(Math.trunc(prefix / (scale / 10 ** length)), length);
        if (total - length >= min && total - length <= max) return count;
      }
      total -= this.#sizes[count - 1] ?? 0;
    }
    return 0;
  }

  #isShape(from: number, ...sizes: readonly number[]): boolean {
    return (
      this.#groups >= from + sizes.length &&
      sizes.every((size, i) => this.#sizes[from + i] === size)
    );
  }

  /** How many groups make a national form that is clear by its groups alone. */
  #freeGroups(scan: Scan, start: number): number {
    const first = this.#sizes[0] ?? 0;
    if (first > 3 || this.#groups < 3) return 0;
    // France: 0x xx xx xx xx; Japan: 0x0-xxxx-xxxx.
    const isFrench = first === 2 && this.#prefix >= 100_000 && this.#isShape(0, 2, 2, 2, 2, 2);
    if (isFrench && this.#prefix < 1_000_000)
      return isAlone(scan, start, this.#ends[4] ?? 0) ? 5 : 0;
    if (first === 3 && this.#isShape(0, 3, 4, 4)) {
      const area = Math.trunc(this.#prefix / 10_000);
      const isMobile = area === 50 || area === 70 || area === 80 || area === 90;
      return isMobile && isAlone(scan, start, this.#ends[2] ?? 0) ? 3 : 0;
    }
    const skip = first === 1 && this.#prefix >= 1_000_000 && this.#prefix < 2_000_000 ? 1 : 0;
    if (!this.#isShape(skip, 3, 3, 4)) return 0;
    const digits = skip === 1 ? this.#prefix % 1_000_000 : Math.trunc(this.#prefix / 10);
    const area = Math.trunc(digits / 1_000);
    const exchange = digits % 1_000;
    const isNumber = area >= 200 && area % 100 !== 11 && exchange >= 200 && exchange % 100 !== 11;
    return isNumber && isAlone(scan, start, this.#ends[2 + skip] ?? 0) ? 3 + skip : 0;
  }
}

/** Whether a whole value is a telephone number, for columns that say so. */
export function isPhoneValue(text: string): boolean {
  const [main = ''] = text.split(/\s*(?:x|ext\.?|extension|#)\s*\d{1,6}$/i, 1);
  const digits = main.replace(/\D/g, '').length;
  // Moments stand in columns about telephones too: `phone_verified_at`.
  const isDate = /^(?:19|20)\d\d-\d\d-\d\d$/.test(main);
  return !isDate && digits >= 6 && digits <= 15 && /^\+?[\d\s().\-/–]+$/.test(main);
}

/** The length of a trunk prefix in brackets, with the bracket before `at` or at it. */
function trunkPrefix(scan: Scan, at: number): number {
  const zero = scan.byte(at) === OPEN ? at + 1 : at;
  if (scan.byte(zero - 1) !== OPEN || scan.byte(zero) !== 48 || scan.byte(zero + 1) !== CLOSE) {
    return 0;
  }
  const next = scan.byte(zero + 2);
  return zero + (next === SPACE || next === 45 ? 3 : 2) - at;
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
  const next = scan.byte(end) === SPACE ? scan.byte(end + 1) : scan.byte(end);
  if ((next | 0x20) !== 0x78 && (next | 0x20) !== 0x65) return end;
  const match = /^\s?(?:x|ext\.?|extension)\s?\d{1,6}(?!\w)/i.exec(
    scan.latin1(end, Math.min(scan.end, end + 20)),
  );
  return match === null ? end : end + match[0].length;
}
