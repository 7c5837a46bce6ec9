import type { Kysely } from 'kysely';
import { defaultLimits } from '#core/limits.ts';
import { asEpochMs, type EpochMs } from '#core/ids.ts';
import type { HistoryStore, Place, PlaceHistory } from '#core/ports/history.ts';
import type { Schema } from './schema.ts';

/** What identities did before, bounded for each identity and target. */
export class StoredHistory implements HistoryStore {
  readonly #db: Kysely<Schema>;
  readonly #deedsMax: number;

  constructor(db: Kysely<Schema>, deedsMax: number = defaultLimits.historyDeedsMax) {
    this.#db = db;
    this.#deedsMax = deedsMax;
  }

  async load(place: Place, since: EpochMs): Promise<PlaceHistory> {
    const { identity, target } = place;
    const deeds = await this.#db
      .selectFrom('novelty')
      .select(['kind', 'deed_key', 'created_at'])
      .where('identity_id', '=', identity)
      .where('target', '=', target)
      .orderBy('created_at', 'desc')
      .limit(this.#deedsMax)
      .execute();
    const disclosures = await this.#db
      .selectFrom('disclosures')
      .select(['mask', 'created_at'])
      .where('identity_id', '=', identity)
      .where('target', '=', target)
      .where('created_at', '>=', since)
      .orderBy('created_at')
      .execute();
    return {
      identity,
      target,
      deeds: deeds.toReversed().map(({ kind, deed_key: key, created_at: at }) => {
        const space = key.indexOf(' ');
        const name = key.slice(space + 1);
        return { kind, access: key.slice(0, space), name, at: asEpochMs(at) };
      }),
      disclosures: disclosures.map((row) => ({ mask: row.mask, at: asEpochMs(row.created_at) })),
    };
  }

  async save(more: readonly PlaceHistory[]): Promise<void> {
    await this.#db.transaction().execute(async (db) => {
      for (const { identity, target, deeds, disclosures } of more) {
        for (const { kind, name, access, at } of deeds) {
          await db
            .insertInto('novelty')
            .values({
              identity_id: identity,
              target,
              kind,
              deed_key: `${access} ${name}`,
              created_at: at,
            })
            .onConflict((conflict) =>
              conflict.columns(['identity_id', 'target', 'kind', 'deed_key']).doNothing(),
            )
            .execute();
        }
        for (const { mask, at } of disclosures) {
          await db
            .insertInto('disclosures')
            .values({ identity_id: identity, target, mask, created_at: at })
            .execute();
        }
        if (deeds.length > 0) await forgetOldest(db, { identity, target }, this.#deedsMax);
      }
    });
  }

  async purge(before: { readonly disclosed: EpochMs; readonly seen: EpochMs }): Promise<void> {
    await this.#db.deleteFrom('disclosures').where('created_at', '<', before.disclosed).execute();
    await this.#db
      .deleteFrom('novelty')
      .where('identity_id', 'in', (db) =>
        db.selectFrom('identities').select('id').where('last_seen_at', '<', before.seen),
      )
      .execute();
  }
}

async function forgetOldest(
  db: Kysely<Schema>,
  { identity, target }: Place,
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
