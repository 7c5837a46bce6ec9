/**
 * Writes events to the database and the outbox file, and makes the two agree when it opens. The
 * database goes first and is synced: it is the truth. Runs on the event thread; synchronous.
 *
 * After a crash: a batch that reached neither was never acknowledged; one that reached only the
 * database is added to the file; a database that is behind its file (restored from a backup) is
 * filled from it, so that no number is ever given out twice.
 */
import type { DatabaseSync, StatementSync } from 'node:sqlite';
import { GatewayError } from '#core/errors.ts';
import { asEpochMs } from '#core/ids.ts';
import { openDatabase } from './engine.ts';
import { EventFile } from './event-file.ts';
import { type EventRow, lineOf, rowOf } from './event-line.ts';

/** Events that one step of reconciliation copies. */
const COPY_BATCH = 1_000;

export class EventStore {
  readonly #database: DatabaseSync;
  readonly #file: EventFile;
  readonly #insert: StatementSync;
  #lastNumber: number;

  constructor(path: string, file: string, rotateBytes: number) {
    this.#database = openDatabase(path);
    this.#file = new EventFile(file, rotateBytes);
    this.#insert = this.#database.prepare(
      `insert into events (number, id, created_at, type, actor, session, target, data)
       values (?, ?, ?, ?, ?, ?, ?, ?)`,
    );
    this.#lastNumber = this.#readLastNumber();
    this.#reconcile();
  }

  get lastNumber(): number {
    return this.#lastNumber;
  }

  /** Stores a batch of events as lines. May be called again with the same after it threw. */
  append(batch: readonly string[]): void {
    const rows = batch.map(rowOf);
    this.#toDatabase(rows);
    this.#file.append(batch.map((line, index) => ({ number: rows[index]?.number ?? 0, line })));
  }

  close(): void {
    this.#file.close();
    this.#database.close();
  }

  #toDatabase(batch: readonly EventRow[]): void {
    const fresh = batch.filter(({ number }) => number > this.#lastNumber);
    if (fresh.length === 0) return;
    let next = this.#lastNumber;
    this.#database.exec('begin immediate');
    try {
      for (const event of fresh) {
        next += 1;
        if (event.number !== next) {
          throw new GatewayError('SP_STORE', { detail: `event ${next} is missing` });
        }
        this.#insert.run(
          event.number,
          event.id,
          event.at,
          event.type,
          event.actor,
          event.session ?? null,
          event.target ?? null,
          event.data,
        );
      }
      this.#database.exec('commit');
    } catch (thrown) {
      if (this.#database.isTransaction) this.#database.exec('rollback');
      throw thrown;
    }
    this.#lastNumber = next;
  }

  #readLastNumber(): number {
    const row = this.#database.prepare('select max(number) as last from events').get();
    const last = row?.['last'];
    return typeof last === 'number' ? last : 0;
  }

  #reconcile(): void {
    if (this.#file.lastNumber > this.#lastNumber) this.#fillDatabase();
    while (this.#file.lastNumber < this.#lastNumber) this.#fillFile();
  }

  #fillDatabase(): void {
    let batch: EventRow[] = [];
    for (const { line } of this.#file.linesAfter(this.#lastNumber)) {
      batch.push(rowOf(line));
      if (batch.length < COPY_BATCH) continue;
      this.#toDatabase(batch);
      batch = [];
    }
    this.#toDatabase(batch);
    if (this.#lastNumber !== this.#file.lastNumber) {
      throw new GatewayError('SP_STORE', {
        detail: 'events are missing between database and file',
      });
    }
  }

  #fillFile(): void {
    const rows = this.#database
      .prepare('select * from events where number > ? order by number limit ?')
      .all(this.#file.lastNumber, COPY_BATCH);
    const lines = rows.map((row) => ({
      number: Number(row['number']),
      line: lineOf({
        number: Number(row['number']),
        id: String(row['id']),
        at: asEpochMs(Number(row['created_at'])),
        type: String(row['type']),
        actor: String(row['actor']),
        session: textOrNone(row['session']),
        target: textOrNone(row['target']),
        data: JSON.parse(String(row['data'])),
      }),
    }));
    this.#file.append(lines);
  }
}

const textOrNone = (value: unknown): string | undefined =>
  typeof value === 'string' ? value : undefined;
