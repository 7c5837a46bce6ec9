/**
 * What statements do: effects, completeness, and the uses of masked columns. `complete` and
 * wrong is
 * the one result that must not be, so most of these are about what must not be complete.
 */
import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { hasPostgres } from '../../../../test/support/postgres.ts';
import { openShop, type Shop } from '../../../../test/support/sql-shop.ts';

/** Statements that are not complete, each with a word of the reason. */
const incomplete: readonly (readonly [sql: string, reason: string])[] = [
  ['ALTER TYPE kind SET (storage = plain)', 'domains over that type'],
  ['CREATE SCHEMA AUTHORIZATION CURRENT_ROLE', 'named after a role'],
  ['ALTER SCHEMA public RENAME TO private', 'not named'],
  ["UPDATE pg_class SET relname = 'x' WHERE oid = 1", 'what other objects are'],
  ['UPDATE pg_authid SET rolsuper = true WHERE rolname = current_user', 'what other objects are'],
  ['DELETE FROM pg_catalog.pg_attribute WHERE attnum = 1', 'what other objects are'],
  ['SELECT wipe()', 'public.wipe'],
  ['SELECT * FROM wipe() AS t', 'public.wipe'],
  ['SELECT id FROM orders LIMIT wipe()', 'public.wipe'],
  ['SELECT id FROM orders ORDER BY wipe()', 'public.wipe'],
  ['SELECT id FROM orders GROUP BY id HAVING wipe() = 1', 'public.wipe'],
  ['SELECT sum(id) FILTER (WHERE wipe() = 1) FROM orders', 'public.wipe'],
  ['SELECT sum(id) OVER (ORDER BY id ROWS wipe() PRECEDING) FROM orders', 'public.wipe'],
  ['SELECT p.wipe FROM people p', 'public.wipe'],
  ['SELECT (p).wipe FROM people p', 'public.wipe'],
  ['SELECT wipe(p) FROM people p', 'public.wipe'],
  ['SELECT 1 |+| 2', 'public.op_wipe'],
  ['SELECT 1 OPERATOR(public.|+|) 2', 'public.op_wipe'],
  ['SELECT bad_sum(id) FROM orders', 'public.bad_sum'],
  ["SELECT 'x'::text::mood", 'public.to_mood'],
  ['SELECT CAST(note AS mood) FROM orders', 'public.to_mood'],
  ['SELECT 1::hostile', 'public.pretends'],
  ['SELECT * FROM reporting', 'public.wipe'],
  ['SELECT bad_default(1)', 'public.wipe'],
  ['SELECT pretends(1)', 'public.pretends'],
  ['EXPLAIN SELECT pretends(1)', 'public.pretends'],
  ['SELECT loops(1)', 'public.loops'],
  ['SELECT upper(email) FROM people', 'public.upper'],
  ["SELECT query_to_xml('SELECT wipe()', true, false, '')", 'query_to_xml'],
  ["SELECT table_to_xml('people', true, false, '')", 'table_to_xml'],
  ['SELECT no_such_column FROM orders', 'no_such_column'],
  ['SELECT id FROM no_such_table', 'no_such_table'],
  ['SELECT no_such_function(1)', 'no_such_function'],
  ["SELECT 'x'::no_such_type", 'type'],
  ["INSERT INTO watched VALUES (1, 'x')", 'trigger t'],
  ['COPY watched FROM STDIN', 'trigger t'],
  ["SELECT set_config('ro' || 'le', 'x', false)", 'setting'],
  ['SET standard_conforming_strings = off', 'standard_conforming_strings'],
  ["SET NAMES 'BIG5'", 'client_encoding'],
  ['CREATE INDEX ON orders (pretends(id))', 'public.pretends'],
  ['ALTER TABLE orders ADD CHECK (pretends(id) = 1)', 'public.pretends'],
  ['DROP TABLE orders CASCADE', 'CASCADE'],
  ['VACUUM', 'every table'],
  ["COPY orders FROM PROGRAM 'id'", 'program'],
  ["COPY (SELECT 1) TO PROGRAM 'cat'", 'program'],
  ["COPY orders TO STDOUT (ENCODING 'LATIN1')", 'LATIN1'],
  ["CREATE FUNCTION f() RETURNS int LANGUAGE c AS 'x'", 'functions in c'],
];

