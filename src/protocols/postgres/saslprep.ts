/**
 * SASLprep (RFC 4013) as PostgreSQL applies it to passwords: one that cannot be prepared is used
 * as it is. The checks for unassigned and bidirectional characters are left out: they can matter
 * only to a password that normalisation changes as well.
 */

type Ranges = readonly (readonly [first: number, last: number])[];

/** RFC 3454 table C.1.2: become a space. */
const spaces: Ranges = [
  [0xa0, 0xa0],
  [0x1680, 0x1680],
  [0x2000, 0x200b],
  [0x202f, 0x202f],
  [0x205f, 0x205f],
  [0x3000, 0x3000],
];

/** Table B.1: become nothing. */
const nothing: Ranges = [
  [0xad, 0xad],
  [0x34f, 0x34f],
  [0x1806, 0x1806],
  [0x180b, 0x180d],
  [0x200c, 0x200d],
  [0x2060, 0x2060],
  [0xfe00, 0xfe0f],
  [0xfeff, 0xfeff],
];

/** Tables C.2.1 to C.9 but for the last two code points of each plane. */
const prohibited: Ranges = [
  [0x00, 0x1f],
  [0x7f, 0x9f],
  [0x340, 0x341],
  [0x6dd, 0x6dd],
  [0x70f, 0x70f],
  [0x180e, 0x180e],
  [0x200e, 0x200f],
  [0x2028, 0x202e],
  [0x2061, 0x2063],
  [0x206a, 0x206f],
  [0x2ff0, 0x2ffb],
  [0xd800, 0xf8ff],
  [0xfdd0, 0xfdef],
  [0xfff9, 0xffff],
  [0x1d173, 0x1d17a],
  [0xe0001, 0xe0001],
  [0xe0020, 0xe007f],
  [0xf0000, 0x10ffff],
];

const isIn = (ranges: Ranges, code: number): boolean =>
  ranges.some(([first, last]) => code >= first && code <= last);

/** The form of a password that keys are derived from. */
export function preparePassword(password: string): string {
  let mapped = '';
  for (const letter of password) {
    const code = letter.codePointAt(0) ?? 0;
    if (isIn(spaces, code)) mapped += ' ';
    else if (!isIn(nothing, code)) mapped += letter;
  }
  const prepared = mapped.normalize('NFKC');
  for (const letter of prepared) {
    const code = letter.codePointAt(0) ?? 0;
    if (isIn(prohibited, code) || (code & 0xfffe) === 0xfffe) return password;
  }
  return prepared === '' ? password : prepared;
}
