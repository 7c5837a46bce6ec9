/** What a detector is. The tables beside this file hold them all; `table.ts` puts them together. */
import type { Check } from '../checksums.ts';

/** Sets of detectors that a policy can name. */
export type DetectorGroup =
  | 'pii'
  | 'contact'
  | 'financial'
  | 'national-id'
  | 'health'
  | 'device'
  | 'special-category'
  | 'secret';

/** Recognisers written by hand, for what a shape cannot say. */
export type Recogniser =
  | 'email'
  | 'phone'
  | 'ip'
  | 'mac'
  | 'person'
  | 'address'
  | 'date'
  | 'geo'
  | 'username'
  | 'credential'
  | 'token'
  | 'url-password'
  | 'private-key'
  | 'anything';

/** One kind of personal data or secret. */
export interface Detector {
  /** As policies write it. */
  readonly name: string;
  /** As reports write it; also the text of the tag that `redact` puts in its place. */
  readonly entity: string;
  readonly groups: readonly DetectorGroup[];
  /** One line for the reference. */
  readonly about: string;
  /** A made-up value; for secrets in pieces, so that nobody's scanner takes it for a real one. */
  readonly example: string;
  /** Shapes (see `shape.ts`) that are enough by themselves, where {@link check} holds. */
  readonly free?: readonly string[];
  /** Shapes that need a column, a key or a word that names the kind. */
  readonly near?: readonly string[];
  /** Check digits and structure, over the compact upper-case form. */
  readonly check?: Check;
  /** The same over the text as it stands, where case or separators count. */
  readonly checkExact?: (bytes: Uint8Array, start: number, end: number) => boolean;
  /**
   * Names in columns and keys, and words before a value; comma separated, lower case, words apart
   * by spaces. `name?` is ambiguous, so the check must hold too; `name$` must end the column's
   * name; `=name` must be all of it; `+name` must have a word in front.
   */
  readonly names?: string;
  /** Whether the names themselves are looked for in text, because the value has no anchor. */
  readonly follow?: boolean;
  readonly recogniser?: Recogniser;
  /** 0 to 1: how sure a hit by shape alone is; a name adds to it. */
  readonly confidence: number;
}
