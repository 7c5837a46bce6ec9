/**
 * Text as it reads, for text that is written in another way: full-width and Arabic digits, hyphens
 * that are not hyphen-minus, spaces that are not spaces, characters without width, terminal
 * colours in the middle of a number, JSON's `\u0040`. Each folded byte remembers where it came
 * from, so that what is found in the folded text is masked in the written one.
 */

/** A folded text and the way back. */
export interface Folded {
  readonly bytes: Uint8Array;
  /** Where the written form of each folded byte starts; one more entry for the end. */
  readonly starts: Int32Array;
  /** Where it ends. */
  readonly ends: Int32Array;
}

/** What is folded besides characters: see {@link fold}. */
export interface FoldOptions {
  /** Terminal escape sequences are left out. */
  readonly escapes: boolean;
  /** JSON's escapes of strings are resolved. */
  readonly json: boolean;
}

const ESCAPE = 0x1b;
const BACKSLASH = 0x5c;
/**
 * What JSON's escapes read as. A quote inside a string must not end it, and a line end must not
 * end what is looked at, so they read as their kin.
 */
const ESCAPED: Readonly<Record<string, number>> = {
  '"': 39,
  '\\': 92,
  '/': 47,
  b: 32,
  f: 32,
  n: 32,
  r: 32,
  t: 32,
};

/**
 * Folds `bytes[start, end)`.
 *
 * @returns undefined when it reads as it is written.
 */
export function fold(
  bytes: Uint8Array,
  start: number,
  end: number,
  options: FoldOptions,
): Folded | undefined {
  let at = start;
  while (at < end && !mayFold(bytes, at, options)) at += 1;
  if (at === end) return undefined;
  const out = new Uint8Array(end - start + 4);
  const starts = new Int32Array(end - start + 5);
  const ends = new Int32Array(end - start + 5);
  let count = 0;
  let changed = false;
  const put = (byte: number, from: number, to: number): void => {
    out[count] = byte;
    starts[count] = from;
    ends[count] = to;
    count += 1;
  };
  at = start;
  while (at < end) {
    const byte = bytes[at] ?? 0;
    const step =
      byte < 0x80 && byte !== ESCAPE && byte !== BACKSLASH ? 0 : stepAt(bytes, at, end, options);
    if (step === 0) {
      put(byte, at, at + 1);
      at += 1;
      continue;
    }
    // A step is the length of what is written, and what it reads as: a byte, or nothing.
    const to = at + (step >>> 9);
    if ((step & 0x100) !== 0) put(step & 0xff, at, to);
    changed = true;
    at = to;
  }
  if (!changed) return undefined;
  starts[count] = end;
  ends[count] = end;
  return { bytes: out.subarray(0, count), starts, ends };
}

function mayFold(bytes: Uint8Array, at: number, options: FoldOptions): boolean {
  const byte = bytes[at] ?? 0;
  if (byte >= 0x80) return true;
  return (byte === ESCAPE && options.escapes) || (byte === BACKSLASH && options.json);
}

const nothing = (length: number): number => length << 9;
const reads = (length: number, byte: number): number => (length << 9) | 0x100 | byte;

/** What stands at `at`: 0 for itself, else a length and what it reads as. */
function stepAt(bytes: Uint8Array, at: number, end: number, options: FoldOptions): number {
  const byte = bytes[at] ?? 0;
  if (byte === ESCAPE) return options.escapes ? nothing(escapeLength(bytes, at, end)) : 0;
  if (byte === BACKSLASH) return options.json ? jsonEscape(bytes, at, end) : 0;
  const length = byte >= 0xf0 ? 4 : byte >= 0xe0 ? 3 : byte >= 0xc0 ? 2 : 1;
  if (length === 1 || at + length > end) return 0;
  let code = byte & (0x7f >> length);
  for (let i = 1; i < length; i += 1) code = (code << 6) | ((bytes[at + i] ?? 0) & 0x3f);
  return foldCode(code, length);
}

/** The first of each block of ten decimal digits outside of ASCII. */
const DIGIT_BLOCKS: readonly number[] = [
  0x660, 0x6f0, 0x7c0, 0x966, 0x9e6, 0xa66, 0xae6, 0xb66, 0xbe6, 0xc66, 0xce6, 0xd66, 0xe50, 0xed0,
  0xf20, 0x1040, 0x17e0, 0x1810, 0xff10, 0x1d7ce, 0x1d7d8, 0x1d7e2, 0x1d7ec, 0x1d7f6,
];

function foldCode(code: number, length: number): number {
  if (code < 0xa0) return 0;
  // No width: soft hyphen, zero-width space and joiners, marks of direction, byte order mark,
  // variation selectors.
  if (
    code === 0xad ||
    (code >= 0x200b && code <= 0x200f) ||
    (code >= 0x202a && code <= 0x202e) ||
    (code >= 0x2060 && code <= 0x2064) ||
    code === 0xfeff ||
    (code >= 0xfe00 && code <= 0xfe0f)
  ) {
    return nothing(length);
  }
  if (code === 0xa0 || (code >= 0x2000 && code <= 0x200a) || code === 0x202f || code === 0x3000) {
    return reads(length, 32);
  }
  if ((code >= 0x2010 && code <= 0x2015) || code === 0x2212 || code === 0xfe63) {
    return reads(length, 45);
  }
  if (code === 0x2024 || code === 0xfe52) return reads(length, 46);
  if (code >= 0xff01 && code <= 0xff5e) return reads(length, code - 0xfee0);
  if (code >= 0x660) {
    for (const first of DIGIT_BLOCKS) {
      if (code >= first && code < first + 10) return reads(length, 48 + code - first);
    }
  }
  return 0;
}

/** ECMA-48: CSI, OSC and DCS sequences, and those of two or three characters. */
function escapeLength(bytes: Uint8Array, at: number, end: number): number {
  const kind = bytes[at + 1] ?? 0;
  let here = at + 2;
  if (kind === 0x5b) {
    while (here < end && (bytes[here] ?? 0) >= 0x20 && (bytes[here] ?? 0) < 0x40) here += 1;
    return Math.min(here + 1, end) - at;
  }
  if (kind === 0x5d || kind === 0x50 || kind === 0x5e || kind === 0x5f) {
    const stop = Math.min(end, at + 4_096);
    while (here < stop && bytes[here] !== 7 && bytes[here] !== ESCAPE) here += 1;
    return Math.min(bytes[here] === ESCAPE ? here + 2 : here + 1, end) - at;
  }
  if (kind >= 0x20 && kind < 0x30) return Math.min(at + 3, end) - at;
  return Math.min(at + 2, end) - at;
}

function jsonEscape(bytes: Uint8Array, at: number, end: number): number {
  const kind = bytes[at + 1] ?? 0;
  if (kind !== 0x75) {
    const byte = ESCAPED[String.fromCharCode(kind)];
    return byte === undefined || at + 1 >= end ? 0 : reads(2, byte);
  }
  if (at + 6 > end) return 0;
  const code = Number.parseInt(String.fromCharCode(...bytes.subarray(at + 2, at + 6)), 16);
  if (!(code >= 0)) return 0;
  if (code < 0x80) return reads(6, code < 32 ? 32 : code === 34 ? 39 : code);
  const folded = foldCode(code, 6);
  // Letters of other scripts only have to count as letters.
  return folded === 0 ? reads(6, 0xff) : folded;
}
