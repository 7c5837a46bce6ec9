import type { EpochMs } from '../ids.ts';

/** What happens once in the life of an installation. */
export interface Marks {
  has(name: string): Promise<boolean>;
  /** Sets a mark; atomic. Answers false when it was set before. */
  set(name: string, at: EpochMs): Promise<boolean>;
}
