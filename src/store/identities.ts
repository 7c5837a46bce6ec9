import type { Kysely, Selectable } from 'kysely';
import { asEpochMs, type EpochMs } from '#core/ids.ts';
import type { Identity } from '#core/identity.ts';
import type { SeenIdentities, SeenIdentity } from '#core/ports/identities.ts';
import { readIdentity } from './rows.ts';
import type { IdentitiesTable, Schema } from './schema.ts';

const PAGE_MAX = 1_000;

/** Identities that the gateway has met. */
export class StoredIdentities implements SeenIdentities {
  readonly #db: Kysely<Schema>;

  constructor(db: Kysely<Schema>) {
    this.#db = db;
  }

  async seen(identity: Identity, at: EpochMs): Promise<void> {
    const changing = { identity: JSON.stringify(identity), last_seen_at: at };
    await this.#db
      .insertInto('identities')
      .values({ id: identity.id, created_at: at, ...changing })
      .onConflict((conflict) => conflict.column('id').doUpdateSet(changing))
      .execute();
  }

  async find(id: string): Promise<SeenIdentity | undefined> {
    const row = await this.#db
      .selectFrom('identities')
      .selectAll()
      .where('id', '=', id)
      .executeTakeFirst();
    return row === undefined ? undefined : fromRow(row);
  }

  async list(limit: number): Promise<readonly SeenIdentity[]> {
    const rows = await this.#db
      .selectFrom('identities')
      .selectAll()
      .orderBy('last_seen_at', 'desc')
      .limit(Math.min(limit, PAGE_MAX))
      .execute();
    return rows.map(fromRow);
  }
}

const fromRow = (row: Selectable<IdentitiesTable>): SeenIdentity => ({
  identity: readIdentity(row.identity),
  firstSeenAt: asEpochMs(row.created_at),
  lastSeenAt: asEpochMs(row.last_seen_at),
});
