/**
 * Takes credentials back before their time. What was opened with one ends with it: the session room
 * subscribes with {@link Revocation.onRevoked}.
 */
import type { Clock } from '#core/clock.ts';
import type { EventLog } from '#core/events.ts';
import type { CredentialId } from '#core/ids.ts';
import type { CredentialStore } from '#core/ports/credentials.ts';

export interface RevocationParts {
  readonly store: CredentialStore;
  readonly events: EventLog;
  readonly clock: Clock;
}

export class Revocation {
  readonly #parts: RevocationParts;
  readonly #callbacks = new Set<(credential: CredentialId) => void>();

  constructor(parts: RevocationParts) {
    this.#parts = parts;
  }

  /** Calls back for each credential that was revoked; the returned function unsubscribes. */
  onRevoked(callback: (credential: CredentialId) => void): () => void {
    this.#callbacks.add(callback);
    return () => this.#callbacks.delete(callback);
  }

  /** Answers false when there is no such credential, or it was revoked before. */
  async revoke(id: CredentialId, by: string): Promise<boolean> {
    const { store, clock } = this.#parts;
    if (!(await store.revoke(id, clock.now()))) return false;
    await this.#told([id], by);
    return true;
  }

  /** Revokes every credential of an identity; answers their ids. */
  async revokeOf(identity: string, by: string): Promise<readonly CredentialId[]> {
    const { store, clock } = this.#parts;
    const ids = await store.revokeOf(identity, clock.now());
    await this.#told(ids, by);
    return ids;
  }

  async #told(ids: readonly CredentialId[], by: string): Promise<void> {
    for (const id of ids) for (const callback of this.#callbacks) callback(id);
    const drafts = ids.map((credential) => ({
      type: 'credential.revoked' as const,
      actor: by,
      session: undefined,
      target: undefined,
      data: { credential },
    }));
    await Promise.all(drafts.map((draft) => this.#parts.events.commit(draft)));
  }
}
