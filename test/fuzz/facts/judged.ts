/**
 * A session whose statements are analysed before they run and watched while they do, as the relay
 * would analyse them: under the catalogue and the state that the server has at that moment.
 */
import { systemClock } from '#core/clock.ts';
import { defaultLimits } from '#core/limits.ts';
import type { Facts } from '#core/facts.ts';
import type { Catalogue } from '#protocols/postgres/sql/catalogue.ts';
import { CatalogueCache } from '#protocols/postgres/sql/catalogue-cache.ts';
import { readSessionState, sessionStateSql } from '#protocols/postgres/sql/session-state.ts';
import type {
  SessionChange,
  SqlAnalyser,
  SqlState,
  SqlStatement,
} from '#protocols/postgres/sql/types.ts';
import { noMasks } from '../../support/relay.ts';
import { missesOf } from './compare.ts';
import { Connection, type Result } from './connection.ts';
import { type Changes, Witness } from './witness.ts';

export interface Judged {
  readonly facts: Facts | undefined;
  /** `skipped`: the server or the session said no, so that nothing can be learned. */
  readonly kind: 'complete' | 'incomplete' | 'skipped';
  /** What it changed or returned and had not told. */
  readonly misses: readonly string[];
  readonly changed: boolean;
}

const skipped: Judged = { facts: undefined, kind: 'skipped', misses: [], changed: false };

/** Cannot run inside a transaction block. */
const ACTIVE_TRANSACTION = '25001';

export class JudgedSession {
  readonly #connection: Connection;
  readonly #analyser: SqlAnalyser;
  readonly #witness: Witness;
  readonly #catalogues: CatalogueCache;
  /** Whether what a statement does outside a transaction is taken back. */
  readonly #undoes: boolean;
  readonly #prepared: Map<string, SqlStatement> = new Map();
  readonly #cursors: Map<string, SqlStatement> = new Map();
  #catalogue: Catalogue | undefined;

  private constructor(connection: Connection, analyser: SqlAnalyser, undoes: boolean) {
    this.#undoes = undoes;
    this.#connection = connection;
    this.#analyser = analyser;
    this.#witness = new Witness(connection);
    this.#catalogues = new CatalogueCache({ clock: systemClock, limits: defaultLimits });
  }

  static async open(
    place: { readonly port: number; readonly database: string; readonly undoes?: boolean },
    analyser: SqlAnalyser,
  ): Promise<JudgedSession> {
    const connection = await Connection.open(place.port, place.database);
    await connection.run("SET statement_timeout = '5s'; SET jit = off");
    return new JudgedSession(connection, analyser, place.undoes ?? false);
  }

  get closed(): boolean {
    return this.#connection.closed;
  }

  close(): void {
    this.#connection.close();
  }

  /** Runs one statement. */
  async run(text: string): Promise<Judged> {
    const connection = this.#connection;
    if (connection.status === 'E') {
      await connection.run(text);
      this.#forget();
      return skipped;
    }
    const statement = await this.#analyse(text);
    if (statement === undefined) return skipped;
    const { facts } = statement;
    if (facts.analysis !== 'complete') {
      if (this.#undoes) await connection.run('BEGIN');
      await connection.run(text);
      if (this.#undoes) await connection.run('ROLLBACK');
      this.#forget();
      this.#follow(statement.changes);
      return { facts, kind: 'incomplete', misses: [], changed: false };
    }
    return await this.#watch(text, statement);
  }

  async #watch(text: string, statement: SqlStatement): Promise<Judged> {
    const connection = this.#connection;
    const { facts } = statement;
    if (facts.effects.includes('transaction')) {
      await connection.run(text);
      this.#forget();
      return skipped;
    }
    const wraps = connection.status === 'I';
    if (wraps) await connection.run('BEGIN');
    await this.#witness.before();
    let result = await connection.run(text);
    let changes: Changes | undefined;
    if (result.error === ACTIVE_TRANSACTION && wraps) {
      await connection.run('ROLLBACK');
      result = await connection.run(text);
      changes = result.error === undefined ? await this.#witness.afterAlone() : undefined;
    } else {
      changes = result.error === undefined ? await this.#witness.after() : undefined;
      if (wraps) await connection.run(this.#undoes ? 'ROLLBACK' : 'COMMIT');
      if (wraps && this.#undoes) this.#witness.restore();
    }
    if (changes === undefined) {
      this.#forget();
      return { ...skipped, facts };
    }
    if (!wraps || !this.#undoes) this.#follow(statement.changes);
    const misses = [...missesOf(facts, changes), ...this.#shapeMisses(statement, result)];
    const changed =
      changes.rows.length + changes.objects.length + changes.sequences.length > 0 ||
      changes.settings;
    return { facts, kind: 'complete', misses, changed };
  }

  async #analyse(text: string): Promise<SqlStatement | undefined> {
    const connection = this.#connection;
    const query = (sql: string): Promise<Result['rows']> => connection.rows(sql);
    this.#catalogue ??= await this.#catalogues.current(
      'oracle',
      query,
      'changed',
      connection.status === 'T' ? 'open' : 'none',
    );
    const { searchPath, role, database, unsound } = readSessionState(await query(sessionStateSql));
    const state: SqlState = {
      catalogue: this.#catalogue,
      searchPath,
      role,
      database,
      known: unsound === undefined,
      prepared: (name) => this.#prepared.get(name),
      cursor: (name) => this.#cursors.get(name),
    };
    const { statements } = await this.#analyser.analyse(text, state, noMasks);
    return statements.length === 1 ? statements[0] : undefined;
  }

  /** Names and types of the columns that came, beside those that were foretold. */
  #shapeMisses({ output, copy }: SqlStatement, { columns }: Result): readonly string[] {
    if (copy !== undefined || columns === undefined) return [];
    const told = output ?? [];
    if (told.length !== columns.length) return [`${columns.length} columns, not ${told.length}`];
    return columns.flatMap(({ name, typeOid }, at) => {
      const column = told[at];
      const type = this.#wireType(column?.typeOid ?? 0);
      const isWrong = column?.name !== name || (type !== 0 && type !== typeOid);
      return isWrong
        ? [`column ${at + 1} is ${name} of type ${typeOid}, not ${column?.name} of ${type}`]
        : [];
    });
  }

  /** As the server describes it: domains are what they are over, and literals are text. */
  #wireType(typeOid: number): number {
    let type = typeOid === 705 ? 25 : typeOid;
    for (let depth = 0; depth < 10; depth += 1) {
      const info = this.#catalogue?.typeByOid(type);
      if (info?.kind !== 'domain') return type;
      type = info.baseOid;
    }
    return type;
  }

  #follow(changes: readonly SessionChange[]): void {
    for (const change of changes) {
      if (change.kind === 'catalogue') this.#catalogue = undefined;
      else if (change.kind === 'prepare') this.#prepared.set(change.name, change.statement);
      else if (change.kind === 'declare') this.#cursors.set(change.name, change.statement);
      else if (change.kind === 'deallocate' && change.name === undefined) this.#prepared.clear();
      else if (change.kind === 'deallocate') this.#prepared.delete(change.name ?? '');
    }
  }

  #forget(): void {
    this.#catalogue = undefined;
    this.#witness.forget();
  }
}
