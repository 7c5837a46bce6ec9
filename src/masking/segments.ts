/**
 * Cuts text into the pieces that are masked each by itself. Where it cuts depends on the text
 * alone, never on how it arrived, which is what makes a stream's mask equal to a document's.
 *
 * A piece is a line, or the lines from `-----BEGIN … PRIVATE KEY-----` to its end. A longer line
 * is cut where nothing is found that a cut would break, with what stood before the cut as context;
 * where there is no such place, all of it is masked.
 */
import { ascii, classOf, hasFolded, isWord } from './bytes.ts';
import type { Examiner } from './examine.ts';

/** Bytes of the longest piece; what a stream may have to hold back. */
export const PIECE_BYTES_MAX: number = 64 * 1024;
/** How much of a long line is looked at after a cut, so that nothing that spans it is missed. */
const AHEAD_BYTES = 4 * 1024;
/** How much of a long line is looked at before a cut, for the words before a value. */
const CONTEXT_BYTES = 256;

/** Longer lines name nothing for the next. */
const NAMING_BYTES_MAX = 160;
const NAME: Uint8Array = ascii('name');
const REGARDS: Uint8Array = ascii('regards');

const NEWLINE = 10;
const DASH = 45;

/** Where a walk through a text is. */
export interface Position {
  /** Where the next piece starts. */
  start: number;
  /** Where its context starts: before `start` when the line was cut there. */
  context: number;
  /** Where the last line that has come begins. */
  line: number;
  /** Up to where the text has been looked at for a line end: no byte is looked at twice. */
  seen: number;
  /** Whether that line is in a private key. */
  inKey: boolean;
}

/** The start of a text. */
export function startOfText(): Position {
  return { start: 0, context: 0, line: 0, seen: 0, inKey: false };
}

/** One piece; the examiner that made it holds its findings. */
export interface Piece {
  readonly start: number;
  readonly end: number;
  /** All of it is to be masked. */
  readonly isOpaque: boolean;
  /** Whether the examiner found anything. */
  readonly isHit: boolean;
}

/** What there is of a text. */
export interface TextSoFar {
  readonly bytes: Uint8Array;
  readonly end: number;
  /** Whether nothing comes after `end`. */
  readonly isLast: boolean;
}

/**
 * Examines the next piece of the text and moves `position` behind it.
 *
 * @returns undefined when more text is needed, or there is none.
 */
export function nextPiece(
  examiner: Examiner,
  text: TextSoFar,
  position: Position,
): Piece | undefined {
  const { start, context } = position;
  const { bytes, end, isLast } = text;
  if (start >= end) return undefined;
  const stop = pieceEnd(text, position);
  if (stop < 0) return undefined;
  const isHit = examiner.examine(bytes, context, stop, 'text', 0);
  const isFull = stop - start === PIECE_BYTES_MAX && bytes[stop - 1] !== NEWLINE;
  if (!isFull || (stop === end && isLast)) {
    const { line } = position;
    moveTo(position, stop, namesNext(bytes, line, stop) ? Math.max(start, line) : stop);
    return { start, end: stop, isOpaque: examiner.isExhausted, isHit };
  }
  const cut = examiner.isExhausted ? -1 : safeCut(examiner, bytes, start, stop);
  const next = cut < 0 ? stop : cut;
  moveTo(position, next, Math.max(start, next - CONTEXT_BYTES));
  return { start, end: next, isOpaque: cut < 0, isHit };
}

function moveTo(position: Position, start: number, context: number): void {
  position.start = start;
  position.context = context;
  position.line = start;
  position.seen = start;
  position.inKey = false;
}

/**
 * Whether a line names what stands in the next: `- name: DB_PASSWORD`, with `value: …` below it, or
 * `Kind regards,`. Long lines do not.
 */
function namesNext(bytes: Uint8Array, start: number, end: number): boolean {
  if (end - start > NAMING_BYTES_MAX || bytes[end - 1] !== NEWLINE) return false;
  for (let at = start; at + 4 < end; at += 1) {
    if (hasFolded(bytes, at, NAME) || hasFolded(bytes, at, REGARDS)) return true;
  }
  return false;
}

/** The last place, with text ahead of it, that is between words and in no finding. */
function safeCut(examiner: Examiner, bytes: Uint8Array, start: number, end: number): number {
  let finding = examiner.count - 1;
  for (let at = end - AHEAD_BYTES; at > start + PIECE_BYTES_MAX / 2; at -= 1) {
    while (finding >= 0 && examiner.start(finding) >= at) finding -= 1;
    if (finding >= 0 && examiner.end(finding) > at) {
      at = examiner.start(finding) + 1;
      continue;
    }
    if (isBetweenWords(bytes, at)) return at;
  }
  return -1;
}

/** After a comma, a semicolon, a closing bracket or a space that no digit or capital follows. */
function isBetweenWords(bytes: Uint8Array, at: number): boolean {
  const before = bytes[at - 1] ?? 0;
  if (before === 0x20) {
    const next = bytes[at] ?? 0;
    return next >= 97 && next <= 122 && (classOf(bytes, at - 2) & isWord) !== 0;
  }
  return before === 0x2c || before === 0x3b || before === 0x7d || before === 0x3e;
}

/** Where the piece ends at the latest; -1 when that cannot be told yet. */
function pieceEnd({ bytes, end, isLast }: TextSoFar, position: Position): number {
  const limit = position.start + PIECE_BYTES_MAX;
  for (;;) {
    const newline = newlineIn(bytes, Math.max(position.line, position.seen), end);
    const stop = newline < 0 ? end : newline + 1;
    if (stop >= limit) return limit;
    position.seen = stop;
    if (newline < 0 && !isLast) return -1;
    const inKey = position.inKey
      ? !endsKey(bytes, position.line, stop)
      : beginsKey(bytes, position.line, stop);
    if (!inKey || newline < 0) return stop;
    position.line = stop;
    position.inKey = true;
  }
}

function newlineIn(bytes: Uint8Array, from: number, end: number): number {
  for (let at = from; at < end; at += 1) if (bytes[at] === NEWLINE) return at;
  return -1;
}

/** Whether a private key begins in this line and does not end in it. */
function beginsKey(bytes: Uint8Array, start: number, end: number): boolean {
  for (let at = start; at + 20 < end; at += 1) {
    if (bytes[at] !== DASH || bytes[at + 4] !== DASH || bytes[at + 5] !== 66) continue;
    const line = String.fromCharCode(...bytes.subarray(at, Math.min(end, at + 80)));
    if (/^-----BEGIN [A-Z0-9 ]{0,24}PRIVATE KEY(?: BLOCK)?-----/.test(line)) {
      return !endsKey(bytes, at + 20, end);
    }
  }
  return false;
}

/** Whether the last line of a private key is in this line. */
function endsKey(bytes: Uint8Array, start: number, end: number): boolean {
  let dashes = 0;
  for (let at = start; at < end; at += 1) {
    dashes = bytes[at] === DASH ? dashes + 1 : 0;
    if (dashes === 5 && bytes[at + 1] === 69 && bytes[at + 2] === 78) return true;
  }
  return false;
}
