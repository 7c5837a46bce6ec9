/**
 * Keeps some of a value: the last four digits of a card, the domain of an e-mail address. What is
 * kept is counted in code points, never in bytes or UTF-16 units, and never is all of the value.
 */
import type { CellKind, Transform } from '#core/masking.ts';

type Partial = Extract<Transform, { kind: 'partial' }>;

/** The partly masked value, undefined when the kind has no partial form. */
export function partial(transform: Partial, kind: CellKind, text: string): string | undefined {
  const keep = { start: transform.keepStart, end: transform.keepEnd };
  switch (kind) {
    case 'text': {
      const at = transform.keepDomain ? text.lastIndexOf('@') : -1;
      if (at <= 0) return hide(text, keep, '*', isSignificant);
      return hide(text.slice(0, at), keep, '*', isSignificant) + text.slice(at);
    }
    case 'integer':
    case 'decimal':
      return withLeadingOne(hide(text, keep, '0', isDigit));
    case 'uuid':
      return hide(text, keep, '0', isSignificant);
    case 'boolean':
    case 'bytes':
    case 'date':
    case 'float':
    case 'inet':
    case 'interval':
    case 'json':
    case 'macaddr':
    case 'other':
    case 'time':
    case 'timestamp':
      return undefined;
  }
}

const isDigit = (character: string): boolean => character >= '0' && character <= '9';
/** Letters, digits and pictures of any script, and what earlier masks put in their place. */
const isSignificant = (character: string): boolean => /[\p{L}\p{N}\p{M}\p{So}*]/u.test(character);

/** Replaces the significant characters between the kept ends; separators keep their places. */
function hide(
  text: string,
  keep: { readonly start: number; readonly end: number },
  filler: string,
  significant: (character: string) => boolean,
): string {
  const characters = Array.from(text);
  const count = characters.filter(significant).length;
  // Ends that meet would keep everything: then nothing is kept.
  const meet = keep.start + keep.end >= count;
  const first = meet ? 0 : keep.start;
  const last = meet ? count : count - keep.end;
  let seen = 0;
  return characters
    .map((character) => {
      if (!significant(character)) return character;
      seen += 1;
      return seen > first && seen <= last ? filler : character;
    })
    .join('');
}

/** A number has no leading zeros; a one in their place keeps its width, and the mask stable. */
function withLeadingOne(text: string): string {
  return text.replace(/^(-?)0(?=\d)/, (_, sign: string) => `${sign}1`);
}
