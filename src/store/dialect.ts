/** Kysely over a {@link SqlEngine}. Kysely lets one user at a time at the one connection. */
import {
  CompiledQuery,
  type DatabaseConnection,
  type Dialect,
  type Driver,
  type QueryResult,
  SqliteAdapter,
  SqliteIntrospector,
  SqliteQueryCompiler,
} from 'kysely';
import { GatewayError } from '#core/errors.ts';
import type { SqlEngine, SqlValue } from './engine.ts';

/** The SQLite dialect over an engine of ours. */
export function sqliteDialect(engine: SqlEngine): Dialect {
  return {
    createAdapter: () => new SqliteAdapter(),
    createDriver: () => new EngineDriver(engine),
    createIntrospector: (db) => new SqliteIntrospector(db),
    createQueryCompiler: () => new SqliteQueryCompiler(),
  };
}

class EngineDriver implements Driver {
  readonly #engine: SqlEngine;
  readonly #connection: DatabaseConnection;

  constructor(engine: SqlEngine) {
    this.#engine = engine;
    this.#connection = new EngineConnection(engine);
  }

  async init(): Promise<void> {}

  async acquireConnection(): Promise<DatabaseConnection> {
    return this.#connection;
  }

  async beginTransaction(connection: DatabaseConnection): Promise<void> {
    // Immediate: waits for another writer here, where nothing was read yet, and not at the end.
    await connection.executeQuery(CompiledQuery.raw('begin immediate'));
  }

  async commitTransaction(connection: DatabaseConnection): Promise<void> {
    await connection.executeQuery(CompiledQuery.raw('commit'));
  }

  async rollbackTransaction(connection: DatabaseConnection): Promise<void> {
    await connection.executeQuery(CompiledQuery.raw('rollback'));
  }

  async releaseConnection(): Promise<void> {}

  async destroy(): Promise<void> {
    await this.#engine.close();
  }
}

class EngineConnection implements DatabaseConnection {
  readonly #engine: SqlEngine;

  constructor(engine: SqlEngine) {
    this.#engine = engine;
  }

  async executeQuery<Row>(query: CompiledQuery): Promise<QueryResult<Row>> {
    const { rows, changes } = await this.#engine.run(query.sql, query.parameters.map(sqlValue));
    // Kysely's types follow from the query; this is where rows of a database become rows of a type.
    return { rows: rows as Row[], numAffectedRows: BigInt(changes) };
  }

  streamQuery<Row>(): AsyncIterableIterator<QueryResult<Row>> {
    throw new GatewayError('SP_INTERNAL', { detail: 'results are not streamed; page instead' });
  }
}

function sqlValue(value: unknown): SqlValue {
  if (typeof value === 'string' || typeof value === 'number' || value === null) return value;
  throw new GatewayError('SP_INTERNAL', { detail: `a ${typeof value} is not a column value` });
}
