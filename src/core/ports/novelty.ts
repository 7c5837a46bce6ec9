import type { EpochMs } from '../ids.ts';

/** What an identity did for the first time on a target. */
export interface Deed {
  readonly identity: string;
  readonly target: string;
  /** `fingerprint`, `object`, `function`, `image` … */
  readonly kind: string;
  readonly key: string;
}

/** Remembers what each identity has done before, up to a bound per identity and target. */
export interface NoveltyStore {
  /** When each was first seen, in the order of `deeds`; undefined for what is new. */
  firstSeen(deeds: readonly Deed[]): Promise<readonly (EpochMs | undefined)[]>;
  /**
   * Remembers. What is known keeps its time; beyond the bound the oldest is forgotten, so that
   * it counts as new again: the safe side.
   */
  remember(deeds: readonly Deed[], at: EpochMs): Promise<void>;
}
