import { asId, type EpochMs, uuidv7 } from './ids.ts';

/** Randomness from the operating system; injected, so that a test can replay a run. */
export interface Random {
  /** `count` fresh bytes, fit for keys. */
  bytes(count: number): Uint8Array;
}

export const systemRandom: Random = {
  bytes: (count) => crypto.getRandomValues(new Uint8Array(count)),
};

/** A new sortable id. */
export const newId = <T extends ReturnType<typeof asId>>(now: EpochMs, random: Random): T =>
  asId<T>(uuidv7(now, random.bytes(10)));
