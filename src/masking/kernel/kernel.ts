/**
 * The prefilter: where in a text it is worth to look closer. Wraps the WebAssembly module of
 * `anchors.as`; text goes in by copy, because read buffers belong to the protocols.
 *
 * Invariant: it over-approximates. An anchor that it does not report is a leak, so its equal in
 * plain TypeScript is in the tests, and both are compared on generated text.
 */
import { kernelModule } from './module.generated.ts';

/** Kinds of anchors; the numbers are those of `anchors.as`. */
export const anchor = {
  at: 1,
  word: 2,
  digits: 3,
  key: 4,
  long: 5,
  colons: 6,
  tilde: 7,
} as const;

/** Bytes that were seen and may need the text to be folded first. */
export const seenEscape = 1;
export const seenHigh = 2;
export const seenBackslash = 4;

/** What a kernel looks for. */
export interface KernelOptions {
  /** Kinds of {@link anchor} that are wanted. */
  readonly kinds: readonly number[];
  /** Beginnings of tokens, four bytes each, letters in any case; a fourth of -1 is any byte. */
  readonly words: Iterable<readonly [number, number, number, number]>;
  /** The last three bytes of short keys and the last four of others, letters in any case. */
  readonly keyEndings: Iterable<readonly [number, number, number, number?]>;
  readonly digitsMin: number;
  readonly longMin: number;
}

/** Bytes that one call looks at; the engine cuts longer texts into overlapping windows. */
export const WINDOW_BYTES: number = 16 * 1024;

const THREES_BYTES = 8 * 1024;
const FOURS_BYTES = 32 * 1024;
const ENDINGS_BYTES = 8 * 1024;
/** Keys are looked at from behind, so there is room before the text. */
const ENDINGS_AT = THREES_BYTES + FOURS_BYTES;
const TEXT_AT: number = ENDINGS_AT + 2 * ENDINGS_BYTES + 64;
const EVENTS_AT = TEXT_AT + WINDOW_BYTES + 128;

interface Exports {
  readonly memory: { readonly buffer: ArrayBuffer };
  readonly find: (
    text: number,
    length: number,
    events: number,
    wanted: number,
    digitsMin: number,
    longMin: number,
  ) => number;
}

/** The part of the platform's WebAssembly that is used; not in the ES library's types. */
declare const WebAssembly: {
  readonly Module: new (bytes: Uint8Array) => object;
  readonly Instance: new (module: object, imports: object) => { readonly exports: unknown };
};

let compiled: object | undefined;

function instantiate(): Exports {
  compiled ??= new WebAssembly.Module(
    Uint8Array.from(atob(kernelModule), (character) => character.charCodeAt(0)),
  );
  const { exports } = new WebAssembly.Instance(compiled, {});
  if (!hasExports(exports)) throw new TypeError('the masking kernel is not the one expected');
  return exports;
}

function hasExports(exports: unknown): exports is Exports {
  return typeof exports === 'object' && exports !== null && 'find' in exports;
}

/** One kernel with its tables and its memory. Synchronous: one text at a time. */
export class Kernel {
  /**
   * `position << 3 | kind` of each anchor of the last text, in the text's order; only as many as
   * `find` returned.
   */
  readonly events: Uint32Array;
  /** Bits of {@link seenEscape} and its like, of the last text. */
  special: number = 0;
  readonly #text: Uint8Array;
  /** Kept by itself: looking it up in the exports takes as long as a short text. */
  readonly #find: Exports['find'];
  readonly #wanted: number;
  readonly #digitsMin: number;
  readonly #longMin: number;
  /** Whether a look at single bytes can tell that there is no anchor: see `isPlain`. */
  readonly #isSimple: boolean;
  readonly #plainSteps: Int32Array;

  constructor(options: KernelOptions) {
    const exports = instantiate();
    this.#find = exports.find;
    const memory = exports.memory.buffer;
    this.#text = new Uint8Array(memory, TEXT_AT, WINDOW_BYTES);
    this.events = new Uint32Array(memory, EVENTS_AT, 2 * WINDOW_BYTES);
    this.#wanted = options.kinds.reduce((bits, kind) => bits | (1 << kind), 0);
    this.#plainSteps = plainStepsOf(options.kinds);
    this.#isSimple = options.kinds.every((kind) => SIMPLE.includes(kind));
    this.#digitsMin = options.digitsMin;
    this.#longMin = options.longMin;
    fillTables(
      new Uint8Array(memory, 0, THREES_BYTES),
      new Uint8Array(memory, THREES_BYTES, FOURS_BYTES),
      options.words,
    );
    const threes = new Uint8Array(memory, ENDINGS_AT, ENDINGS_BYTES);
    const fours = new Uint8Array(memory, ENDINGS_AT + ENDINGS_BYTES, ENDINGS_BYTES);
    for (const [a, b, c, d] of options.keyEndings) {
      if (d === undefined) setBit(threes, hashOfThree(a, b, c));
      else setBit(fours, Math.imul(fourOf(a, b, c, d), 0x85ebca6b) >>> 16);
    }
  }

