/**
 * A database where a write reaches further than its text says, and random statements over it:
 * triggers, rules, cascades, heirs, partitions, views, functions, sequences.
 */
import type { Dice } from '../dice.ts';

export const writesSchema: string = `
  CREATE TABLE plain (id int PRIMARY KEY, n int, t text);
  INSERT INTO plain SELECT g, g, 't' || g FROM generate_series(1, 5) g;
  CREATE TABLE parent (id int PRIMARY KEY, n int, t text);
  CREATE TABLE cascades (id int PRIMARY KEY, n int REFERENCES parent ON DELETE CASCADE
    ON UPDATE CASCADE, t text);
  CREATE TABLE empties (id int PRIMARY KEY, n int REFERENCES parent ON DELETE SET NULL, t text);
  CREATE TABLE grandchild (id int, n int REFERENCES cascades ON DELETE CASCADE, t text);
  INSERT INTO parent SELECT g, g, 'p' FROM generate_series(1, 4) g;
  INSERT INTO cascades SELECT id, id, t FROM parent;
  INSERT INTO empties SELECT id, id, t FROM parent;
  INSERT INTO grandchild SELECT id, id, t FROM parent;
  CREATE TABLE log (id serial, n int, t text);
  CREATE TABLE triggered (id int PRIMARY KEY, n int, t text);
  INSERT INTO triggered VALUES (1, 1, 'x'), (2, 2, 'y');
  CREATE FUNCTION logs() RETURNS trigger LANGUAGE plpgsql AS
    $$BEGIN INSERT INTO log (n, t) VALUES (1, TG_OP); RETURN COALESCE(NEW, OLD); END$$;
  CREATE TRIGGER logs AFTER INSERT OR UPDATE OR DELETE ON triggered
    FOR EACH ROW EXECUTE FUNCTION logs();
  CREATE TABLE ruled (id int PRIMARY KEY, n int, t text);
  INSERT INTO ruled VALUES (1, 1, 'x'), (2, 2, 'y');
  CREATE RULE also AS ON UPDATE TO ruled DO ALSO INSERT INTO log (n, t) VALUES (NEW.n, OLD.t);
  CREATE RULE gone AS ON DELETE TO ruled DO INSTEAD UPDATE plain SET n = n + 1 WHERE id = OLD.id;
  CREATE TABLE base (id int, n int, t text);
  CREATE TABLE heir (extra int) INHERITS (base);
  INSERT INTO base VALUES (1, 1, 'b'); INSERT INTO heir VALUES (2, 2, 'h', 1);
  CREATE TABLE parts (id int, n int, t text) PARTITION BY RANGE (n);
  CREATE TABLE parts_low PARTITION OF parts FOR VALUES FROM (MINVALUE) TO (10);
  CREATE TABLE parts_high PARTITION OF parts FOR VALUES FROM (10) TO (MAXVALUE);
  INSERT INTO parts VALUES (1, 1, 'l'), (2, 20, 'h');
  CREATE VIEW seen AS SELECT id, n, t FROM plain WHERE n > 0;
  CREATE VIEW seen_parent AS SELECT * FROM parent;
  CREATE VIEW counted AS SELECT t, count(*) AS n FROM plain GROUP BY t;
  CREATE MATERIALIZED VIEW stored AS SELECT id, n FROM plain;
  CREATE SEQUENCE steps;
  CREATE TABLE defaulted (id int DEFAULT nextval('steps'), n int GENERATED ALWAYS AS IDENTITY,
    t text DEFAULT 'd');
  CREATE FUNCTION reads(int) RETURNS int LANGUAGE sql STABLE AS 'SELECT n FROM plain WHERE id = $1';
  CREATE FUNCTION adds(int) RETURNS int LANGUAGE sql AS
    'INSERT INTO log (n) VALUES ($1) RETURNING n';
  CREATE FUNCTION hides(int) RETURNS int LANGUAGE plpgsql AS
    $$BEGIN DELETE FROM parent WHERE id = $1; RETURN $1; END$$;
  CREATE FUNCTION lies(int) RETURNS int LANGUAGE plpgsql IMMUTABLE AS
    $$BEGIN PERFORM nextval('steps'); RETURN $1; END$$;
  CREATE PROCEDURE does(int) LANGUAGE sql AS 'UPDATE plain SET n = n + $1';
  CREATE VIEW doing AS SELECT id, adds(n) AS done FROM plain;
  CREATE SCHEMA side;
  CREATE TABLE side.plain (id int, n int, t text);
  CREATE FUNCTION side.abs(int) RETURNS int LANGUAGE sql AS
    'INSERT INTO public.log (n) VALUES ($1) RETURNING n';
  CREATE TYPE mood AS ENUM ('a', 'b');
  CREATE DOMAIN small AS int CHECK (VALUE < 1000);
  CREATE INDEX plain_n ON plain (n);
  CREATE POLICY mine ON plain USING (true);
  CREATE ROLE fuzz_role;`;

