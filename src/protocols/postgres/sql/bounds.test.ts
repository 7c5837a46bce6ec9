/** How many rows a write can reach: never fewer than it does. */
import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { openShop, type Shop } from '../../../../test/support/sql-shop.ts';

const bounded: readonly (readonly [sql: string, rows: number])[] = [
  ['SELECT 1', 0],
  ['SELECT id FROM orders WHERE id = 1 FOR UPDATE', 0],
  ['INSERT INTO notes (body) SELECT note FROM orders', 0],
  ['DELETE FROM notes WHERE id = 1', 1],
  ['DELETE FROM notes WHERE 1 = id', 1],
  ['DELETE FROM "public"."notes" WHERE "public"."notes"."id" = $1', 1],
  ['DELETE FROM notes WHERE id = $1', 1],
  ['PREPARE p (int) AS DELETE FROM notes WHERE id = $1', 1],
  ['PREPARE p AS DELETE FROM notes WHERE id = $1', 1],
  ["DELETE FROM notes WHERE id = '1'", 1],
  ["DELETE FROM notes WHERE id = '1'::int AND body LIKE '%'", 1],
  ['DELETE FROM notes AS n WHERE n.id = 1', 1],
  ['DELETE FROM notes WHERE id IN (1, 2, 3)', 3],
  ['DELETE FROM notes WHERE id = ANY (ARRAY[1, 2])', 2],
  ["DELETE FROM notes WHERE id = ANY ('{1,2,3}'::int[])", 3],
  ['DELETE FROM notes WHERE id BETWEEN 3 AND 7', 5],
  ['DELETE FROM notes WHERE id = 1 OR id = 2 OR id IN (3, 4)', 4],
  ['DELETE FROM notes WHERE id IN (SELECT id FROM orders ORDER BY id LIMIT 2)', 2],
  ['DELETE FROM notes WHERE id = (SELECT max(id) FROM orders)', 1],
  ['DELETE FROM notes WHERE id IN (VALUES (1), (2))', 2],
  [
    "UPDATE orders o SET note = '' FROM people p WHERE p.id = o.person AND p.id = 2 AND o.id = 7",
    1,
  ],
  ["UPDATE notes n SET body = v.b FROM (VALUES (1, 'a'), (2, 'b')) v(i, b) WHERE n.id = v.i", 2],
  ["UPDATE notes n SET body = '' FROM orders o WHERE o.id = n.id AND o.id IN (1, 2)", 2],
  [
    "UPDATE notes n SET body = '' FROM orders o JOIN staff s ON s.id = o.id AND s.id = 1 WHERE n.id = o.id",
    1,
  ],
  [
    "INSERT INTO notes VALUES (1, 'x'), (2, 'y') ON CONFLICT (id) DO UPDATE SET body = excluded.body",
    2,
  ],
  ['MERGE INTO notes n USING (VALUES (1)) v(i) ON n.id = v.i WHEN MATCHED THEN DELETE', 1],
  ['MERGE INTO notes n USING orders o ON n.id = o.id AND o.id = 1 WHEN MATCHED THEN DELETE', 1],
  ['WITH d AS (DELETE FROM notes WHERE id = 1 RETURNING id) DELETE FROM notes WHERE id = 2', 2],
  ['EXPLAIN DELETE FROM notes', 0],
  ["UPDATE people SET name = 'x' WHERE id = 1", 1],
];

