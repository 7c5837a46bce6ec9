/**
 * What the gateway knows of what an identity did before at a target, as far as one command goes:
 * what of it is new, and how often it has asked about masked values of late.
 */
import type { Facts } from './facts.ts';
import type { EpochMs } from './ids.ts';

/** One thing that an identity can do at a target for the first time. */
export interface Deed {
  /** `fingerprint` (a shape of command), `function`, or the kind of an object: `table`, `image` … */
  readonly kind: string;
  /** The fingerprint, or the fully qualified name. */
  readonly name: string;
  /** What is done to an object, `execute` for a function, empty for a fingerprint. */
  readonly access: string;
}

/** What is known of a command's past. Immutable, but for the count, which goes on. */
export interface History {
  /** What the identity never did here before; empty when it did all of it. */
  readonly novel: readonly Deed[];
  /** When it had done all of it once: the latest of the first times. Undefined if any is new. */
  readonly since: EpochMs | undefined;
  /**
   * How many commands from `since` on told something of a mask that this one asks about; of several
   * masks the one that was asked about most. Undefined when it asks about none.
   */
  told(since: EpochMs): number | undefined;
}

/** What cannot be told apart from other things of its kind is never known: it has no name. */
const unknowable: Deed = { kind: 'fingerprint', name: '', access: '' };

/**
 * What a command does, as far as it can be recognised when it is done again. Of a command that is
 * not fully understood, or runs code that is not seen through, two of one shape may do different
 * things; it has a part that is new each time.
 */
export function deedsOf(facts: Facts): readonly Deed[] {
  const { fingerprint, objects, functions, effects, analysis } = facts;
  const isSeen =
    analysis === 'complete' && !effects.includes('unknown') && !effects.includes('execute-code');
  const deeds: Deed[] = isSeen ? [] : [unknowable];
  if (fingerprint !== '') deeds.push({ kind: 'fingerprint', name: fingerprint, access: '' });
  for (const { kind, name, access } of objects) deeds.push({ kind, name, access });
  for (const name of functions) deeds.push({ kind: 'function', name, access: 'execute' });
  return deeds;
}

/** Uses of a masked column that tell something of its values, at least by failing or not. */
const telling: ReadonlySet<string> = new Set(['filter', 'order', 'group', 'compute']);

/** Names of the masked columns that a command asks about. */
export const askedAbout = (facts: Facts): readonly string[] => [
  ...new Set(
    facts.columns.flatMap(({ name, use, masked }) => (masked && telling.has(use) ? [name] : [])),
  ),
];

/** The history of a command whose past cannot be told: all of it is new, and no count is low. */
export const unknownHistory = (facts: Facts): History => ({
  novel: deedsOf(facts),
  since: undefined,
  told: () => (askedAbout(facts).length > 0 ? Number.POSITIVE_INFINITY : undefined),
});