/** Statements of which nothing can be said. */
const opaque: readonly string[] = [
  'DO $$ BEGIN PERFORM 1; END $$',
  'CALL nightly()',
  "LOAD 'auto_explain'",
  'CREATE EXTENSION hstore',
  'EXECUTE unseen',
  'FETCH unseen',
];

/** Complete statements with all of their effects. */
const complete: readonly (readonly [sql: string, effects: string])[] = [
  ['SELECT 1', 'read'],
  ['SELECT id FROM orders WHERE id = 1', 'read'],
  ['SELECT id FROM orders WHERE id = 1 FOR UPDATE', 'read update'],
  ['SELECT id FROM orders FOR UPDATE', 'lock read update'],
  ["INSERT INTO notes (body) VALUES ('DROP TABLE orders')", 'insert'],
  ['INSERT INTO empty_log DEFAULT VALUES', 'insert'],
  ['INSERT INTO notes (body) SELECT note FROM orders', 'insert read'],
  ["UPDATE orders SET note = 'x' WHERE id = 1", 'update'],
  ["UPDATE orders SET note = 'x'", 'update-all'],
  ["UPDATE orders SET note = 'x' WHERE true", 'update-all'],
  ['DELETE FROM notes WHERE id = 1', 'delete'],
  ['DELETE FROM notes', 'delete-all'],
  ['DELETE FROM notes WHERE id = id', 'delete-all'],
  ['WITH d AS (DELETE FROM notes) SELECT 1', 'delete-all read'],
  ['WITH notes AS (SELECT 1 AS id) DELETE FROM notes', 'delete-all'],
  ['EXPLAIN DELETE FROM notes', 'read'],
  ['EXPLAIN ANALYZE DELETE FROM notes', 'delete-all'],
  ['EXPLAIN (ANALYZE 1) DELETE FROM notes', 'delete-all'],
  ['EXPLAIN (ANALYZE off, ANALYZE) DELETE FROM notes', 'delete-all'],
  ['EXPLAIN (ANALYZE, ANALYZE false) DELETE FROM notes', 'read'],
  ['MERGE INTO notes n USING orders o ON n.id = o.id WHEN MATCHED THEN DELETE', 'delete read'],
  ['MERGE INTO notes n USING orders o ON true WHEN MATCHED THEN DELETE', 'delete-all read'],
  [
    "INSERT INTO notes VALUES (1, 'x') ON CONFLICT (id) DO UPDATE SET body = excluded.body",
    'insert update',
  ],
  ['SELECT sql_wipe()', 'delete-all read'],
  ['INSERT INTO ruled VALUES (1)', 'delete-all insert'],
  ['DELETE FROM renamed', 'delete-all read'],
  ['TRUNCATE notes', 'truncate'],
  ['COPY orders TO STDOUT', 'copy-out read'],
  ['COPY notes FROM STDIN', 'copy-in insert'],
  ["COPY orders TO '/tmp/x'", 'file-write read'],
  ["SELECT pg_read_file('x')", 'file-read read'],
  ['SELECT pg_sleep(1), pg_advisory_lock(1)', 'lock read'],
  ["SELECT nextval('notes_id_seq')", 'read update'],
  ["SELECT setval('notes_id_seq', 1)", 'alter read'],
  ['SELECT lo_unlink(1)', 'alter read'],
  ['SELECT pg_terminate_backend(1)', 'admin read'],
  ["SELECT set_config('search_path', 'evil', false)", 'read session'],
  ["SELECT set_config('role', 'x', false)", 'grant read session'],
  ["SELECT pg_notify('c', 'x')", 'notify read'],
  ['LISTEN x', 'listen'],
  ["NOTIFY x, 'y'", 'notify'],
  ['BEGIN', 'transaction'],
  ['SAVEPOINT a', 'transaction'],
  ["PREPARE TRANSACTION 'x'", 'admin transaction'],
  ['LOCK TABLE orders', 'lock'],
  ["SET statement_timeout = '1s'", 'session'],
  ['SET search_path = evil', 'session'],
  ['SET ROLE x', 'grant session'],
  ['SET LOCAL SESSION AUTHORIZATION x', 'grant session'],
  ['RESET ALL', 'session'],
  ['RESET ROLE', 'grant session'],
  ['SET session_replication_role = replica', 'admin session'],
  ['DISCARD ALL', 'grant session'],
  ['DISCARD PLANS', 'session'],
  ['SHOW ALL', ''],
  ['DEALLOCATE ALL', 'session'],
  ['CREATE TABLE x (a int)', 'create'],
  ['CREATE TABLE x AS SELECT id FROM orders', 'create read'],
  ['SELECT id INTO x FROM orders', 'create read'],
  ['DROP TABLE orders', 'drop'],
  ['ALTER TABLE orders ADD COLUMN x int', 'alter lock'],
  ['ALTER TABLE orders DROP COLUMN note', 'alter drop lock'],
  ['ALTER TABLE orders OWNER TO postgres', 'alter grant lock'],
  ['ALTER TABLE orders RENAME TO x', 'alter'],
  ['CREATE INDEX ON orders (id)', 'create lock'],
  ['CREATE VIEW x AS SELECT id FROM orders', 'create read'],
  ['GRANT ALL ON orders TO postgres', 'grant'],
  ['CREATE ROLE x SUPERUSER', 'create grant'],
  ['ALTER SYSTEM SET log_statement = none', 'admin file-write'],
  ['VACUUM orders', 'admin lock'],
  ['REFRESH MATERIALIZED VIEW stored', 'lock update'],
  ['SELECT * FROM guarded', 'read'],
];

