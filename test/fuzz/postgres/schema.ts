/**
 * The database that random queries are made over: a few small tables, some with masked columns of
 * every kind, and views and functions that carry those on. Two databases with other canaries and
 * everything else alike show what depends on masked values.
 */
import type { Canaries } from './canaries.ts';

/** What expressions are made of. */
export type Kind =
  | 'text'
  | 'int'
  | 'numeric'
  | 'date'
  | 'json'
  | 'texts'
  | 'bytes'
  | 'uuid'
  | 'boolean';

export interface Column {
  readonly name: string;
  readonly kind: Kind;
  /** Whether values of masked columns may be in it. */
  readonly masked: boolean;
}

export interface Relation {
  readonly name: string;
  readonly columns: readonly Column[];
}

/** What the policy masks. */
export const maskedColumns: readonly string[] = [
  ...['ssn', 'email', 'born', 'pay', 'balance', 'token', 'doc', 'tags', 'raw'].map(
    (column) => `public.people.${column}`,
  ),
  'public.parents.secret',
  'public.days.secret',
  'public.comps.held',
];

const kinds: Readonly<Record<string, Kind>> = {
  t: 'text',
  i: 'int',
  n: 'numeric',
  d: 'date',
  j: 'json',
  a: 'texts',
  b: 'bytes',
  u: 'uuid',
};

/** Columns in short: `name:kind`, with `*` when it is masked. */
function relation(name: string, columns: string): Relation {
  return {
    name,
    columns: columns.split(' ').map((written) => {
      const [column = '', kind = ''] = written.split(':');
      return {
        name: column,
        kind: kinds[kind.charAt(0)] ?? 'text',
        masked: kind.endsWith('*'),
      };
    }),
  };
}

const people =
  'id:i name:t city:t ssn:t* email:t* born:d* pay:i* balance:n* token:u* doc:j* tags:a* ' +
  'raw:b* initial:t*';

/** What a query can name; the simplest first. */
export const relations: readonly [Relation, ...Relation[]] = [
  relation('orders', 'id:i person:i total:n status:t note:t doc:j tags:a placed:d'),
  relation('people', people),
  relation('places', 'id:i city:t note:t area:n opened:d code:b token:u'),
  relation('badges', 'ssn:t* door:i'),
  relation('parents', 'a:i secret:t*'),
  relation('children', 'a:i secret:t* b:i'),
  relation('days', 'day:d secret:t*'),
  relation('comps', 'id:i held:t* names:a'),
  relation('plain_orders', 'id:i total:n'),
  relation('renamed', 'key:i mark:t* city:t'),
  relation('stacked', 'k:i t:t*'),
  relation('stored', 'id:i held:t* n:i'),
  relation('grouped', 'city:t n:i top:t* ids:t'),
  relation('united', 'id:i t:t*'),
  relation('aside', 'id:i v:t* w:t'),
  relation('recurring', 'n:i a:t* b:t*'),
  relation('guarded', 'id:i owner:t'),
];

/** Functions that return rows; as relations, with their call for a name. */
export const rowFunctions: readonly [Relation, ...Relation[]] = [
  relation('numbered(3)', 'n:i'),
  relation('listed()', 'k:i v:t*'),
  relation('everybody()', people),
];

