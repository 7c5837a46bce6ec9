import type { Kysely } from 'kysely';
import type { EpochMs } from '#core/ids.ts';
import type { Marks } from '#core/ports/marks.ts';
import type { Schema } from './schema.ts';

/** Marks; the primary key is what makes setting one atomic. */
export class StoredMarks implements Marks {
  readonly #db: Kysely<Schema>;

  constructor(db: Kysely<Schema>) {
    this.#db = db;
  }

  async has(name: string): Promise<boolean> {
    const row = await this.#db
      .selectFrom('marks')
      .select('name')
      .where('name', '=', name)
      .executeTakeFirst();
    return row !== undefined;
  }

  async set(name: string, at: EpochMs): Promise<boolean> {
    const result = await this.#db
      .insertInto('marks')
      .values({ name, created_at: at })
      .onConflict((conflict) => conflict.column('name').doNothing())
      .executeTakeFirst();
    return (result.numInsertedOrUpdatedRows ?? 0n) > 0n;
  }
}