  /** Looks at `bytes[start, end)`, at most {@link WINDOW_BYTES}; positions count from `start`. */
  find(bytes: Uint8Array, start: number, end: number): number {
    const length = end - start;
    const text = this.#text;
    if (this.#isSimple && length <= PLAIN_BYTES && this.#isPlain(bytes, start, end)) {
      this.special = 0;
      return 0;
    }
    // For a short cell a loop costs less than a view and a call.
    if (length <= SHORT_BYTES)
      for (let at = 0; at < length; at += 1) text[at] = bytes[start + at] ?? 0;
    else text.set(bytes.subarray(start, end));
    const answer = this.#find(
      TEXT_AT,
      length,
      EVENTS_AT,
      this.#wanted,
      this.#digitsMin,
      this.#longMin,
    );
    this.special = answer & 7;
    const count = answer >>> 3;
    if (count > 1) this.#sort(count);
    return count;
  }

  /** Puts the events in the order of the text; they are almost in it. */
  #sort(count: number): void {
    const { events } = this;
    if (count > SORTED_BY_HAND) {
      events.subarray(0, count).sort();
      return;
    }
    for (let i = 1; i < count; i += 1) {
      const event = events[i] ?? 0;
      let at = i;
      for (; at > 0 && (events[at - 1] ?? 0) > event; at -= 1) events[at] = events[at - 1] ?? 0;
      events[at] = event;
    }
  }

  /**
   * Whether a short text has no sign that matters and too few digits in any group. Without a branch
   * a byte: the low byte of `counts` counts the digits of a group, the next its dots (an IPv4
   * address has few digits but three dots), and `limits` makes the top bit of either say too many.
   */
  #isPlain(bytes: Uint8Array, start: number, end: number): boolean {
    const steps = this.#plainSteps;
    const limits = 128 - this.#digitsMin + ((128 - 3) << 8);
    let counts = 0;
    let seen = 0;
    for (let at = start; at < end; at += 1) {
      const step = steps[bytes[at] ?? 0] ?? 0;
      counts = (counts + (step & COUNTED)) & (step >>> 16);
      seen |= step | (counts + limits);
    }
    return (seen & TOO_MANY) === 0;
  }
}

/** Kinds of anchors that a sign or a count of digits gives away. */
const SIMPLE: readonly number[] = [
  anchor.at,
  anchor.digits,
  anchor.key,
  anchor.colons,
  anchor.tilde,
];
const SHORT_BYTES = 48;
const PLAIN_BYTES = 56;
const SORTED_BY_HAND = 48;
/** Parts of the steps of `isPlain`: what is counted, and what ends the count with an alarm. */
const COUNTED = 0x0101;
const TOO_MANY = 0x8080;
const KEEPS = 0xffff << 16;
const DIGIT = KEEPS | 0x0001;
const DOT = KEEPS | 0x0100;
const JOINT = KEEPS;
const SIGN = 0x0080;
const OTHER = 0;

/** What each byte does to the counts of `isPlain`, when these kinds of anchors are wanted. */
function plainStepsOf(kinds: readonly number[]): Int32Array {
  const signs = new Set('\u001b\\');
  if (kinds.includes(anchor.at)) for (const sign of '@%') signs.add(sign);
  if (kinds.includes(anchor.key)) for (const sign of ':=') signs.add(sign);
  if (kinds.includes(anchor.colons)) for (const sign of ':-') signs.add(sign);
  if (kinds.includes(anchor.tilde)) signs.add('~');
  return Int32Array.from({ length: 256 }, (_, byte) => {
    const character = String.fromCharCode(byte);
    if (byte >= 0x80 || signs.has(character)) return SIGN;
    if (/[0-9]/.test(character)) return DIGIT;
    if (character === '.' && kinds.includes(anchor.colons)) return DOT;
    return /[ ./()-]/.test(character) ? JOINT : OTHER;
  });
}

function setBit(table: Uint8Array, bit: number): void {
  table[bit >> 3] = (table[bit >> 3] ?? 0) | (1 << (bit & 7));
}

const threeOf = (a: number, b: number, c: number): number =>
  (a | (b << 8) | (c << 16) | 0x202020) & 0xffffff;
const fourOf = (a: number, b: number, c: number, d: number): number =>
  threeOf(a, b, c) | (d << 24) | 0x20202020;
const hashOfThree = (a: number, b: number, c: number): number =>
  Math.imul(threeOf(a, b, c), 0x9e3779b1) >>> 16;

function fillTables(threes: Uint8Array, fours: Uint8Array, words: KernelOptions['words']): void {
  for (const [a, b, c, d] of words) {
    setBit(threes, hashOfThree(a, b, c));
    for (let last = d < 0 ? 0 : d; last <= (d < 0 ? 255 : d); last += 1) {
      const four = fourOf(a, b, c, last);
      setBit(fours, Math.imul(four, 0x85ebca6b) >>> 14);
      setBit(fours, Math.imul(four, 0xc2b2ae35) >>> 14);
    }
  }
}
