/**
 * The families of check digits. Each takes the compact form of an identifier: ASCII, upper case,
 * separators removed, `length` characters of `chars`.
 */

/** A compact identifier; only the first `length` bytes count. */
export type Check = (chars: Uint8Array, length: number) => boolean;

/** The value of a digit at `at`. */
export const digitAt = (chars: Uint8Array, at: number): number => (chars[at] ?? 48) - 48;

/** The number that digits `from` to `to` (exclusive) write; at most 15 of them. */
export function numberAt(chars: Uint8Array, from: number, to: number): number {
  let value = 0;
  for (let at = from; at < to; at += 1) value = value * 10 + digitAt(chars, at);
  return value;
}

/** The sum of digits times `weights`, from `from` on. */
export function weighted(chars: Uint8Array, weights: readonly number[], from = 0): number {
  let sum = 0;
  for (let i = 0; i < weights.length; i += 1) sum += digitAt(chars, from + i) * (weights[i] ?? 0);
  return sum;
}

/** ISO/IEC 7812-1 annex B: cards, IMEI, SIN and many others. */
export function luhn(chars: Uint8Array, length: number, from = 0): boolean {
  let sum = 0;
  let twice = false;
  for (let at = length - 1; at >= from; at -= 1) {
    let digit = digitAt(chars, at);
    if (twice) {
      digit *= 2;
      if (digit > 9) digit -= 9;
    }
    sum += digit;
    twice = !twice;
  }
  return sum % 10 === 0;
}

/** ISO/IEC 7064 mod 97,10 over letters and digits, the first four characters last: IBAN. */
export function iban97(chars: Uint8Array, length: number): boolean {
  let rest = 0;
  for (let i = 0; i < length; i += 1) {
    const byte = chars[(i + 4) % length] ?? 0;
    rest = byte <= 57 ? (rest * 10 + byte - 48) % 97 : (rest * 100 + byte - 55) % 97;
  }
  return rest === 1;
}

/** ISO/IEC 7064 mod 11,10: German tax number, Croatian OIB. */
export function mod1110(chars: Uint8Array, length: number): boolean {
  let product = 10;
  for (let at = 0; at < length - 1; at += 1) {
    const sum = (digitAt(chars, at) + product) % 10;
    product = ((sum === 0 ? 10 : sum) * 2) % 11;
  }
  return (11 - product) % 10 === digitAt(chars, length - 1);
}

/** ISO/IEC 7064 mod 11,2 with X for ten: Chinese resident id. */
export function mod112(chars: Uint8Array, length: number): boolean {
  let rest = 0;
  for (let at = 0; at < length; at += 1) {
    const value = chars[at] === 88 ? 10 : digitAt(chars, at);
    rest = (rest * 2 + value) % 11;
  }
  return rest === 1;
}

const D5: readonly string[] = [
  '0123456789',
  '1234067895',
  '2340178956',
  '3401289567',
  '4012395678',
  '5987604321',
  '6598710432',
  '7659821043',
  '8765932104',
  '9876543210',
];
const PERMUTATION: readonly string[] = [
  '0123456789',
  '1576283094',
  '5803796142',
  '8916043527',
  '9453126870',
  '4286573901',
  '2793806415',
  '7046913258',
];

/** Verhoeff's scheme over the dihedral group of order ten: Aadhaar. */
export function verhoeff(chars: Uint8Array, length: number): boolean {
  let state = 0;
  for (let i = 0; i < length; i += 1) {
    const digit = digitAt(chars, length - 1 - i);
    const moved = (PERMUTATION[i % 8]?.charCodeAt(digit) ?? 48) - 48;
    state = (D5[state]?.charCodeAt(moved) ?? 48) - 48;
  }
  return state === 0;
}

/** GS1: EAN-13 and the Swiss AHV number. */
export function ean13(chars: Uint8Array, length: number): boolean {
  let sum = 0;
  for (let at = 0; at < length; at += 1) sum += digitAt(chars, at) * (at % 2 === 0 ? 1 : 3);
  return sum % 10 === 0;
}

/** Whether all characters are the same: 000-00-0000 and its like pass many check digits. */
export function isMonotone(chars: Uint8Array, length: number): boolean {
  for (let at = 1; at < length; at += 1) if (chars[at] !== chars[0]) return false;
  return true;
}

/** A month and a day that can be a date. */
export function isMonthDay(month: number, day: number): boolean {
  return month >= 1 && month <= 12 && day >= 1 && day <= 31;
}
