/**
 * Looks at one value, whatever its kind, and says which parts of it are what. Cells of a typed
 * column are looked at by their name only; text is scanned; text that is written in an unusual way
 * is folded first. Offsets are always those of the value as it is written.
 */
import type { CellKind } from '#core/masking.ts';
import { classOf, isSpace } from './bytes.ts';
import { Finder } from './finder.ts';
import { fold, type Folded } from './fold.ts';
import type { Plan } from './plan.ts';
import { elementsOf } from './lists.ts';
import { valueKind } from './values.ts';

/** Shorter integers are nothing that can be told without a name. */
const INTEGER_DIGITS_MIN = 11;

/** What was found in one value; see {@link Examiner.examine}. */
export class Examiner {
  readonly plan: Plan;
  /** How many findings there are. */
  count: number = 0;
  /** All of the value is one finding: its kind's own replacement is due. */
  isWhole: boolean = false;
  /** The value asked for more work than it is given: to be masked whole, whatever it holds. */
  isExhausted: boolean = false;
  readonly #finder: Finder;
  #folded: Folded | undefined;
  #wholeStart: number = 0;
  #wholeEnd: number = 0;
  #wholeKind: number = -1;

  constructor(plan: Plan) {
    this.plan = plan;
    this.#finder = new Finder(plan);
  }

