/**
 * The elements of lists as databases and JSON write them: `{a,"b c",NULL}`, `["a", "b"]`, `(1,x)`.
 *
 * Invariant: every byte walked over is paid for.
 */
import type { Scan } from './scan.ts';

/** Where an element is, without its quotes. */
export interface Element {
  readonly start: number;
  readonly end: number;
}

/** What the judgement of one element costs, beside its bytes. */
const ELEMENT_STEPS = 40;
const QUOTE = 34;
const BACKSLASH = 92;
const COMMA = 44;
/** Opening and closing signs; what is nested is read as if it were not. */
const BRACE = 0x7b;
const OPENS: readonly number[] = [0x5b, BRACE, 0x28, 0x20, 0x09, 0x0a];
const CLOSES: readonly number[] = [0x5d, 0x7d, 0x29];

/**
 * The elements from `from` on, to the end of the list or of the text, or until it is exhausted. A
 * quote that stands at `from` closes something, so the first element begins behind the next comma.
 *
 * @param isJson - what stands in braces has names of its own, so a brace ends the list.
 */
export function* elementsOf(scan: Scan, from: number, isJson: boolean): Generator<Element> {
  const { bytes, end } = scan;
  let at = from;
  let depth = 1;
  if (bytes[at] === QUOTE && isClosing(bytes, at, end)) at += 1;
  while (at < end && depth > 0 && scan.spend(1)) {
    const byte = bytes[at] ?? 0;
    if (byte === BRACE && isJson) return;
    if (byte === COMMA) at += 1;
    else if (OPENS.includes(byte)) {
      if (byte > 0x20) depth += 1;
      at += 1;
    } else if (CLOSES.includes(byte)) {
      depth -= 1;
      at += 1;
    } else {
      const isQuoted = byte === QUOTE;
      const start = isQuoted ? at + 1 : at;
      const stop = isQuoted ? quoteEnd(bytes, start, end) : plainEnd(bytes, start, end);
      if (!scan.spend(stop - start + ELEMENT_STEPS)) return;
      if (stop > start) yield { start, end: stop };
      at = isQuoted ? stop + 1 : stop;
    }
  }
}

/** Whether the quote at `at` closes: a comma or a closing sign follows. */
function isClosing(bytes: Uint8Array, at: number, end: number): boolean {
  let next = at + 1;
  while (next < end && (bytes[next] ?? 0) <= 0x20) next += 1;
  const byte = bytes[next] ?? 0;
  return next >= end || byte === COMMA || CLOSES.includes(byte);
}

function quoteEnd(bytes: Uint8Array, from: number, end: number): number {
  let at = from;
  while (at < end && bytes[at] !== QUOTE) at += bytes[at] === BACKSLASH ? 2 : 1;
  return Math.min(at, end);
}

function plainEnd(bytes: Uint8Array, from: number, end: number): number {
  let at = from;
  while (at < end) {
    const byte = bytes[at] ?? 0;
    if (byte === COMMA || byte === QUOTE || CLOSES.includes(byte)) break;
    at += 1;
  }
  return Math.max(at, from + 1);
}