const words: Readonly<Record<string, readonly [string, ...string[]]>> = {
  table: [
    'plain',
    'parent',
    'cascades',
    'empties',
    'triggered',
    'ruled',
    'base',
    'ONLY base',
    'heir',
    'parts',
    'parts_low',
    'seen',
    'seen_parent',
    'side.plain',
    'defaulted',
    'log',
    'public.plain',
    '"plain"',
  ],
  source: ['plain', 'parent', 'seen', 'counted', 'stored', 'parts', 'doing', 'log', 'base'],
  relation: ['plain', 'parent', 'cascades', 'triggered', 'base', 'parts', 'side.plain', 'log'],
  call: [
    'reads(1)',
    'adds(2)',
    'hides(3)',
    'lies(4)',
    "nextval('steps')",
    "setval('steps', 9)",
    "currval('steps')",
    'lo_create(0)',
    "set_config('work_mem', '5MB', false)",
    'pg_advisory_lock(7)',
    "pg_notify('c', 'x')",
    'txid_current()',
    'abs(-1)',
    'side.abs(1)',
    'pg_relation_size($$plain$$)',
    "query_to_xml('DELETE FROM plain', true, true, '')",
  ],
  value: ['1', 'n + 1', '20', 'reads(1)', 'adds(1)', 'length(t)', '(SELECT max(n) FROM log)'],
  when: ['id = 1', 'true', 'n > 1', 'id IN (SELECT id FROM parent)', 'adds(1) = 1', 'reads(1) > 0'],
  cascade: ['', ' CASCADE', ' RESTRICT'],
};