  /**
   * Examines `bytes[start, end)`.
   *
   * @param hint - from {@link Plan.hint}.
   * @returns whether there is anything to mask.
   */
  examine(bytes: Uint8Array, start: number, end: number, kind: CellKind, hint: number): boolean {
    this.count = 0;
    this.isWhole = false;
    this.isExhausted = false;
    this.#folded = undefined;
    switch (kind) {
      case 'text':
      case 'json':
      case 'other':
      case 'inet':
      case 'macaddr':
        return this.#examineText(bytes, start, end, kind, hint);
      case 'bytes':
        return this.#examineText(bytes, start, end, 'text', hint);
      case 'integer':
        return (
          (hint !== 0 && this.#examineWhole(bytes, start, end, hint)) ||
          this.#examineInteger(bytes, start, end)
        );
      case 'boolean':
      case 'date':
      case 'decimal':
      case 'float':
      case 'interval':
      case 'time':
      case 'timestamp':
      case 'uuid':
        return hint !== 0 && this.#examineWhole(bytes, start, end, hint);
    }
  }

  /** Where finding `index` starts. */
  start(index: number): number {
    if (this.isWhole) return this.#wholeStart;
    const at = this.#finder.scan.starts[index] ?? 0;
    return this.#folded?.starts[at] ?? at;
  }

  /** Where finding `index` ends. */
  end(index: number): number {
    if (this.isWhole) return this.#wholeEnd;
    const at = this.#finder.scan.ends[index] ?? 0;
    return this.#folded === undefined ? at : (this.#folded.ends[at - 1] ?? at);
  }

  /** The number of the detector of finding `index`. */
  kind(index: number): number {
    return this.isWhole ? this.#wholeKind : (this.#finder.scan.found[index] ?? 0);
  }

  /** How sure finding `index` is. */
  confidence(index: number): number {
    return this.isWhole
      ? Math.min(1, (this.plan.kinds[this.#wholeKind]?.confidence ?? 0.5) + 0.1)
      : (this.#finder.scan.confidence[index] ?? 0);
  }

  /** Finding `index` as it reads, not as it is written: what a transform has to see. */
  reading(index: number): Uint8Array | undefined {
    const scan = this.#finder.scan;
    return this.#folded?.bytes.subarray(scan.starts[index], scan.ends[index]);
  }

  #examineText(
    bytes: Uint8Array,
    start: number,
    end: number,
    kind: CellKind,
    hint: number,
  ): boolean {
    if (hint !== 0 && kind !== 'json' && this.#examineWhole(bytes, start, end, hint)) return true;
    const count = this.#findText(bytes, start, end, hint);
    if (count < 0) return this.#exhausted();
    this.count = count;
    const json =
      kind === 'json' ? this.#finder.hasBackslash : this.#hasUnicodeEscape(bytes, start, end);
    if (!this.#finder.special && !json) return count > 0;
    const folded = fold(bytes, start, end, { escapes: true, json });
    if (folded === undefined) return count > 0;
    return this.#examineFolded(folded, kind, hint);
  }

  #examineFolded(folded: Folded, kind: CellKind, hint: number): boolean {
    const { length } = folded.bytes;
    if (hint !== 0 && kind !== 'json' && this.#examineWhole(folded.bytes, 0, length, hint)) {
      this.#wholeEnd = folded.ends[this.#wholeEnd - 1] ?? 0;
      this.#wholeStart = folded.starts[this.#wholeStart] ?? 0;
      return true;
    }
    const count = this.#findText(folded.bytes, 0, length, hint);
    if (count < 0) return this.#exhausted();
    this.#folded = folded;
    this.count = count;
    return count > 0;
  }

  /** Scans a text, and the elements of an array for what its name says. */
  #findText(bytes: Uint8Array, start: number, end: number, hint: number): number {
    const count = this.#finder.find(bytes, start, end, hint);
    const first = bytes[start];
    const isList = first === 0x7b || first === 0x5b || first === 0x28;
    if (count < 0 || hint === 0 || !isList) return count;
    const { scan, tokens } = this.#finder;
    const hints = this.plan.hints(hint);
    for (const element of elementsOf(scan, start + 1, false)) {
      const place = { ...element, isSure: true, isColumn: true };
      const kind = valueKind(scan, hints, place, tokens);
      const { confidence = 0.5 } = this.plan.kinds[kind] ?? {};
      if (kind >= 0) scan.add(element.start, element.end, kind, Math.min(1, confidence + 0.1));
      if (scan.exhausted) return -1;
    }
    scan.settle();
    return scan.exhausted ? -1 : scan.count;
  }

  /** Asks whether the whole value is what its name says. */
  #examineWhole(bytes: Uint8Array, start: number, end: number, hint: number): boolean {
    const hints = this.plan.hints(hint);
    if (hints.hints.length === 0) return false;
    let from = start;
    let to = end;
    while (from < to && (classOf(bytes, from) & isSpace) !== 0) from += 1;
    while (to > from && (classOf(bytes, to - 1) & isSpace) !== 0) to -= 1;
    const { scan } = this.#finder;
    scan.reset(bytes, from, to, hint);
    const place = { start: from, end: to, isSure: true, isColumn: true };
    const kind = valueKind(scan, hints, place, this.#finder.tokens);
    if (kind < 0) return false;
    this.count = 1;
    this.isWhole = true;
    this.#wholeStart = from;
    this.#wholeEnd = to;
    this.#wholeKind = kind;
    return true;
  }

  /** Card and identity numbers are kept in integers too; all of the integer must be one. */
  #examineInteger(bytes: Uint8Array, start: number, end: number): boolean {
    if (end - start < INTEGER_DIGITS_MIN) return false;
    if (this.#finder.find(bytes, start, end, 0) !== 1) return false;
    const { scan } = this.#finder;
    if (scan.starts[0] !== start || scan.ends[0] !== end) return false;
    this.count = 1;
    this.isWhole = true;
    this.#wholeStart = start;
    this.#wholeEnd = end;
    this.#wholeKind = scan.found[0] ?? 0;
    return true;
  }

  #hasUnicodeEscape(bytes: Uint8Array, start: number, end: number): boolean {
    if (!this.#finder.hasBackslash) return false;
    for (let at = start; at + 5 < end; at += 1) {
      const isEscape = bytes[at] === 0x5c && bytes[at + 1] === 0x75 && bytes[at + 2] === 48;
      if (isEscape && bytes[at + 3] === 48) return true;
    }
    return false;
  }

  #exhausted(): boolean {
    this.isExhausted = true;
    this.count = 0;
    return true;
  }
}
