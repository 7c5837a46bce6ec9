/**
 * Keeps who was here, so that people can look identities up and `policy explain` knows their groups
 * and claims. Decides nothing and delays nobody: a login does not wait for it, nor fail with it.
 */
import type { Clock } from '#core/clock.ts';
import type { Identity } from '#core/identity.ts';
import type { SeenIdentities } from '#core/ports/identities.ts';
import type { Authenticator } from '#session/ports.ts';

/** An identity that comes again sooner, unchanged, is not written again. */
const AGAIN_MS = 60_000;
/** Identities whose last visit is known without asking the store. */
const KEPT_MAX = 10_000;

export interface SeenParts {
  readonly identities: Pick<SeenIdentities, 'seen'>;
  readonly clock: Clock;
  readonly warn: (error: unknown) => void;
}

/** The same authenticator; each identity that it lets in is remembered. */
export function remembering(inner: Authenticator, parts: SeenParts): Authenticator {
  const visits = new Visits(parts);
  return {
    async authenticate(proof) {
      const found = await inner.authenticate(proof);
      visits.note(found.identity);
      return found;
    },
    scramKeys: (credential) => inner.scramKeys(credential),
    knowsKey: (key) => inner.knowsKey(key),
  };
}

class Visits {
  readonly #parts: SeenParts;
  readonly #last = new Map<string, { readonly atMs: number; readonly said: string }>();

  constructor(parts: SeenParts) {
    this.#parts = parts;
  }

  note(identity: Identity): void {
    const { identities, clock, warn } = this.#parts;
    const atMs = clock.monotonicMs();
    // Every token has its own end; that alone is no change.
    const said = JSON.stringify({ ...identity, expiresAt: 0 });
    const last = this.#last.get(identity.id);
    if (last?.said === said && atMs - last.atMs < AGAIN_MS) return;
    if (this.#last.size >= KEPT_MAX) this.#last.clear();
    this.#last.set(identity.id, { atMs, said });
    identities.seen(identity, clock.now()).catch(warn);
  }
}
