import type { Kysely, Selectable } from 'kysely';
import { GatewayError } from '#core/errors.ts';
import { asEpochMs, asId, type SessionId } from '#core/ids.ts';
import type {
  RecordingEntry,
  RecordingFilter,
  RecordingIndex,
  RecordingState,
} from '#core/ports/recordings.ts';
import type { RecordingsTable, Schema } from './schema.ts';

const states: readonly RecordingState[] = ['open', 'sealed', 'recovered'];
/** Entries that one read may ask for. */
const PAGE_MAX = 1_000;

/** The index of recordings. */
export class StoredRecordingIndex implements RecordingIndex {
  readonly #db: Kysely<Schema>;

  constructor(db: Kysely<Schema>) {
    this.#db = db;
  }

  async put(entry: RecordingEntry): Promise<void> {
    const changing = {
      state: entry.state,
      ended_at: entry.endedAt ?? null,
      commands: entry.commands,
      bytes: entry.bytes,
    };
    await this.#db
      .insertInto('recordings')
      .values({
        session: entry.session,
        identity_id: entry.identity,
        owner: entry.owner ?? null,
        target: entry.target,
        account: entry.account,
        protocol: entry.protocol,
        created_at: entry.startedAt,
        ...changing,
      })
      .onConflict((conflict) => conflict.column('session').doUpdateSet(changing))
      .execute();
  }

  async find(session: SessionId): Promise<RecordingEntry | undefined> {
    const row = await this.#db
      .selectFrom('recordings')
      .selectAll()
      .where('session', '=', session)
      .executeTakeFirst();
    return row === undefined ? undefined : fromRow(row);
  }

  async list(filter: RecordingFilter): Promise<readonly RecordingEntry[]> {
    let query = this.#db.selectFrom('recordings').selectAll();
    if (filter.identity !== undefined) query = query.where('identity_id', '=', filter.identity);
    if (filter.target !== undefined) query = query.where('target', '=', filter.target);
    if (filter.since !== undefined) query = query.where('created_at', '>=', filter.since);
    if (filter.before !== undefined) query = query.where('created_at', '<', filter.before);
    const rows = await query
      .orderBy('created_at', 'desc')
      .orderBy('session', 'desc')
      .limit(Math.min(filter.limit, PAGE_MAX))
      .execute();
    return rows.map(fromRow);
  }
}

function fromRow(row: Selectable<RecordingsTable>): RecordingEntry {
  const state = states.find((known) => known === row.state);
  if (state === undefined) throw new GatewayError('SP_STORE', { detail: 'an entry is damaged' });
  return {
    session: asId(row.session),
    identity: row.identity_id,
    owner: row.owner ?? undefined,
    target: row.target,
    account: row.account,
    protocol: row.protocol,
    state,
    startedAt: asEpochMs(row.created_at),
    endedAt: row.ended_at === null ? undefined : asEpochMs(row.ended_at),
    commands: row.commands,
    bytes: row.bytes,
  };
}
