/** Detection without masking: for `mask scan`, the evaluation, and samples of columns. */
import type { CellKind, ContentDetector, Finding } from '#core/masking.ts';
import { detectorsNamed } from './detectors/table.ts';
import { Examiner } from './examine.ts';
import { compilePattern, type CustomPattern } from './patterns.ts';
import { Plan } from './plan.ts';
import { nextPiece, startOfText } from './segments.ts';

const encoder = new TextEncoder();

/** Finds personal data and secrets in values and in text. */
export class Detection implements ContentDetector {
  readonly #plan: Plan;
  readonly #examiner: Examiner;

  /**
   * @param detect - detector and group names, as in policies; unknown ones find nothing.
   * @param patterns - the customer's own; all of them are wanted.
   */
  constructor(
    detect: readonly string[] = ['pii', 'secret'],
    patterns: readonly CustomPattern[] = [],
  ) {
    const wanted = detect.flatMap((name) => detectorsNamed(name).map((detector) => detector.name));
    this.#plan = new Plan(
      new Set([...wanted, ...patterns.map(({ name }) => name)]),
      patterns.map(compilePattern),
    );
    this.#examiner = new Examiner(this.#plan);
  }

  /**
   * What is in one database value.
   *
   * @param kind - its type, if that is known; else text, or JSON where it parses as JSON.
   */
  value(value: string, column: string | undefined, kind?: CellKind): Finding[] {
    const bytes = encoder.encode(value);
    const hint = column === undefined ? 0 : this.#plan.hint(column);
    const first = value.trimStart()[0];
    const read = kind ?? (first === '{' || first === '[' ? jsonOrText(value) : 'text');
    if (!this.#examiner.examine(bytes, 0, bytes.length, read, hint)) return [];
    if (this.#examiner.isExhausted) return [unreadable(value, bytes, 0, bytes.length)];
    return this.#collect(value, bytes, 0, bytes.length);
  }

  /** What is in a text of any length. */
  text(text: string): Finding[] {
    const bytes = encoder.encode(text);
    const found: Finding[] = [];
    const position = startOfText();
    const whole = { bytes, end: bytes.length, isLast: true };
    for (;;) {
      const piece = nextPiece(this.#examiner, whole, position);
      if (piece === undefined) return found;
      const { start, end, isOpaque } = piece;
      if (isOpaque) found.push(unreadable(text, bytes, start, end));
      else if (piece.isHit) found.push(...this.#collect(text, bytes, start, end));
    }
  }

  /** The findings of the examiner that are between `start` and `end`. */
  #collect(text: string, bytes: Uint8Array, start: number, end: number): Finding[] {
    const offsets = new Offsets(text, bytes);
    const found: Finding[] = [];
    for (let index = 0; index < this.#examiner.count; index += 1) {
      const from = Math.max(start, this.#examiner.start(index));
      const to = Math.min(end, this.#examiner.end(index));
      const detector = this.#plan.kinds[this.#examiner.kind(index)];
      if (to <= from || detector === undefined) continue;
      found.push({
        entity: detector.entity,
        detector: detector.name,
        start: offsets.of(from),
        end: offsets.of(to),
        confidence: Math.round(this.#examiner.confidence(index) * 100) / 100,
      });
    }
    return found;
  }
}

/** A value that asks for more work than it is given counts as found, all of it. */
function unreadable(text: string, bytes: Uint8Array, start: number, end: number): Finding {
  const offsets = new Offsets(text, bytes);
  const range = { start: offsets.of(start), end: offsets.of(end) };
  return { entity: 'UNREADABLE', detector: 'unreadable', ...range, confidence: 0 };
}

function jsonOrText(value: string): 'json' | 'text' {
  try {
    JSON.parse(value);
    return 'json';
  } catch {
    return 'text';
  }
}

/** Byte offsets to UTF-16 ones, for offsets that grow. */
class Offsets {
  readonly #isAscii: boolean;
  readonly #bytes: Uint8Array;
  #byte: number = 0;
  #unit: number = 0;

  constructor(text: string, bytes: Uint8Array) {
    this.#isAscii = text.length === bytes.length;
    this.#bytes = bytes;
  }

  of(byte: number): number {
    if (this.#isAscii) return byte;
    if (byte < this.#byte) {
      this.#byte = 0;
      this.#unit = 0;
    }
    for (; this.#byte < byte; this.#byte += 1) {
      const value = this.#bytes[this.#byte] ?? 0;
      // Continuation bytes count nothing; four-byte characters are two units.
      if ((value & 0xc0) !== 0x80) this.#unit += value >= 0xf0 ? 2 : 1;
    }
    return this.#unit;
  }
}
