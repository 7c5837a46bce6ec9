/**
 * The seam between a protocol, which knows where values stand and of what type they are, and
 * `masking/`, which knows what to do with them. Both layers run before a byte leaves.
 */

/** What a value is, whatever the protocol calls it. */
export type CellKind =
  | 'text'
  | 'integer'
  | 'decimal'
  | 'float'
  | 'boolean'
  | 'date'
  | 'time'
  | 'timestamp'
  | 'interval'
  | 'uuid'
  | 'inet'
  | 'macaddr'
  | 'json'
  | 'bytes'
  /** Text that must stay one of a fixed set (enums), or that is unknown: only NULL is safe. */
  | 'other';

/** How a value is changed. The values it gives are valid values of their kind. */
export type Transform =
  | { readonly kind: 'redact' }
  | {
      readonly kind: 'partial';
      readonly keepStart: number;
      readonly keepEnd: number;
      readonly keepDomain: boolean;
    }
  | { readonly kind: 'hash'; readonly scope: string }
  | { readonly kind: 'generalise'; readonly bucket: number | undefined }
  | { readonly kind: 'null' }
  | { readonly kind: 'fixed'; readonly value: string };

/** A mask on a column, from the policy. */
export interface ColumnMask {
  /** Id of the mask rule, for the recording and for approvals that lift it. */
  readonly id: string;
  readonly transform: Transform;
}

/** A mask rule as the policy has it, already narrowed to one identity and target. */
export interface MaskRule {
  readonly id: string;
  /** `schema.table.column`; each part may be `*`. Empty for a rule by content. */
  readonly columns: readonly string[];
  /** Detector or group names (`credit-card`, `secret`). Empty for a rule by source. */
  readonly detect: readonly string[];
  readonly transform: Transform;
}

/** The masks that hold for one identity at one target under one policy. Immutable. */
export interface MaskSet {
  /** Changes whenever any answer below may change. */
  readonly version: string;
  /** Whether there is nothing to do at all, so that results can pass untouched. */
  readonly empty: boolean;
  /** The mask of a column, names as the target's catalogue has them. */
  column(schema: string, table: string, column: string): ColumnMask | undefined;
  /** Every masked column, `schema.table.column`; patterns are listed as written. */
  readonly columns: readonly string[];
  /** Detection by content, undefined when no rule asks for it. */
  readonly content: ContentScanner | undefined;
  /**
   * What is left of the set when an approval has lifted the rules with these ids: a column that
   * another rule covers too stays masked by that one.
   */
  without(ids: readonly string[]): MaskSet;
  /**
   * The replacement of one value, in the text form of its kind; null for SQL's NULL.
   *
   * @param text - the value in text form, undefined when the protocol could not decode it.
   */
  replace(transform: Transform, kind: CellKind, text: string | undefined): string | null;
}

/** Finds and replaces personal data and secrets in bytes. Synchronous, bounded, no allocation on a miss. */
export interface ContentScanner {
  /**
   * A number that carries what the column's name says of its content; computed once a result.
   * 0 when there is no name.
   */
  hint(columnName: string): number;
  /**
   * Scans one value.
   *
   * @returns undefined when nothing was found (the usual case), else the masked value, which is
   * valid UTF-8 and never longer than 4 times the input plus 64 bytes.
   */
  cell(
    bytes: Uint8Array,
    start: number,
    end: number,
    kind: CellKind,
    hint: number,
  ): Uint8Array | undefined;
  /** A transformer for text that arrives in pieces; see {@link TextStream}. */
  stream(): TextStream;
}

/** Masks text cut anywhere exactly as it would mask the whole. */
export interface TextStream {
  /** Takes the next piece and gives what can leave; keeps a bounded rest. */
  push(chunk: Uint8Array): Uint8Array;
  /** Gives the rest. */
  end(): Uint8Array;
}

/** One finding of personal data or of a secret. */
export interface Finding {
  /** For example `CREDIT_CARD`; every secret is a `SECRET`. */
  readonly entity: string;
  /** Name of the detector, as policies write it. */
  readonly detector: string;
  /** Offsets in UTF-16 code units. */
  readonly start: number;
  readonly end: number;
  /** 0 to 1. */
  readonly confidence: number;
}

/** Detection without masking. */
export interface ContentDetector {
  /** What is in one value; its kind is guessed when not given. */
  value(value: string, column: string | undefined, kind?: CellKind): Finding[];
  /** What is in a text of any length. */
  text(text: string): Finding[];
}