const templates: readonly [string, ...string[]] = [
  'SELECT * FROM {source}',
  'SELECT {call}',
  'SELECT {call} FROM {source}',
  'SELECT count(*) FROM {source} WHERE {when}',
  'SELECT * FROM {relation} FOR UPDATE',
  'INSERT INTO {table} (id, n, t) VALUES (77, {value0}, {text})',
  'INSERT INTO {table} (id, n, t) SELECT id + 100, n, t FROM {relation}',
  'INSERT INTO {table} (id, t) VALUES (88, {text}) RETURNING *',
  'INSERT INTO defaulted DEFAULT VALUES',
  'INSERT INTO plain VALUES (1, 1, {text}) ON CONFLICT (id) DO UPDATE SET n = {value1}',
  'INSERT INTO plain VALUES (1, 1, {text}) ON CONFLICT DO NOTHING',
  'UPDATE {table} SET n = {value} WHERE {when}',
  'UPDATE {table} SET t = {text}',
  'UPDATE {table} SET id = id + 50 WHERE id = 3',
  'UPDATE {table} z SET n = s.n FROM {relation} s WHERE s.id = z.id',
  'DELETE FROM {table} WHERE {when}',
  'DELETE FROM {table}',
  'DELETE FROM {table} z USING {relation} s WHERE s.id = z.id RETURNING z.id',
  'TRUNCATE {relation}{cascade}',
  'TRUNCATE {relation} RESTART IDENTITY CASCADE',
  'MERGE INTO {relation} z USING plain s ON z.id = s.id WHEN MATCHED AND s.n > 2 THEN DELETE ' +
    'WHEN MATCHED THEN UPDATE SET n = {value0} WHEN NOT MATCHED THEN INSERT (id) VALUES (s.id)',
  'WITH w AS (DELETE FROM {table} WHERE {when} RETURNING *) SELECT count(*) FROM w',
  'WITH w AS (UPDATE {table} SET t = {text} RETURNING id) SELECT 1',
  'WITH w AS (INSERT INTO {table} (id, n, t) VALUES (99, 1, {text}) RETURNING id) ' +
    'DELETE FROM {relation} WHERE id IN (SELECT id FROM w)',
  'EXPLAIN DELETE FROM {table}',
  'EXPLAIN ANALYZE UPDATE {table} SET t = {text}',
  'EXPLAIN SELECT {call}',
  'COPY {relation} TO STDOUT',
  'COPY (DELETE FROM {table} RETURNING id) TO STDOUT',
  'CALL does(1)',
  'DO $$BEGIN DELETE FROM parent; END$$',
  'SELECT * INTO made FROM {source}',
  'CREATE TABLE made AS SELECT * FROM {source} WHERE {when}',
  'CREATE TEMP TABLE made AS SELECT {call}',
  'CREATE TABLE made (id serial PRIMARY KEY, n int REFERENCES parent, t text CHECK (t <> {text}))',
  'CREATE TABLE made (LIKE {relation} INCLUDING ALL)',
  'CREATE TABLE made () INHERITS ({relation})',
  'CREATE TABLE made PARTITION OF parts DEFAULT',
  'CREATE VIEW made AS SELECT * FROM {source}',
  'CREATE OR REPLACE VIEW seen AS SELECT id, n, t FROM plain',
  'CREATE MATERIALIZED VIEW made AS SELECT {call} AS c',
  'REFRESH MATERIALIZED VIEW stored',
  'CREATE INDEX made ON {relation} (n)',
  'CREATE UNIQUE INDEX made ON {relation} (id) WHERE {when}',
  'CREATE FUNCTION made() RETURNS int LANGUAGE sql AS $$SELECT 1$$',
  'CREATE SEQUENCE made OWNED BY {relation}.n',
  'CREATE TYPE made AS ENUM ($$a$$)',
  'CREATE DOMAIN made AS int DEFAULT {value0}',
  'CREATE SCHEMA made CREATE TABLE inner_one (id int) CREATE VIEW v AS SELECT * FROM inner_one',
  'CREATE RULE made AS ON INSERT TO {relation} DO ALSO DELETE FROM plain',
  'CREATE TRIGGER made BEFORE INSERT ON {relation} FOR EACH ROW EXECUTE FUNCTION logs()',
  'CREATE POLICY made ON {relation} USING ({when})',
  'CREATE STATISTICS made ON id, n FROM {relation}',
  'CREATE AGGREGATE made (int) (SFUNC = int4pl, STYPE = int)',
  'CREATE ROLE made_role',
  'ALTER TABLE {relation} ADD COLUMN made int DEFAULT {value0}',
  'ALTER TABLE {relation} ADD COLUMN made serial',
  'ALTER TABLE {relation} DROP COLUMN t{cascade}',
  'ALTER TABLE {relation} ALTER COLUMN n TYPE bigint USING {value0}',
  'ALTER TABLE {relation} RENAME TO made',
  'ALTER TABLE {relation} RENAME COLUMN t TO made',
  'ALTER TABLE {relation} SET SCHEMA side',
  'ALTER TABLE {relation} ADD CONSTRAINT made CHECK (reads(id) > 0) NOT VALID',
  'ALTER TABLE {relation} DISABLE TRIGGER ALL',
  'ALTER TABLE {relation} OWNER TO fuzz_role',
  'ALTER TABLE {relation} ENABLE ROW LEVEL SECURITY',
  'ALTER TABLE parts DETACH PARTITION parts_low',
  'ALTER TABLE heir NO INHERIT base',
  'ALTER SEQUENCE steps RESTART',
  'ALTER VIEW seen RENAME TO made',
  'ALTER TYPE mood ADD VALUE $$c$$',
  'ALTER DOMAIN small DROP CONSTRAINT small_check',
  'ALTER FUNCTION adds(int) RENAME TO made',
  'ALTER SCHEMA side RENAME TO made',
  'ALTER DEFAULT PRIVILEGES GRANT SELECT ON TABLES TO fuzz_role',
  'DROP TABLE {relation}{cascade}',
  'DROP TABLE IF EXISTS parent, plain CASCADE',
  'DROP VIEW seen{cascade}',
  'DROP FUNCTION adds(int){cascade}',
  'DROP FUNCTION logs(){cascade}',
  'DROP SCHEMA side{cascade}',
  'DROP SEQUENCE steps{cascade}',
  'DROP TYPE mood, small{cascade}',
  'DROP INDEX plain_n',
  'DROP RULE also ON ruled',
  'DROP TRIGGER logs ON triggered',
  'DROP POLICY mine ON plain',
  'DROP OWNED BY fuzz_role',
  'GRANT SELECT ON {relation} TO fuzz_role',
  'REVOKE ALL ON {relation} FROM public',
  'GRANT fuzz_role TO postgres',
  'COMMENT ON TABLE {relation} IS {text}',
  'SECURITY LABEL ON TABLE plain IS NULL',
  'LOCK TABLE {relation}',
  'ANALYZE {relation}',
  'CLUSTER plain USING plain_n',
  'REINDEX TABLE {relation}',
  'SET work_mem = $$6MB$$',
  'SET LOCAL search_path = side, public',
  'RESET work_mem',
  'SET ROLE fuzz_role',
  'LISTEN c',
  'NOTIFY c, {text}',
  'DECLARE cur CURSOR FOR SELECT {call}',
  'DECLARE cur CURSOR FOR SELECT * FROM {source}',
  'PREPARE p AS DELETE FROM {table}',
  'DISCARD PLANS',
  'CHECKPOINT',
];

/** A statement that may change something. */
export function makeWrite(dice: Dice): string {
  return dice
    .pick(templates)
    .replaceAll(/\{([a-z]+)([01]?)\}/g, (_, word: string, bound: string) => {
      if (word === 'text') return dice.pick(["'a'", "'b c'", 'NULL']);
      const [first, ...others] = words[word] ?? ['1'];
      // Where no column is in scope only a constant will do.
      if (bound === '0') return first;
      return dice.pick(bound === '1' ? [first, '20', 'reads(1)'] : [first, ...others]);
    });
}
