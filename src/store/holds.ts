import type { Kysely } from 'kysely';
import { GatewayError } from '#core/errors.ts';
import type { EpochMs, HoldId } from '#core/ids.ts';
import type { HoldRecord, HoldStore } from '#core/ports/holds.ts';
import { readFields } from './rows.ts';
import type { Schema } from './schema.ts';

const PAGE_MAX = 1_000;

/**
 * Holds with their reviews and approvals, each as one JSON record in one revision. A revision
 * replaces exactly the one before it, in one statement, so that an approval is spent once.
 */
export class StoredHolds implements HoldStore {
  readonly #db: Kysely<Schema>;

  constructor(db: Kysely<Schema>) {
    this.#db = db;
  }

  async put(hold: HoldRecord): Promise<boolean> {
    const changing = {
      revision: hold.revision,
      state: hold.state,
      record: JSON.stringify(hold),
      closed_at: hold.closedAt ?? null,
    };
    if (hold.revision === 1) {
      const result = await this.#db
        .insertInto('holds')
        .values({ id: hold.id, created_at: hold.openedAt, ...changing })
        .onConflict((conflict) => conflict.column('id').doNothing())
        .executeTakeFirst();
      return (result.numInsertedOrUpdatedRows ?? 0n) > 0n;
    }
    const result = await this.#db
      .updateTable('holds')
      .set(changing)
      .where('id', '=', hold.id)
      .where('revision', '=', hold.revision - 1)
      .executeTakeFirst();
    return result.numUpdatedRows > 0n;
  }

  async find(id: HoldId): Promise<HoldRecord | undefined> {
    const row = await this.#db
      .selectFrom('holds')
      .select('record')
      .where('id', '=', id)
      .executeTakeFirst();
    return row === undefined ? undefined : readHold(row.record);
  }

  async live(): Promise<readonly HoldRecord[]> {
    const rows = await this.#db
      .selectFrom('holds')
      .select('record')
      .where('state', 'in', ['pending', 'approved'])
      .orderBy('created_at')
      .execute();
    return rows.map(({ record }) => readHold(record));
  }

  async recent(count: number): Promise<readonly HoldRecord[]> {
    const rows = await this.#db
      .selectFrom('holds')
      .select('record')
      .orderBy('created_at', 'desc')
      .orderBy('id', 'desc')
      .limit(Math.min(count, PAGE_MAX))
      .execute();
    return rows.map(({ record }) => readHold(record));
  }

  async purge(before: EpochMs): Promise<void> {
    await this.#db.deleteFrom('holds').where('closed_at', '<', before).execute();
  }
}

function readHold(text: string): HoldRecord {
  // JSON has no undefined: what was not there is put back, so that records compare equal.
  const value: unknown = {
    approval: undefined,
    validUntil: undefined,
    closedAt: undefined,
    ...readFields(text, 'hold'),
  };
  if (!isHold(value)) throw new GatewayError('SP_STORE', { detail: 'a stored hold is damaged' });
  const { command } = value;
  const { requester } = command;
  const { owner, onBehalfOf } = requester;
  return { ...value, command: { ...command, requester: { ...requester, owner, onBehalfOf } } };
}

const typesOf: readonly (readonly [keyof HoldRecord, string])[] = [
  ['id', 'string'],
  ['revision', 'number'],
  ['state', 'string'],
  ['mode', 'string'],
  ['digest', 'string'],
  ['rule', 'string'],
  ['policy', 'string'],
  ['openedAt', 'number'],
  ['expiresAt', 'number'],
];

/** Whether a record has what decisions are made by. Only this class wrote it, in one piece. */
function isHold(value: unknown): value is HoldRecord {
  if (typeof value !== 'object' || value === null) return false;
  const fields = new Map<string, unknown>(Object.entries(value));
  const isObject = (name: string): boolean => {
    const field = fields.get(name);
    return typeof field === 'object' && field !== null;
  };
  return (
    typesOf.every(([name, type]) => typeof fields.get(name) === type) &&
    isObject('command') &&
    isObject('terms') &&
    Array.isArray(fields.get('reviews'))
  );
}
