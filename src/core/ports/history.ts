import type { Deed } from '../history.ts';
import type { EpochMs } from '../ids.ts';

/** A deed with its first time. */
export interface FirstDeed extends Deed {
  readonly at: EpochMs;
}

/** A command that told something of the values behind a mask. */
export interface Disclosure {
  readonly mask: string;
  readonly at: EpochMs;
}

/** Whose past, and where. */
export interface Place {
  readonly identity: string;
  readonly target: string;
}

/** What is to be remembered of one place. */
export interface PlaceHistory extends Place {
  readonly deeds: readonly FirstDeed[];
  readonly disclosures: readonly Disclosure[];
}

/** Remembers what each identity did at each target, up to a bound. */
export interface HistoryStore {
  /** The deeds that are remembered, the oldest first, and the disclosures from `since` on. */
  load(place: Place, since: EpochMs): Promise<PlaceHistory>;
  /**
   * Remembers more. A deed that is known keeps its time; beyond the bound the oldest are forgotten,
   * so that they count as new again: the safe side.
   */
  save(more: readonly PlaceHistory[]): Promise<void>;
  /** Forgets disclosures before `disclosed`, and all of identities that were not here since `seen`. */
  purge(before: { readonly disclosed: EpochMs; readonly seen: EpochMs }): Promise<void>;
}