/** Tables that a write reaches. */
const reached: readonly (readonly [sql: string, tables: string])[] = [
  ['DELETE FROM people WHERE id = 1', 'public.orders public.people'],
  ['UPDATE people SET city = city', 'public.people'],
  ['TRUNCATE people CASCADE', 'public.badges public.orders public.people'],
  ['DELETE FROM parents', 'public.children public.parents'],
  ["INSERT INTO days VALUES ('2024-01-01')", 'public.days public.days_2024'],
  ['DELETE FROM stacked', 'public.orders public.people public.renamed public.stacked'],
  ['INSERT INTO ruled VALUES (1)', 'public.orders public.people public.ruled'],
];

/** Uses of masked columns. */
const uses: readonly (readonly [sql: string, uses: string])[] = [
  ['SELECT ssn FROM people', 'return'],
  ['SELECT id FROM people', ''],
  ['SELECT count(ssn), count(*) FROM people', ''],
  ["SELECT count(substring(ssn from '^9')) FROM people", 'filter'],
  ['SELECT count(people) FROM people', ''],
  ['SELECT count(token) FROM renamed', ''],
  ["EXPLAIN (ANALYZE, SERIALIZE) SELECT repeat('x', pay) FROM staff", 'compute return'],
  ["SELECT id FROM people WHERE ssn = 'x'", 'filter'],
  ['SELECT id FROM people WHERE ssn IS NULL', ''],
  ['SELECT id FROM people ORDER BY ssn', 'order'],
  ['SELECT count(*) FROM people GROUP BY ssn', 'group'],
  ['SELECT DISTINCT ssn FROM people', 'group return'],
  ['SELECT count(DISTINCT ssn) FROM people', 'group'],
  ['SELECT rank() OVER (ORDER BY ssn) FROM people', 'order'],
  ['SELECT id FROM people JOIN badges USING (ssn)', 'filter'],
  ["SELECT ssn = 'x' FROM people", 'filter return'],
  ["SELECT (ssn ~ '^9')::int FROM people", 'filter return'],
  ["SELECT starts_with(ssn, '9') FROM people", 'filter return'],
  ['SELECT ssn IS NOT NULL FROM people', ''],
  ['SELECT unnest(ARRAY[ssn, city]) FROM people', 'return'],
  ["SELECT unnest(string_to_array(ssn, '9')) FROM people", 'compute filter return'],
  ['SELECT unnest((ARRAY[1,2,3])[1:length(ssn)]) FROM people', 'filter return'],
  ["INSERT INTO people (id, name, ssn) VALUES (9, '', 'x') ON CONFLICT (id) DO NOTHING", 'write'],
  ["INSERT INTO people (id, name, ssn) VALUES (9, '', 'x') ON CONFLICT DO NOTHING", 'filter write'],
  [
    "INSERT INTO people (id, name, ssn) VALUES (9, '', 'x') ON CONFLICT (ssn) DO NOTHING",
    'filter write',
  ],
  ['EXPLAIN SELECT pick(1)', 'compute return'],
  ['EXPLAIN SELECT ssn FROM people', ''],
  ['SELECT ssn::int FROM people', 'compute return'],
  ['SELECT 1 / length(ssn) FROM people', 'compute return'],
  ["SELECT upper(ssn || 'x') FROM people WHERE ssn ~ 'x'", 'filter return'],
  ['SELECT pay::numeric, pay::text FROM staff', 'return'],
  ['SELECT pay + 1 FROM staff', 'compute return'],
  ['SELECT id FROM orders LIMIT (SELECT length(ssn) FROM people LIMIT 1)', 'filter'],
  ['SELECT count(*) FROM staff, unnest(array_fill(1, ARRAY[pay]))', 'compute filter'],
  ["SELECT id, unnest(string_to_array(ssn, '7')) FROM people", 'compute filter return'],
  ['INSERT INTO notes (body) SELECT ssn FROM people', 'copy'],
  ['UPDATE people SET city = ssn WHERE id = 1', 'copy'],
  ['UPDATE people SET ssn = ssn WHERE id = 1', 'write'],
  ["UPDATE people SET ssn = 'x' WHERE id = 1", 'write'],
  ["UPDATE people SET name = 'x' WHERE id = 1", ''],
  ['UPDATE people SET name = NULL WHERE id = 1', 'compute'],
  ['UPDATE people SET city = NULL WHERE id = 1', ''],
  ['UPDATE people SET balance = -1 WHERE id = 1', 'compute'],
  ['UPDATE people SET balance = 1 WHERE id = 1', ''],
  ['UPDATE people SET balance = NULL WHERE id = 1', ''],
  ['INSERT INTO people (id, name, ssn) SELECT id + 9, name, ssn FROM people', 'copy write'],
  ['CREATE TEMP TABLE x AS SELECT ssn FROM people', 'copy'],
  ['CREATE TEMP VIEW x AS SELECT ssn FROM people', 'copy'],
  ["SELECT set_config('a.b', ssn, false) FROM people", 'compute copy return'],
  ["SELECT pg_notify('c', ssn) FROM people", 'compute copy return'],
  ['SELECT pg_advisory_lock(length(ssn)) FROM people', 'compute copy return'],
  ["COPY people TO '/tmp/x'", 'copy'],
  ['SELECT wipe() FROM people WHERE city = initial', 'filter'],
];

