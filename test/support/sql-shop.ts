/**
 * A database with everything that an analysis must not be fooled by, an analyser over its
 * catalogue, and canaries in the columns that are masked.
 */
import type { Clock } from '#core/clock.ts';
import { systemClock } from '#core/clock.ts';
import { defaultLimits } from '#core/limits.ts';
import type { MaskSet } from '#core/masking.ts';
import { createSqlAnalyser, type RunningAnalyser } from '#protocols/postgres/sql/analyser.ts';
import type { Catalogue } from '#protocols/postgres/sql/catalogue.ts';
import { CatalogueCache } from '#protocols/postgres/sql/catalogue-cache.ts';
import type { SqlAnalysis, SqlState, SqlStatement } from '#protocols/postgres/sql/types.ts';
import { Client } from 'pg';
import { startPostgres, type PostgresVersion, type TestPostgres } from './postgres.ts';

/** Values of masked columns start with it. */
export const canary: string = 'CANARY';

export const shopSql: string = `
  CREATE TABLE people (id int PRIMARY KEY, name text NOT NULL, city text, ssn text NOT NULL UNIQUE,
    email varchar(80), born date, balance numeric DEFAULT 0 CHECK (balance >= 0),
    initial text GENERATED ALWAYS AS (left(ssn, 8)) STORED);
  INSERT INTO people (id, name, city, ssn, email, born)
    SELECT g, 'n' || g, CASE g % 2 WHEN 0 THEN 'Oslo' ELSE 'Lima' END,
      '${canary}' || (1000 + g), '${canary}' || g || '@x.test', '2000-01-01'
    FROM generate_series(1, 5) g;
  CREATE TABLE orders (id int PRIMARY KEY, person int REFERENCES people ON DELETE CASCADE,
    total numeric NOT NULL, status text, note text, doc jsonb, tags text[]);
  INSERT INTO orders SELECT g, 1 + g % 5, g * 10, 'open', 'note', '{"a": {"b": 1}}', '{x,y}'
    FROM generate_series(1, 10) g;
  CREATE TABLE badges (ssn text REFERENCES people (ssn), door int);
  INSERT INTO badges SELECT ssn, 1 FROM people;
  CREATE TABLE notes (id serial PRIMARY KEY, body text);
  CREATE TABLE empty_log (id serial, what text);
  CREATE TABLE staff (id int PRIMARY KEY, boss int, pay int);
  INSERT INTO staff VALUES (1, NULL, 770001), (2, 1, 770002);
  CREATE TABLE parents (a int, secret text);
  CREATE TABLE children (b int) INHERITS (parents);
  INSERT INTO children VALUES (1, '${canary}-child', 2);
  CREATE TABLE days (day date, secret text) PARTITION BY RANGE (day);
  CREATE TABLE days_2024 PARTITION OF days FOR VALUES FROM ('2024-01-01') TO ('2025-01-01');
  INSERT INTO days VALUES ('2024-05-05', '${canary}-day');
  CREATE VIEW plain_orders AS SELECT id, total FROM orders;
  CREATE VIEW renamed AS SELECT id AS key, ssn AS token, city FROM people;
  CREATE VIEW stacked (k, t) AS SELECT key, upper(token) FROM renamed WHERE city = 'Oslo';
  CREATE MATERIALIZED VIEW stored AS SELECT id, ssn AS held, count(*) OVER () AS n FROM people;
  CREATE FUNCTION wipe() RETURNS int LANGUAGE plpgsql AS
    'BEGIN DELETE FROM people; RETURN 1; END';
  CREATE FUNCTION wipe(people) RETURNS int LANGUAGE plpgsql AS
    'BEGIN DELETE FROM people; RETURN 1; END';
  CREATE FUNCTION pretends(int) RETURNS int LANGUAGE plpgsql IMMUTABLE AS
    'BEGIN PERFORM wipe(); RETURN 1; END';
  CREATE FUNCTION tax(numeric) RETURNS numeric LANGUAGE sql IMMUTABLE AS 'SELECT $1 * 1.2';
  CREATE FUNCTION sql_wipe() RETURNS void LANGUAGE sql AS 'DELETE FROM people';
  CREATE FUNCTION pick(wanted int) RETURNS text LANGUAGE sql STABLE AS
    'SELECT ssn FROM people WHERE id = wanted';
  CREATE FUNCTION listed() RETURNS TABLE (k int, v text) LANGUAGE sql STABLE AS
    'SELECT id, ssn FROM people';
  CREATE FUNCTION whole(int) RETURNS people LANGUAGE sql STABLE AS
    'SELECT * FROM people WHERE id = $1';
  CREATE FUNCTION standard(a int) RETURNS text RETURN (SELECT p.ssn FROM people p WHERE p.id = a);
  CREATE FUNCTION loops(int) RETURNS int LANGUAGE sql AS 'SELECT 1';
  CREATE OR REPLACE FUNCTION loops(int) RETURNS int LANGUAGE sql AS 'SELECT loops($1) + 1';
  CREATE FUNCTION bad_default(a int, b int DEFAULT wipe()) RETURNS int LANGUAGE sql AS 'SELECT $1';
  CREATE FUNCTION op_wipe(int, int) RETURNS int LANGUAGE plpgsql AS
    'BEGIN PERFORM wipe(); RETURN 1; END';
  CREATE OPERATOR |+| (LEFTARG = int, RIGHTARG = int, FUNCTION = op_wipe);
  CREATE AGGREGATE bad_sum (int) (SFUNC = op_wipe, STYPE = int);
  CREATE AGGREGATE good_sum (int) (SFUNC = int4pl, STYPE = int);
  CREATE TYPE mood AS (m text);
  CREATE FUNCTION to_mood(text) RETURNS mood LANGUAGE plpgsql AS
    'BEGIN PERFORM wipe(); RETURN ROW($1)::mood; END';
  CREATE CAST (text AS mood) WITH FUNCTION to_mood(text);
  CREATE TYPE size AS ENUM ('s', 'm');
  CREATE DOMAIN small AS int CHECK (VALUE < 100);
  CREATE DOMAIN hostile AS int CHECK (pretends(VALUE) = 1);
  CREATE VIEW reporting AS SELECT id, wipe() AS n FROM notes;
  CREATE TABLE watched (id int, note text);
  CREATE FUNCTION on_watched() RETURNS trigger LANGUAGE plpgsql AS
    'BEGIN PERFORM wipe(); RETURN NEW; END';
  CREATE TRIGGER t AFTER INSERT ON watched FOR EACH ROW EXECUTE FUNCTION on_watched();
  CREATE TABLE ruled (id int, note text);
  CREATE RULE r AS ON INSERT TO ruled DO ALSO DELETE FROM people;
  CREATE TABLE guarded (id int, owner text);
  INSERT INTO guarded VALUES (1, 'postgres');
  ALTER TABLE guarded ENABLE ROW LEVEL SECURITY;
  CREATE POLICY mine ON guarded USING (owner = current_user);
  CREATE SCHEMA evil;
  CREATE FUNCTION evil.lower(text) RETURNS text LANGUAGE plpgsql AS
    'BEGIN PERFORM public.wipe(); RETURN $1; END';
  CREATE FUNCTION evil.same(text, text) RETURNS boolean LANGUAGE plpgsql AS
    'BEGIN PERFORM public.wipe(); RETURN true; END';
  CREATE OPERATOR evil.= (LEFTARG = text, RIGHTARG = text, FUNCTION = evil.same);
  CREATE FUNCTION public.upper(varchar) RETURNS text LANGUAGE plpgsql AS
    'BEGIN PERFORM wipe(); RETURN $1; END';
  CREATE TABLE evil.orders (id int, total text);
`;

