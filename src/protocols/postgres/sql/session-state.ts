/**
 * Reads from the server what gives a session's texts their meaning, in one row. Only the server
 * knows: `search_path` goes through `$user`, through schemas that do not exist and through rights,
 * and settings can be changed where no gateway sees it (`ALTER ROLE … SET`, functions).
 *
 * Invariant: what is not exactly as it must be makes the state unknown, never a guess.
 */
import { GatewayError } from '#core/errors.ts';
import { strings, text } from './catalogue-rows.ts';

/**
 * Settings under which a text means something else than the gateway's parser and analysis say, and
 * the values under which it does not.
 */
const pinned: readonly (readonly [name: string, values: readonly string[]])[] = [
  // Where a string literal ends.
  ['standard_conforming_strings', ['on']],
  ['backslash_quote', ['safe_encoding', 'off']],
  ['client_encoding', ['UTF8']],
  ['server_encoding', ['UTF8']],
  // `x = NULL` becomes `x IS NULL`.
  ['transform_null_equals', ['off']],
  // Whether triggers and rules run.
  ['session_replication_role', ['origin', 'local']],
  // Whether rows are filtered by policies, or the statement fails; both are safe.
  ['row_security', ['on', 'off']],
];

/** Asks for the state. Every name in it is qualified, and it uses no operator. */
export const sessionStateSql: string = `SELECT
  pg_catalog.array_to_json(pg_catalog.current_schemas(true)),
  current_user, session_user, pg_catalog.current_database(),
  pg_catalog.pg_backend_pid(), pg_catalog.pg_my_temp_schema(),
  ${pinned.map(([name]) => `pg_catalog.current_setting('${name}')`).join(',\n  ')}`;

/** What the server said of a session. */
export interface SessionState {
  /** Schemas in order of search; `pg_catalog` and the temporary schema are in their places. */
  readonly searchPath: readonly string[];
  /** `current_user` */
  readonly role: string;
  readonly sessionUser: string;
  readonly database: string;
  readonly processId: number;
  /** Oid of the session's temporary schema, 0 when it has none yet. */
  readonly temporarySchemaOid: number;
  /** A setting under which texts mean something else; undefined when there is none. */
  readonly unsound: string | undefined;
}

/**
 * Decodes the answer.
 *
 * @throws GatewayError when it is not one row as asked for.
 */
export function readSessionState(rows: readonly (readonly (string | null)[])[]): SessionState {
  const row = rows[0];
  const fixed = 6;
  if (row === undefined || rows.length !== 1 || row.length !== fixed + pinned.length) {
    throw new GatewayError('SP_TARGET_PROTOCOL', { detail: 'the state of the session' });
  }
  const wrong = pinned.find(([, values], at) => !values.includes(row[fixed + at] ?? ''));
  return {
    searchPath: strings(row, 0),
    role: text(row, 1),
    sessionUser: text(row, 2),
    database: text(row, 3),
    processId: Number(text(row, 4)),
    temporarySchemaOid: Number(text(row, 5)),
    unsound: wrong?.[0],
  };
}
