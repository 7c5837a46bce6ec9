/**
 * Runs SQL on one SQLite database through `node:sqlite`. One engine is one connection; whoever owns
 * it decides on which thread it lives. Durable: WAL with `synchronous = FULL`, so that what was
 * committed survives a power cut. Files are made for the gateway's own user alone.
 */
import { chmodSync, closeSync, mkdirSync, openSync } from 'node:fs';
import { dirname } from 'node:path';
import { DatabaseSync, type StatementSync } from 'node:sqlite';
import { GatewayError } from '#core/errors.ts';

/** What crosses the border to the database; no other type is used in the schema. */
export type SqlValue = string | number | null;

export interface SqlResult {
  readonly rows: readonly unknown[];
  readonly changes: number;
}

/** One connection. Statements run in the order in which they were given. */
export interface SqlEngine {
  run(sql: string, parameters: readonly SqlValue[]): Promise<SqlResult>;
  close(): Promise<void>;
}

/** Distinct statements that stay prepared; the repositories have fewer. */
const PREPARED_MAX = 256;
/** How long a writer waits for another connection's transaction. */
const BUSY_MS = 10_000;

/** Opens the file, making it and its folder (0600, 0700) where they are missing. */
export function openDatabase(path: string): DatabaseSync {
  if (path !== ':memory:') {
    mkdirSync(dirname(path), { recursive: true, mode: 0o700 });
    // SQLite gives its WAL and shared-memory files the mode of the main file.
    closeSync(openSync(path, 'a', 0o600));
    chmodSync(path, 0o600);
  }
  const database = new DatabaseSync(path, { timeout: BUSY_MS });
  database.exec('pragma journal_mode = wal');
  database.exec('pragma synchronous = full');
  database.exec('pragma foreign_keys = on');
  return database;
}

/** Opens a file that is there, to read what others write to it. Changes nothing about it. */
function openForReading(path: string): DatabaseSync {
  return new DatabaseSync(path, { readOnly: true, timeout: BUSY_MS });
}

/** Runs a statement at once, on this thread. */
export class InlineEngine implements SqlEngine {
  readonly #database: DatabaseSync;
  readonly #prepared = new Map<string, StatementSync>();

  constructor(path: string, access: 'write' | 'read' = 'write') {
    this.#database = guarded(() =>
      access === 'write' ? openDatabase(path) : openForReading(path),
    );
  }

  /** As {@link SqlEngine.run}, synchronously. */
  runNow(sql: string, parameters: readonly SqlValue[]): SqlResult {
    return guarded(() => {
      const statement = this.#prepare(sql);
      if (statement.columns().length > 0) return { rows: statement.all(...parameters), changes: 0 };
      return { rows: [], changes: Number(statement.run(...parameters).changes) };
    });
  }

  async run(sql: string, parameters: readonly SqlValue[]): Promise<SqlResult> {
    return this.runNow(sql, parameters);
  }

  async close(): Promise<void> {
    if (this.#database.isOpen) this.#database.close();
  }

  #prepare(sql: string): StatementSync {
    const known = this.#prepared.get(sql);
    if (known !== undefined) return known;
    if (this.#prepared.size >= PREPARED_MAX) this.#prepared.clear();
    const statement = this.#database.prepare(sql);
    this.#prepared.set(sql, statement);
    return statement;
  }
}

/** Nothing but `SP_STORE` leaves this folder. */
function guarded<Result>(run: () => Result): Result {
  try {
    return run();
  } catch (cause) {
    throw new GatewayError('SP_STORE', { cause });
  }
}
