import type { Kysely } from 'kysely';
import { GatewayError } from '#core/errors.ts';
import { type AuditEvent, type EventType, eventTypes } from '#core/events.ts';
import { asEpochMs } from '#core/ids.ts';
import type { EventReader } from '#core/ports/events.ts';
import { readFields } from './rows.ts';
import type { Schema } from './schema.ts';

/** Events that one read may ask for. */
const PAGE_MAX = 1_000;

/** Reads events; `event-writer.ts` is the one who writes them. */
export class StoredEvents implements EventReader {
  readonly #db: Kysely<Schema>;

  constructor(db: Kysely<Schema>) {
    this.#db = db;
  }

  async after(after: number, limit: number): Promise<readonly AuditEvent[]> {
    const rows = await this.#db
      .selectFrom('events')
      .selectAll()
      .where('number', '>', after)
      .orderBy('number')
      .limit(Math.min(limit, PAGE_MAX))
      .execute();
    return rows.map((row) => ({
      number: row.number,
      id: row.id,
      at: asEpochMs(row.created_at),
      type: typeOf(row.type),
      actor: row.actor,
      session: row.session ?? undefined,
      target: row.target ?? undefined,
      data: readFields(row.data, 'event'),
    }));
  }
}

function typeOf(name: string): EventType {
  const type = eventTypes.find((known) => known === name);
  if (type === undefined) {
    throw new GatewayError('SP_STORE', { detail: `an event has the unknown type ${name}` });
  }
  return type;
}
