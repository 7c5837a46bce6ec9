import type { Kysely } from 'kysely';
import { GatewayError } from '#core/errors.ts';
import { asEpochMs, asId, type LockId } from '#core/ids.ts';
import type { Lock, LockKind, LockStore } from '#core/ports/locks.ts';
import type { Schema } from './schema.ts';

const kinds: readonly LockKind[] = ['identity', 'owner', 'target', 'session'];

/** Locks as kept; `identity/locks.ts` is who applies them. */
export class StoredLocks implements LockStore {
  readonly #db: Kysely<Schema>;

  constructor(db: Kysely<Schema>) {
    this.#db = db;
  }

  async list(): Promise<readonly Lock[]> {
    const rows = await this.#db.selectFrom('locks').selectAll().orderBy('created_at').execute();
    return rows.map((row) => ({
      id: asId(row.id),
      kind: kindOf(row.kind),
      value: row.value,
      reason: row.reason,
      until: row.expires_at === null ? undefined : asEpochMs(row.expires_at),
      createdBy: row.created_by,
      createdAt: asEpochMs(row.created_at),
    }));
  }

  async add(lock: Lock): Promise<void> {
    await this.#db
      .insertInto('locks')
      .values({
        id: lock.id,
        kind: lock.kind,
        value: lock.value,
        reason: lock.reason,
        expires_at: lock.until ?? null,
        created_by: lock.createdBy,
        created_at: lock.createdAt,
      })
      .execute();
  }

  async remove(id: LockId): Promise<boolean> {
    const result = await this.#db.deleteFrom('locks').where('id', '=', id).executeTakeFirst();
    return result.numDeletedRows > 0n;
  }
}

function kindOf(name: string): LockKind {
  const kind = kinds.find((known) => known === name);
  // Fails closed: a lock that cannot be read must not be dropped from the list.
  if (kind === undefined)
    throw new GatewayError('SP_STORE', { detail: 'a stored lock is damaged' });
  return kind;
}