/** What is made, changed or removed, with its name in full. */
const named: readonly (readonly [sql: string, objects: string])[] = [
  ['CREATE TABLE x (a int)', 'create public.x'],
  ['CREATE TEMP TABLE x (a int)', 'create pg_temp.x'],
  ['CREATE TEMP TABLE orders (a int)', 'create pg_temp.orders'],
  ['CREATE SEQUENCE evil.notes_id_seq', 'create evil.notes_id_seq'],
  ['SELECT 1 AS a INTO x', 'create public.x'],
  ['CREATE TABLE evil.x AS SELECT 1', 'create evil.x'],
  ['CREATE VIEW x AS SELECT 1', 'create public.x'],
  ['CREATE TABLE x () INHERITS (parents)', 'create public.x, alter public.parents'],
  ['CREATE TABLE x (p int REFERENCES people)', 'create public.x, alter public.people'],
  ['CREATE TYPE x AS ENUM ()', 'create public.x'],
  ['CREATE DOMAIN x AS int', 'create public.x'],
  ['CREATE POLICY x ON notes USING (true)', 'alter public.notes, create public.notes.x'],
  ['DROP POLICY mine ON guarded', 'drop public.guarded.mine, alter public.guarded'],
  ['DROP TRIGGER t ON watched', 'drop public.watched.t, alter public.watched'],
  ['DROP FUNCTION tax(numeric)', 'drop public.tax'],
  ['ALTER FUNCTION tax(numeric) RENAME TO x', 'alter public.tax'],
  ['DROP FUNCTION evil.lower(text)', 'drop evil.lower'],
  ['DROP TYPE size, small', 'drop public.size, drop public.small'],
  ['ALTER TABLE parents ADD COLUMN x int', 'alter public.parents, alter public.children'],
  ['ALTER TABLE ONLY parents ALTER COLUMN a SET DEFAULT 1', 'alter public.parents'],
  ['ALTER TABLE days DETACH PARTITION days_2024', 'alter public.days, alter public.days_2024'],
  ['CREATE SCHEMA x CREATE TABLE y (a int)', 'create x, create x.y'],
  ['CLUSTER days USING days_pkey', 'alter public.days, alter public.days_2024'],
  ['DROP TABLE days', 'drop public.days, drop public.days_2024'],
  ["SELECT setval('notes_id_seq', 1)", 'write public.notes_id_seq'],
  ['SELECT nextval(\'"notes_id_seq"\')', 'write public.notes_id_seq'],
];

