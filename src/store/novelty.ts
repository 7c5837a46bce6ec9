import type { Kysely } from 'kysely';
import { asEpochMs, type EpochMs } from '#core/ids.ts';
import type { Deed, NoveltyStore } from '#core/ports/novelty.ts';
import type { Schema } from './schema.ts';

/** What identities did before, at most {@link DEEDS_MAX} for each identity and target. */
export const DEEDS_MAX = 10_000;

/** First times, bounded. */
export class StoredNovelty implements NoveltyStore {
  readonly #db: Kysely<Schema>;
  readonly #deedsMax: number;

  constructor(db: Kysely<Schema>, deedsMax: number = DEEDS_MAX) {
    this.#db = db;
    this.#deedsMax = deedsMax;
  }

  async firstSeen(deeds: readonly Deed[]): Promise<readonly (EpochMs | undefined)[]> {
    const found: (EpochMs | undefined)[] = [];
    for (const deed of deeds) {
      const row = await this.#db
        .selectFrom('novelty')
        .select('created_at')
        .where('identity_id', '=', deed.identity)
        .where('target', '=', deed.target)
        .where('kind', '=', deed.kind)
        .where('deed_key', '=', deed.key)
        .executeTakeFirst();
      found.push(row === undefined ? undefined : asEpochMs(row.created_at));
    }
    return found;
  }

  async remember(deeds: readonly Deed[], at: EpochMs): Promise<void> {
    if (deeds.length === 0) return;
    await this.#db.transaction().execute(async (db) => {
      const touched = new Map<string, Deed>();
      for (const deed of deeds) {
        await db
          .insertInto('novelty')
          .values({
            identity_id: deed.identity,
            target: deed.target,
            kind: deed.kind,
            deed_key: deed.key,
            created_at: at,
          })
          .onConflict((conflict) =>
            conflict.columns(['identity_id', 'target', 'kind', 'deed_key']).doNothing(),
          )
          .execute();
        touched.set(JSON.stringify([deed.identity, deed.target]), deed);
      }
      for (const { identity, target } of touched.values()) {
        await forgetOldest(db, identity, target, this.#deedsMax);
      }
    });
  }
}

async function forgetOldest(
  db: Kysely<Schema>,
  identity: string,
  target: string,
  keep: number,
): Promise<void> {
  const edge = await db
    .selectFrom('novelty')
    .select('created_at')
    .where('identity_id', '=', identity)
    .where('target', '=', target)
    .orderBy('created_at', 'desc')
    .offset(keep)
    .limit(1)
    .executeTakeFirst();
  if (edge === undefined) return;
  await db
    .deleteFrom('novelty')
    .where('identity_id', '=', identity)
    .where('target', '=', target)
    .where('created_at', '<=', edge.created_at)
    .execute();
}
