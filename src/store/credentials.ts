import type { Kysely, Selectable } from 'kysely';
import { asEpochMs, asId, type CredentialId, type EpochMs } from '#core/ids.ts';
import type { CredentialRecord, CredentialStore } from '#core/ports/credentials.ts';
import { readIdentity, readScope } from './rows.ts';
import type { CredentialsTable, Schema } from './schema.ts';

/** Issued credentials: hashes and derived keys, never a secret. */
export class StoredCredentials implements CredentialStore {
  readonly #db: Kysely<Schema>;

  constructor(db: Kysely<Schema>) {
    this.#db = db;
  }

  async add(record: CredentialRecord): Promise<void> {
    await this.#db
      .insertInto('credentials')
      .values({
        id: record.id,
        hash: record.hash,
        identity_id: record.identity.id,
        identity: JSON.stringify(record.identity),
        scope: JSON.stringify(record.scope),
        scram_stored_key: record.scram.storedKey,
        scram_server_key: record.scram.serverKey,
        created_at: record.issuedAt,
        expires_at: record.expiresAt,
        revoked_at: record.revokedAt ?? null,
      })
      .execute();
  }

  async find(id: CredentialId): Promise<CredentialRecord | undefined> {
    const row = await this.#db
      .selectFrom('credentials')
      .selectAll()
      .where('id', '=', id)
      .executeTakeFirst();
    return row === undefined ? undefined : fromRow(row);
  }

  async revoke(id: CredentialId, at: EpochMs): Promise<boolean> {
    const result = await this.#db
      .updateTable('credentials')
      .set({ revoked_at: at })
      .where('id', '=', id)
      .where('revoked_at', 'is', null)
      .executeTakeFirst();
    return result.numUpdatedRows > 0n;
  }

  async revokeOf(identity: string, at: EpochMs): Promise<readonly CredentialId[]> {
    const rows = await this.#db
      .updateTable('credentials')
      .set({ revoked_at: at })
      .where('identity_id', '=', identity)
      .where('revoked_at', 'is', null)
      .where('expires_at', '>', at)
      .returning('id')
      .execute();
    return rows.map((row) => asId<CredentialId>(row.id));
  }

  async purge(before: EpochMs): Promise<void> {
    await this.#db.deleteFrom('credentials').where('expires_at', '<', before).execute();
  }
}

function fromRow(row: Selectable<CredentialsTable>): CredentialRecord {
  return {
    id: asId(row.id),
    hash: row.hash,
    identity: readIdentity(row.identity),
    scope: readScope(row.scope),
    scram: { storedKey: row.scram_stored_key, serverKey: row.scram_server_key },
    issuedAt: asEpochMs(row.created_at),
    expiresAt: asEpochMs(row.expires_at),
    revokedAt: row.revoked_at === null ? undefined : asEpochMs(row.revoked_at),
  };
}