for (const version of ([15, 18] as const).filter(hasPostgres)) {
  describe(`what statements do, on PostgreSQL ${version}`, () => {
    let shop: Shop;
    before(async () => {
      shop = await openShop(version);
    });
    after(async () => shop.stop());

    it('is not complete where code runs that nobody has reviewed', async () => {
      for (const [sql, reason] of incomplete) {
        const { facts } = await shop.one(sql);
        assert.notEqual(facts.analysis, 'complete', sql);
        const said = facts.reasons.join('; ');
        assert.ok(said.includes(reason), `${sql}: ${said}`);
      }
    });

    it('is opaque where nothing can be said', async () => {
      for (const sql of opaque) {
        const { facts } = await shop.one(sql);
        assert.equal(facts.analysis, 'opaque', sql);
        assert.ok(facts.effects.includes('unknown') || facts.effects.includes('execute-code'), sql);
      }
    });

    it('has every effect of what it is complete about', async () => {
      for (const [sql, effects] of complete) {
        const { facts } = await shop.one(sql);
        assert.equal(facts.analysis, 'complete', `${sql}: ${facts.reasons.join('; ')}`);
        assert.equal(facts.effects.toSorted().join(' '), effects, sql);
      }
    });

    it('names the tables that a write reaches', async () => {
      for (const [sql, tables] of reached) {
        const { facts } = await shop.one(sql);
        const written = facts.objects
          .filter((one) => one.access === 'write')
          .map((one) => one.name);
        assert.equal(written.toSorted().join(' '), tables, sql);
      }
    });

    it('names what definitions are about in full', async () => {
      for (const [sql, wanted] of named) {
        const { facts } = await shop.one(sql);
        const objects = facts.objects
          .filter(({ access }) => access !== 'execute' && access !== 'read')
          .map(({ access, name }) => `${access} ${name}`);
        assert.deepEqual(objects.toSorted(), wanted.split(', ').toSorted(), sql);
        assert.equal(facts.analysis, 'complete', sql);
      }
    });

    it('says what masked columns are used for', async () => {
      for (const [sql, expected] of uses) {
        const { facts } = await shop.one(sql);
        const found = new Set(facts.columns.filter((one) => one.masked).map((one) => one.use));
        assert.equal([...found].toSorted().join(' '), expected, sql);
      }
    });

    it('says when messages may carry masked values', async () => {
      const leaky = async (sql: string): Promise<boolean> => (await shop.one(sql)).messagesMayLeak;
      assert.equal(await leaky('SELECT ssn FROM people'), false);
      assert.equal(await leaky('SELECT total / 0 FROM orders'), false);
      assert.equal(await leaky('SELECT ssn::int FROM people'), true);
      assert.equal(await leaky('UPDATE people SET balance = -1 WHERE id = 1'), true);
      assert.equal(await leaky('SELECT wipe()'), true);
    });

    it('looks names up where the session would', async () => {
      const evil = { searchPath: ['evil', 'pg_catalog', 'public'] };
      const shadowed = await shop.one('SELECT total FROM orders', evil);
      assert.deepEqual(
        shadowed.facts.objects.map((one) => one.name),
        ['evil.orders'],
      );
      assert.equal((await shop.one("SELECT lower('x'::text)", evil)).facts.analysis, 'partial');
      assert.equal((await shop.one("SELECT 'a'::text = 'b'", evil)).facts.analysis, 'partial');
      assert.equal(
        (await shop.one("SELECT id FROM orders WHERE total IN ('a')", evil)).facts.analysis,
        'partial',
      );
      assert.equal((await shop.one("SELECT lower('x'::text)")).facts.analysis, 'complete');
      const late = { searchPath: ['pg_catalog', 'public', 'evil'] };
      assert.equal((await shop.one("SELECT lower('x'::text)", late)).facts.analysis, 'complete');
    });

    it('chooses overloads as the server does, or vouches for all of them', async () => {
      await shop.client.query(`
        CREATE SCHEMA tricky;
        CREATE FUNCTION tricky.hit(text, bigint) RETURNS boolean LANGUAGE plpgsql AS
          'BEGIN RAISE EXCEPTION ''hit''; END';
        CREATE OPERATOR tricky.= (LEFTARG = text, RIGHTARG = bigint, FUNCTION = tricky.hit);
        CREATE FUNCTION tricky.length(varchar) RETURNS int LANGUAGE plpgsql AS
          'BEGIN RAISE EXCEPTION ''hit''; END';
        CREATE FUNCTION tricky.pair(a int, b text) RETURNS int LANGUAGE sql AS 'SELECT 1';
        CREATE FUNCTION tricky.pair(a bigint, b text) RETURNS int LANGUAGE plpgsql AS
          'BEGIN RAISE EXCEPTION ''hit''; END'`);
      await shop.refresh();
      const state = { searchPath: ['pg_catalog', 'public', 'tricky'] };
      const cases: readonly (readonly [sql: string, hits: boolean])[] = [
        ["SELECT CASE '1' WHEN 2::bigint THEN 1 END", true],
        ["SELECT a = 1::bigint FROM (SELECT '1' AS a) s", true],
        ["SELECT coalesce('1', '2') = 1::bigint", true],
        ["SELECT '1' = 1::bigint", false],
        ['SELECT length(email) FROM people', true],
        ["SELECT length('x'), length(name) FROM people", false],
        ["SELECT pair(1, 'x'), pair(1, 'x'::varchar)", false],
        ["SELECT pair(3000000000, 'x')", true],
      ];
      await shop.client.query('SET search_path = pg_catalog, public, tricky');
      for (const [sql, hits] of cases) {
        const { facts } = await shop.one(sql, state);
        assert.equal(facts.analysis === 'complete', !hits, `${sql}: ${facts.reasons.join('; ')}`);
        const run = shop.client.query(sql);
        if (hits) await assert.rejects(run, /hit/, sql);
        else await run;
      }
      await shop.client.query('RESET search_path');
    });

    it('does not trust rows that a rule sends back', async () => {
      await shop.client.query(`
        CREATE TABLE echoing (id int);
        CREATE RULE echo AS ON UPDATE TO echoing DO ALSO SELECT ssn FROM people`);
      await shop.refresh();
      const { output, facts } = await shop.one('UPDATE echoing SET id = 1');
      assert.equal(output, undefined);
      assert.equal(facts.analysis, 'partial');
    });

    it('is not complete when the state is not known, unless no name is looked up', async () => {
      const unknown = { known: false };
      assert.equal((await shop.one('SELECT id FROM orders', unknown)).facts.analysis, 'partial');
      assert.equal((await shop.one('SELECT 1 + 1', unknown)).facts.analysis, 'partial');
      for (const sql of ['BEGIN', 'SHOW timezone', "SET timezone = 'UTC'", 'SELECT 1']) {
        assert.equal((await shop.one(sql, unknown)).facts.analysis, 'complete', sql);
      }
    });

    it('says what a statement changes for those behind it', async () => {
      const kinds = async (sql: string): Promise<string> =>
        (await shop.one(sql)).changes.map((change) => change.kind).join(' ');
      assert.equal(await kinds('SELECT 1'), '');
      assert.equal(await kinds("SET timezone = 'UTC'"), '');
      assert.equal(await kinds('SET search_path = evil'), 'settings');
      assert.equal(await kinds("SELECT set_config('search_path', 'x', true)"), 'settings');
      assert.equal(await kinds('BEGIN'), 'transaction');
      assert.equal(await kinds('CREATE TEMP TABLE x (a int)'), 'catalogue');
      assert.equal(await kinds('PREPARE a AS SELECT 1'), 'prepare');
      assert.equal(await kinds('DEALLOCATE a'), 'deallocate');
      assert.equal(await kinds('DO $$ BEGIN END $$'), 'catalogue settings');
    });

    it('keeps an analysis for other literals only where none was looked at', async () => {
      const first = await shop.one("UPDATE notes SET body = 'a' WHERE id = 1");
      const second = await shop.one("UPDATE notes SET body = 'b' WHERE id = 2");
      assert.equal(second.facts, first.facts);
      assert.equal(second.text, "UPDATE notes SET body = 'b' WHERE id = 2");
      const one = await shop.one('DELETE FROM notes WHERE 1 = 2');
      const other = await shop.one('DELETE FROM notes WHERE 1 = 1');
      assert.deepEqual(one.facts.effects, ['delete']);
      assert.deepEqual(other.facts.effects, ['delete-all']);
      const [a, b] = [
        await shop.one('SELECT id, ssn FROM people ORDER BY 1'),
        await shop.one('SELECT id, ssn FROM people ORDER BY 2'),
      ];
      assert.deepEqual(
        a.facts.columns.map((column) => column.use),
        ['return'],
      );
      assert.deepEqual(
        b.facts.columns.map((column) => column.use),
        ['order', 'return'],
      );
      assert.equal(a.facts.fingerprint, b.facts.fingerprint);
    });

    it('is bounded', async () => {
      const deep = `SELECT ${'abs('.repeat(500)}1${')'.repeat(500)}`;
      const chain = `SELECT ${Array.from({ length: 3000 }, () => '1').join(' + ')}`;
      const unions = Array.from({ length: 300 }, () => 'SELECT id FROM orders').join(' UNION ALL ');
      const nested = `${'SELECT * FROM ('.repeat(300)}SELECT 1 AS a${') q'.repeat(300)}`;
      assert.equal((await shop.one(deep)).facts.analysis, 'opaque');
      assert.equal((await shop.one(chain)).facts.analysis, 'opaque');
      assert.equal((await shop.one(nested)).facts.analysis, 'opaque');
      assert.equal((await shop.one(unions)).facts.analysis, 'complete');
      const many = `INSERT INTO notes (body) VALUES ${Array.from({ length: 20_000 }, (_, at) => `('row ${at}')`).join(', ')}`;
      const inserted = await shop.one(many);
      assert.equal(inserted.facts.analysis, 'complete');
      assert.equal(
        (await shop.one("SELECT 1; SELECT 'unfinished").catch(() => undefined))?.facts.analysis ??
          'opaque',
        'opaque',
      );
    });

    it('reads several statements, and none', async () => {
      const { statements } = await shop.analyse('SELECT 1 -- x\r; DROP TABLE orders');
      assert.deepEqual(
        statements.map((one) => one.facts.verbs[0]),
        ['SELECT', 'DROP TABLE'],
      );
      assert.deepEqual((await shop.analyse('')).statements, []);
      assert.deepEqual((await shop.analyse(' ; -- nothing')).statements, []);
      const broken = await shop.analyse('SELEC 1');
      assert.ok(broken.syntaxError?.includes('SELEC'));
      assert.equal(broken.statements[0]?.facts.analysis, 'opaque');
    });
  });
}