/** The statements that make the database. */
export function schemaSql(canaries: Canaries): string {
  const person = (id: number): string => {
    const [ssn, email, pay, cents, uuid, doc] = Array.from({ length: 6 }, () => canaries.next());
    const [tag, raw] = [canaries.next(), canaries.next()];
    return `(${id}, 'n${id}', '${id % 2 === 0 ? 'Oslo' : 'Lima'}', 'S${ssn}', '${email}@x.test',
      '${canaries.nextDay()}', ${pay}, ${cents}.50, '00000000-0000-0000-0000-000${uuid}',
      '{"k": "${doc}", "n": ${doc}, "list": ["${doc}"]}', '{x,${tag}}', '${raw}')`;
  };
  const people = [1, 2, 3, 4, 5].map(person).join(',\n');
  return `
  CREATE TYPE pair AS (x text, y int);
  CREATE TABLE people (id int PRIMARY KEY, name text NOT NULL, city text, ssn text NOT NULL UNIQUE,
    email varchar(80), born date, pay int, balance numeric CHECK (balance >= 0), token uuid,
    doc jsonb, tags text[], raw bytea,
    initial text GENERATED ALWAYS AS (left(ssn, 8)) STORED);
  INSERT INTO people VALUES ${people};
  CREATE TABLE orders (id int PRIMARY KEY, person int REFERENCES people ON DELETE CASCADE,
    total numeric NOT NULL, status text, note text, doc jsonb, tags text[], placed date);
  INSERT INTO orders SELECT g, 1 + g % 5, g * 10, 'open', CASE WHEN g % 3 > 0 THEN 'note ' || g END,
    '{"k": "v", "n": 1, "list": [1, 2]}', ARRAY['x', 'y' || g], date '2024-01-01' + g
    FROM generate_series(1, 8) g;
  CREATE TABLE places (id int PRIMARY KEY, city text, note text, area numeric, opened date,
    code bytea, token uuid);
  INSERT INTO places SELECT g, CASE WHEN g % 2 = 0 THEN 'Oslo' ELSE 'Rome' END, 'place ' || g,
    g * 1.5, date '2020-05-05' + g, '\\x0102', '00000000-0000-0000-0000-000000000001'
    FROM generate_series(1, 4) g;
  CREATE TABLE badges (ssn text REFERENCES people (ssn), door int);
  INSERT INTO badges SELECT ssn, id FROM people WHERE id < 4;
  CREATE TABLE parents (a int, secret text);
  INSERT INTO parents VALUES (1, 'p${canaries.next()}');
  CREATE TABLE children (b int) INHERITS (parents);
  INSERT INTO children VALUES (1, 'c${canaries.next()}', 2);
  CREATE TABLE days (day date, secret text) PARTITION BY RANGE (day);
  CREATE TABLE days_2024 PARTITION OF days FOR VALUES FROM ('2024-01-01') TO ('2025-01-01');
  INSERT INTO days VALUES ('2024-05-05', 'd${canaries.next()}');
  CREATE TABLE comps (id int, held pair, names text[]);
  INSERT INTO comps SELECT g, ROW('h${canaries.next()}', g)::pair, ARRAY['one', 'two']
    FROM generate_series(1, 2) g;
  CREATE TABLE notes (id int DEFAULT 7, body text);
  CREATE TABLE guarded (id int, owner text);
  INSERT INTO guarded VALUES (1, 'postgres');
  ALTER TABLE guarded ENABLE ROW LEVEL SECURITY;
  CREATE POLICY mine ON guarded USING (owner = current_user);
  ${viewsSql}
  ANALYZE;`;
}

const viewsSql = `
  CREATE VIEW plain_orders AS SELECT id, total FROM orders;
  CREATE VIEW renamed AS SELECT id AS key, ssn AS mark, city FROM people;
  CREATE VIEW stacked (k, t) AS SELECT key, upper(mark) FROM renamed WHERE city = 'Oslo';
  CREATE MATERIALIZED VIEW stored AS SELECT id, ssn AS held, count(*) OVER () AS n FROM people;
  CREATE VIEW grouped AS SELECT city, count(*)::int AS n, max(ssn) AS top,
    array_agg(id ORDER BY id)::text AS ids FROM people GROUP BY city;
  CREATE VIEW united AS SELECT id, name AS t FROM people UNION ALL SELECT id, ssn FROM people;
  CREATE VIEW aside AS SELECT p.id, l.v, l.w FROM people p,
    LATERAL (SELECT p.ssn AS v, p.city AS w) l;
  CREATE VIEW recurring AS WITH RECURSIVE r(n, a, b) AS (
    SELECT 1, ssn, name FROM people UNION ALL SELECT n + 1, b, a FROM r WHERE n < 3)
    SELECT * FROM r;
  CREATE FUNCTION tax(numeric) RETURNS numeric LANGUAGE sql IMMUTABLE AS 'SELECT $1 * 1.2';
  CREATE FUNCTION same(x text) RETURNS text LANGUAGE sql IMMUTABLE AS 'SELECT x';
  CREATE FUNCTION twice_of(a anyelement, b anyelement) RETURNS anyarray LANGUAGE sql IMMUTABLE AS
    'SELECT ARRAY[$1, $2]';
  CREATE FUNCTION numbered(int) RETURNS SETOF int LANGUAGE sql STABLE AS
    'SELECT g FROM generate_series(1, $1) g';
  CREATE FUNCTION pick(wanted int) RETURNS text LANGUAGE sql STABLE AS
    'SELECT ssn FROM people WHERE id = wanted';
  CREATE FUNCTION standard(a int) RETURNS text RETURN (SELECT p.ssn FROM people p WHERE p.id = a);
  CREATE FUNCTION listed() RETURNS TABLE (k int, v text) LANGUAGE sql STABLE AS
    'SELECT id, ssn FROM people';
  CREATE FUNCTION whole(int) RETURNS people LANGUAGE sql STABLE AS
    'SELECT * FROM people WHERE id = $1';
  CREATE FUNCTION two(int, OUT a text, OUT b text) LANGUAGE sql STABLE AS
    'SELECT name, ssn FROM people WHERE id = $1';
  CREATE FUNCTION everybody() RETURNS SETOF people LANGUAGE sql STABLE AS 'SELECT * FROM people';
  CREATE FUNCTION town(x text) RETURNS text LANGUAGE sql STABLE AS
    'SELECT city FROM people WHERE ssn = x LIMIT 1';`;
