/**
 * Remembers the SCRAM keys of accounts, so that a new session costs HMACs in place of thousands of
 * hash rounds. A salt is constant until the password changes, so it nearly always hits.
 *
 * Invariant: an entry answers only for the password it was made from. The password itself is not
 * kept: the key has its HMAC under a key of this process.
 */
import { createHmac } from 'node:crypto';
import type { Random } from '#core/random.ts';
import { deriveScramKeys, type ScramChallenge, type ScramClientKeys } from './scram.ts';

/** Accounts times targets that log in often enough to matter. */
const entriesMax = 1_000;

export class ScramCache {
  readonly #entries = new Map<string, Promise<ScramClientKeys>>();
  readonly #processKey: Uint8Array;
  readonly #derive: typeof deriveScramKeys;

  constructor(random: Random, derive: typeof deriveScramKeys = deriveScramKeys) {
    this.#processKey = random.bytes(32);
    this.#derive = derive;
  }

  /** The keys of a password under a server's challenge; several who ask at once share one answer. */
  keys(
    account: { readonly target: string; readonly user: string },
    password: string,
    challenge: ScramChallenge,
  ): Promise<ScramClientKeys> {
    const key = JSON.stringify([
      account.target,
      account.user,
      Buffer.from(challenge.salt).toString('base64'),
      challenge.iterations,
      createHmac('sha256', this.#processKey).update(password).digest('base64'),
    ]);
    const known = this.#entries.get(key);
    // Deleted and set again: the order of a Map is the order of use then.
    this.#entries.delete(key);
    const keys = known ?? this.#derive(password, challenge.salt, challenge.iterations);
    this.#entries.set(key, keys);
    if (known === undefined) {
      keys.catch(() => this.#entries.delete(key));
      const oldest = this.#entries.keys().next();
      if (this.#entries.size > entriesMax && !oldest.done) this.#entries.delete(oldest.value);
    }
    return keys;
  }

  get size(): number {
    return this.#entries.size;
  }
}