/** What is masked, as a policy would say. */
export const maskedColumns: readonly string[] = [
  'public.people.ssn',
  'public.people.email',
  'public.staff.pay',
  'public.parents.secret',
  'public.days.secret',
];

/** Masks of whole columns; what they are replaced by does not matter here. */
export function maskSet(columns: readonly string[]): MaskSet {
  const masked = new Set(columns);
  return {
    version: columns.join(),
    empty: columns.length === 0,
    column: (schema, table, column) =>
      masked.has(`${schema}.${table}.${column}`)
        ? { id: 'test', transform: { kind: 'redact' } }
        : undefined,
    columns,
    content: undefined,
    without: () => maskSet(columns),
    replace: () => '***',
  };
}

export interface Shop {
  readonly server: TestPostgres;
  readonly analyser: RunningAnalyser;
  /** The catalogue as it was read last. */
  catalogue: Catalogue;
  /** Reads the catalogue again. */
  refresh(): Promise<void>;
  readonly client: Client;
  /** The analysis of a text under the usual state, changed by `state`. */
  analyse(text: string, state?: Partial<SqlState>, masks?: MaskSet): Promise<SqlAnalysis>;
  /** The same for a text of one statement. */
  one(text: string, state?: Partial<SqlState>, masks?: MaskSet): Promise<SqlStatement>;
  stop(): Promise<void>;
}

/**
 * Starts a server with the shop in it.
 *
 * @param extra - statements that a test adds to the shop.
 */
export async function openShop(
  version: PostgresVersion,
  clock: Clock = systemClock,
  extra: string = '',
): Promise<Shop> {
  const server = await startPostgres({ version });
  const { host, port, superuser } = server;
  const client = new Client({ host, port, user: superuser, database: 'postgres' });
  await client.connect();
  await client.query(shopSql + extra);
  const types = { getTypeParser: () => (value: string) => value };
  const cache = new CatalogueCache({ clock, limits: defaultLimits });
  const read = (): Promise<Catalogue> =>
    cache.current(
      'shop',
      async (text) =>
        (await client.query<(string | null)[]>({ text, rowMode: 'array', types })).rows,
      'changed',
    );
  const analyser = await createSqlAnalyser({ clock, limits: defaultLimits });
  const masks = maskSet(maskedColumns);
  const analyse: Shop['analyse'] = async (text, state = {}, wanted = masks) =>
    analyser.analyse(text, { ...usualState(shop.catalogue), ...state }, wanted);
  const shop: Shop = {
    server,
    analyser,
    catalogue: await read(),
    refresh: async () => {
      shop.catalogue = await read();
    },
    client,
    analyse,
    one: async (text, state, wanted) => {
      const { statements } = await analyse(text, state, wanted);
      const [only] = statements;
      if (only === undefined || statements.length !== 1) throw new Error(`not one: ${text}`);
      return only;
    },
    stop: async () => {
      await analyser.close();
      await client.end();
      await server.stop();
    },
  };
  return shop;
}

/** A session that has done nothing yet. */
export function usualState(catalogue: Catalogue): SqlState {
  return {
    catalogue,
    searchPath: ['pg_catalog', 'public'],
    role: 'postgres',
    database: catalogue.database,
    known: true,
    prepared: () => undefined,
    cursor: () => undefined,
  };
}

/** Output columns in short: `name`, `name*` masked, `name=` that column itself, `name?` unknown. */
export function outputText(statement: SqlStatement): string {
  if (statement.output === undefined) return '?';
  return statement.output
    .map(({ name, sources, direct, unknown }) => {
      if (unknown) return `${name}?`;
      if (sources.length === 0) return name;
      return direct === undefined ? `${name}*` : `${name}=`;
    })
    .join(' ');
}
