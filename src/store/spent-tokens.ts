import type { Kysely } from 'kysely';
import type { Clock } from '#core/clock.ts';
import type { EpochMs } from '#core/ids.ts';
import type { SpentTokens } from '#core/ports/jti.ts';
import type { Schema } from './schema.ts';

/** Spent tokens; the primary key is what makes spending atomic. */
export class StoredSpentTokens implements SpentTokens {
  readonly #db: Kysely<Schema>;
  readonly #clock: Clock;

  constructor(db: Kysely<Schema>, clock: Clock) {
    this.#db = db;
    this.#clock = clock;
  }

  async spend(issuer: string, key: string, until: EpochMs): Promise<boolean> {
    const result = await this.#db
      .insertInto('spent_tokens')
      .values({ issuer, token_key: key, created_at: this.#clock.now(), expires_at: until })
      .onConflict((conflict) => conflict.columns(['issuer', 'token_key']).doNothing())
      .executeTakeFirst();
    return (result.numInsertedOrUpdatedRows ?? 0n) > 0n;
  }

  async isSpent(issuer: string, key: string): Promise<boolean> {
    const row = await this.#db
      .selectFrom('spent_tokens')
      .select('issuer')
      .where('issuer', '=', issuer)
      .where('token_key', '=', key)
      .executeTakeFirst();
    return row !== undefined;
  }

  async purge(before: EpochMs): Promise<void> {
    await this.#db.deleteFrom('spent_tokens').where('expires_at', '<', before).execute();
  }
}
