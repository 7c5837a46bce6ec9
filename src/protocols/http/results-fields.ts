/**
 * Which mask covers a named value of a body. A rule writes `kind.parent.name`: the kind is `json`,
 * `csv` or `form`; the parent is the path of the object, `$` for the whole, `$.orders[]` for the
 * elements of a list; each part may be `*`.
 */
import type { CellKind, ColumnMask, MaskSet } from '#core/masking.ts';

const encoder = new TextEncoder();
const decoder = new TextDecoder();
const HINTS_MAX = 1_000;

export class FieldMasks {
  readonly #masks: MaskSet;
  readonly #kind: string;
  readonly #aliases: ReadonlyMap<string, readonly string[]>;
  readonly #hints = new Map<string, number>();
  /** Whether a name can decide anything; else paths need not be known. */
  readonly hasNames: boolean;

  /** @param aliases - what fields are really called, by the name in the answer. */
  constructor(masks: MaskSet, kind: string, aliases: ReadonlyMap<string, readonly string[]>) {
    this.#masks = masks;
    this.#kind = kind;
    this.#aliases = aliases;
    this.hasNames = masks.columns.length > 0;
  }

  /** The mask of a field, undefined when none covers it. */
  maskOf(parent: string, name: string): ColumnMask | undefined {
    if (!this.hasNames) return undefined;
    const own = this.#masks.column(this.#kind, parent, name);
    if (own !== undefined) return own;
    for (const real of this.#aliases.get(name) ?? []) {
      const mask = this.#masks.column(this.#kind, parent, real);
      if (mask !== undefined) return mask;
    }
    return undefined;
  }

  /** The replacement of a value under a mask; null where only that is safe. */
  replace(mask: ColumnMask, kind: CellKind, text: string): string | null {
    return this.#masks.replace(mask.transform, kind, text);
  }

  /** What content masking makes of a value; undefined when it may stay. */
  content(
    bytes: Uint8Array,
    start: number,
    end: number,
    kind: CellKind,
    hint: number,
  ): Uint8Array | undefined {
    return this.#masks.content?.cell(bytes, start, end, kind, hint);
  }

  /** The same for text that was decoded. */
  contentText(name: string, text: string): string | undefined {
    if (this.#masks.content === undefined || text === '') return undefined;
    const bytes = encoder.encode(text);
    const clean = this.content(bytes, 0, bytes.length, 'text', this.hint(name));
    return clean === undefined ? undefined : decoder.decode(clean);
  }

  /** What a name says of the content of its values; 0 for nothing. */
  hint(name: string): number {
    const known = this.#hints.get(name);
    if (known !== undefined) return known;
    const hint = name === '' ? 0 : (this.#masks.content?.hint(name) ?? 0);
    if (this.#hints.size < HINTS_MAX) this.#hints.set(name, hint);
    return hint;
  }
}
