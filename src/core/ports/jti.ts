import type { EpochMs } from '../ids.ts';

/** Remembers which tokens were spent, so that each is spent once. */
export interface SpentTokens {
  /**
   * Spends a token; atomic, so that of two who try at once one gets `false`.
   *
   * @param key - the token's own `jti`, or a digest of it where it has none.
   * @param until - when it may be forgotten: not before the token itself is over.
   */
  spend(issuer: string, key: string, until: EpochMs): Promise<boolean>;
  isSpent(issuer: string, key: string): Promise<boolean>;
  purge(before: EpochMs): Promise<void>;
}
