/**
 * `numeric` in binary: four 16-bit numbers (count of digits, weight of the first, sign, digits to
 * show behind the point), then digits to the base of 10,000.
 */
import { int16, putInt16 } from './codec/frames.ts';

const NEGATIVE = 0x4000;
const DIGITS_MAX = 1000;

export function decodeNumeric(bytes: Uint8Array, start: number, end: number): string | undefined {
  if (end - start < 8) return undefined;
  const count = int16(bytes, start);
  const weight = int16(bytes, start + 2);
  const sign = int16(bytes, start + 4) & 0xffff;
  const scale = int16(bytes, start + 6);
  if (count < 0 || end - start !== 8 + count * 2) return undefined;
  if (sign !== 0 && sign !== NEGATIVE) return undefined;
  // A value of a few digits may have a huge weight; text of it is of no use to a mask.
  if (Math.abs(weight) > DIGITS_MAX || scale > DIGITS_MAX * 4 || scale < 0) return undefined;
  const digit = (index: number): string => {
    const value = index >= 0 && index < count ? int16(bytes, start + 8 + index * 2) : 0;
    return String(value).padStart(4, '0');
  };
  let whole = '';
  for (let index = 0; index <= weight; index += 1) whole += digit(index);
  let fraction = '';
  for (let index = weight + 1; fraction.length < scale; index += 1) fraction += digit(index);
  const shown = whole.replace(/^0+(?=.)/, '') || '0';
  const text = scale === 0 ? shown : `${shown}.${fraction.slice(0, scale)}`;
  return sign === NEGATIVE ? `-${text}` : text;
}

export function encodeNumeric(text: string): Uint8Array | undefined {
  const match = /^(-?)([0-9]{1,1000})(?:\.([0-9]{0,1000}))?$/.exec(text);
  if (match === null) return undefined;
  const [, sign = '', whole = '', fraction = ''] = match;
  const padded = whole.padStart(Math.ceil(whole.length / 4) * 4, '0');
  const all = padded + fraction.padEnd(Math.ceil(fraction.length / 4) * 4, '0');
  const digits: number[] = [];
  for (let at = 0; at < all.length; at += 4) digits.push(Number(all.slice(at, at + 4)));
  let weight = padded.length / 4 - 1;
  while (digits.length > 0 && digits[0] === 0) {
    digits.shift();
    weight -= 1;
  }
  while (digits.length > 0 && digits.at(-1) === 0) digits.pop();
  if (digits.length === 0) weight = 0;
  const out = new Uint8Array(8 + digits.length * 2);
  putInt16(out, 0, digits.length);
  putInt16(out, 2, weight);
  putInt16(out, 4, sign === '-' && digits.length > 0 ? NEGATIVE : 0);
  putInt16(out, 6, fraction.length);
  digits.forEach((digit, index) => putInt16(out, 8 + index * 2, digit));
  return out;
}