const unbounded: readonly string[] = [
  'DELETE FROM notes',
  'DELETE FROM notes WHERE random() >= 0',
  'DELETE FROM notes WHERE id = id + 0',
  'DELETE FROM evil.orders WHERE evil.orders.id = 1',
  'DELETE FROM notes WHERE id = (id)',
  'DELETE FROM notes WHERE id = (1 + random() * 9)::int',
  "DELETE FROM notes WHERE body = 'x'",
  'DELETE FROM notes WHERE id > 0',
  'DELETE FROM notes WHERE id <> 1',
  'DELETE FROM notes WHERE NOT (id = 1)',
  'DELETE FROM notes WHERE id = 1 OR true IS NOT NULL',
  'DELETE FROM notes WHERE id = 1 OR body IS NOT NULL',
  'DELETE FROM notes WHERE id = ANY (ARRAY(SELECT id FROM notes))',
  'DELETE FROM notes WHERE id = ANY ($1)',
  'DELETE FROM notes WHERE id = ANY (ARRAY[1, id])',
  'DELETE FROM notes WHERE id IN (1, id)',
  'DELETE FROM notes WHERE id IN (SELECT id FROM orders)',
  'DELETE FROM notes n WHERE id IN (SELECT n.id LIMIT 1)',
  'DELETE FROM notes WHERE id IN (SELECT notes.id FROM orders LIMIT 1)',
  'DELETE FROM notes WHERE id IN (SELECT id FROM orders ORDER BY random() LIMIT 1)',
  'DELETE FROM notes WHERE id IN (SELECT id FROM orders LIMIT 1 FOR UPDATE SKIP LOCKED)',
  'DELETE FROM notes WHERE id IN (SELECT person FROM orders ORDER BY person FETCH FIRST 1 ROW WITH TIES)',
  'DELETE FROM notes WHERE id IN (SELECT id FROM orders LIMIT $1)',
  'DELETE FROM notes WHERE id IN (SELECT generate_series(1, 9))',
  'DELETE FROM notes WHERE id = (SELECT notes.id)',
  'DELETE FROM notes WHERE id = 1.0',
  'DELETE FROM notes WHERE id = 1::float8',
  'DELETE FROM notes a USING notes b WHERE a.id = b.id',
  'DELETE FROM notes a USING notes b WHERE a.id = b.id AND b.id > 0',
  'DELETE FROM notes a USING (SELECT id FROM orders ORDER BY random() LIMIT 1) b WHERE a.id = b.id',
  'DELETE FROM notes a USING notes b LEFT JOIN orders o ON o.id = 1 WHERE a.id = o.id',
  'DELETE FROM people WHERE id = 1',
  'DELETE FROM parents WHERE a = 1',
  "UPDATE orders SET note = '' WHERE total BETWEEN 1 AND 1",
  'INSERT INTO notes SELECT id, body FROM notes ON CONFLICT (id) DO UPDATE SET body = excluded.body',
  'MERGE INTO notes n USING orders o ON n.id = o.id WHEN MATCHED THEN DELETE',
  'MERGE INTO notes n USING (VALUES (1)) v(i) ON true WHEN MATCHED AND n.id > 0 THEN DELETE',
  'SELECT sql_wipe()',
  'SELECT sql_drop_note(id) FROM notes',
  'INSERT INTO ruled VALUES (1)',
  'DELETE FROM renamed WHERE key = 1',
  'TRUNCATE notes',
  'DO $$ BEGIN NULL; END $$',
  "DELETE FROM loose WHERE word = 'a' COLLATE loose",
  "DELETE FROM loose WHERE word = 'a'::folded",
  'DELETE FROM loose WHERE part = 1',
  "DELETE FROM loose WHERE lower_word = 'a'",
  'DELETE FROM deferred WHERE id = 1',
  'DELETE FROM doubled WHERE id = 1',
  "DELETE FROM folding WHERE word = 'a'",
  'PREPARE p (float8) AS DELETE FROM notes WHERE id = $1',
];

describe('rows that a write can change', () => {
  let shop: Shop;
  before(async () => {
    shop = await openShop(
      18,
      undefined,
      `
      CREATE FUNCTION sql_drop_note(i int) RETURNS void LANGUAGE sql AS
        'DELETE FROM notes WHERE id = i';
      CREATE COLLATION loose (provider = icu, locale = 'und-u-ks-level1', deterministic = false);
      CREATE DOMAIN folded AS text COLLATE loose;
      CREATE TABLE loose (word text UNIQUE, part int, lower_word text);
      CREATE UNIQUE INDEX ON loose (part) WHERE part > 5;
      CREATE UNIQUE INDEX ON loose (lower(lower_word));
      CREATE TABLE deferred (id int UNIQUE DEFERRABLE);
      CREATE TABLE doubled (id int);
      CREATE UNIQUE INDEX doubled_id ON doubled (id);
      UPDATE pg_index SET indisvalid = false WHERE indexrelid = 'doubled_id'::regclass;
      CREATE TABLE folding (word text COLLATE loose);
      CREATE UNIQUE INDEX ON folding (word COLLATE "C");
    `,
    );
  });
  after(() => shop.stop());

  for (const [sql, rows] of bounded) {
    it(`at most ${rows}: ${sql}`, async () => {
      const { facts } = await shop.one(sql);
      assert.equal(facts.analysis, 'complete', facts.reasons.join('; '));
      assert.equal(facts.rowsChangedMax, rows);
    });
  }

  for (const sql of unbounded) {
    it(`not bounded: ${sql}`, async () => {
      const { facts } = await shop.one(sql);
      assert.equal(facts.rowsChangedMax, undefined);
    });
  }

  it('says of every shape what holds for all of its literals', async () => {
    const rows = async (sql: string) => (await shop.one(sql)).facts.rowsChangedMax;
    assert.equal(await rows('DELETE FROM notes WHERE id BETWEEN 1 AND 2'), 2);
    assert.equal(await rows('DELETE FROM notes WHERE id BETWEEN 1 AND 200'), 200);
    assert.equal(await rows('DELETE FROM notes WHERE id IN (SELECT id FROM orders LIMIT 1)'), 1);
    assert.equal(await rows('DELETE FROM notes WHERE id IN (SELECT id FROM orders LIMIT 9)'), 9);
    assert.equal(await rows("DELETE FROM notes WHERE id = ANY ('{1}'::int[])"), 1);
    assert.equal(await rows("DELETE FROM notes WHERE id = ANY ('{1,2}'::int[])"), 2);
    assert.equal(await rows('DELETE FROM notes WHERE id IN (1)'), 1);
    assert.equal(await rows('DELETE FROM notes WHERE id IN (1, 2)'), 2);
  });
});
