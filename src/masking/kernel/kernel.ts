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
  /** Words (and other beginnings of tokens) of three bytes, letters in any case. */
  readonly words: Iterable<readonly [number, number, number]>;
  readonly digitsMin: number;
  readonly longMin: number;
}

/** Bytes that one call looks at; the engine cuts longer texts into overlapping windows. */
export const WINDOW_BYTES: number = 16 * 1024;

const TABLE_BYTES = 8 * 1024;
const TEXT_AT = TABLE_BYTES;
const EVENTS_AT = TEXT_AT + WINDOW_BYTES + 128;

interface Exports {
  readonly memory: { readonly buffer: ArrayBuffer };
  readonly special: { readonly value: number };
  find(
    text: number,
    length: number,
    events: number,
    wanted: number,
    digitsMin: number,
    longMin: number,
  ): number;
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
  /** `position << 3 | kind` of each anchor of the last text; only as many as `find` returned. */
  readonly events: Uint32Array;
  /** Bits of {@link seenEscape} and its like, of the last text. */
  special: number = 0;
  readonly #text: Uint8Array;
  readonly #exports: Exports;
  readonly #wanted: number;
  readonly #digitsMin: number;
  readonly #longMin: number;

  constructor(options: KernelOptions) {
    this.#exports = instantiate();
    const memory = this.#exports.memory.buffer;
    this.#text = new Uint8Array(memory, TEXT_AT, WINDOW_BYTES);
    this.events = new Uint32Array(memory, EVENTS_AT, 2 * WINDOW_BYTES);
    this.#wanted = options.kinds.reduce((bits, kind) => bits | (1 << kind), 0);
    this.#digitsMin = options.digitsMin;
    this.#longMin = options.longMin;
    const table = new Uint8Array(memory, 0, TABLE_BYTES);
    for (const [a, b, c] of options.words) {
      const hash = Math.imul((a | (b << 8) | (c << 16) | 0x202020) & 0xffffff, 0x9e3779b1) >>> 16;
      table[hash >> 3] = (table[hash >> 3] ?? 0) | (1 << (hash & 7));
    }
  }

  /** Looks at `bytes[start, end)`, at most {@link WINDOW_BYTES}; positions count from `start`. */
  find(bytes: Uint8Array, start: number, end: number): number {
    const length = end - start;
    const text = this.#text;
    // For a short cell a loop costs less than a view and a call.
    if (length <= 96) for (let at = 0; at < length; at += 1) text[at] = bytes[start + at] ?? 0;
    else text.set(bytes.subarray(start, end));
    const count = this.#exports.find(
      TEXT_AT,
      length,
      EVENTS_AT,
      this.#wanted,
      this.#digitsMin,
      this.#longMin,
    );
    this.special = this.#exports.special.value;
    return count;
  }
}
