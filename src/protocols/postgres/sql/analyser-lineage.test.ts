/**
 * Where values come from, construct by construct: the columns of a result in short, `name` for one
 * that no masked column reaches, `name*` for one that may carry one, `name=` for that very column.
 * Each query also runs on the server: names and number of columns must be the server's, and no
 * canary may stand in a column that is said to be free of one.
 */
import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { hasPostgres } from '../../../../test/support/postgres.ts';
import { canary, openShop, outputText, type Shop } from '../../../../test/support/sql-shop.ts';

type Case = readonly [sql: string, output: string];

const plain: readonly Case[] = [
  ['SELECT 1', '?column?'],
  ['SELECT id, ssn FROM people', 'id ssn='],
  ['SELECT ssn AS a, "people".ssn b, public.people.ssn FROM people', 'a= b= ssn='],
  ['SELECT postgres.public.people.ssn FROM people', 'ssn='],
  ['SELECT * FROM people', 'id name city ssn= email= born balance initial*'],
  ['SELECT p.* FROM people p', 'id name city ssn= email= born balance initial*'],
  ['SELECT p.*, p.a FROM people p(a, b, c, d)', 'a b c d= email= born balance initial* a'],
  ['TABLE badges', 'ssn= door'],
  ['SELECT U&"\\0073sn" FROM people', 'ssn='],
  ['SELECT ctid, xmin, tableoid FROM people', 'ctid xmin tableoid'],
  ['SELECT initial FROM people', 'initial*'],
  ['SELECT count(*), count(ssn), count(DISTINCT city) FROM people', 'count count count'],
  ['SELECT ssn IS NULL, ssn IS NOT NULL FROM people', '?column? ?column?'],
  ['SELECT city, count(*) FROM people GROUP BY city', 'city count'],
  ['SELECT o.id, p.city FROM orders o JOIN people p ON p.id = o.person', 'id city'],
  ['SELECT secret FROM parents', 'secret='],
  ['SELECT secret FROM ONLY parents', 'secret='],
  ['SELECT secret, b FROM children', 'secret= b'],
  ['SELECT secret FROM days_2024', 'secret='],
  ['SELECT pay FROM staff', 'pay='],
  ['VALUES (1, 2), (3, 4)', 'column1 column2'],
];

const expressions: readonly Case[] = [
  ["SELECT ssn || '', lower(ssn), length(ssn) FROM people", '?column?* lower* length*'],
  ['SELECT left(ssn, 3) || right(ssn, 2) FROM people', '?column?*'],
  ['SELECT ssn::varchar(20), ssn::bytea, ssn::name FROM people', 'ssn* ssn* ssn*'],
  ['SELECT CAST(ssn AS text) FROM people', 'ssn='],
  ['SELECT ssn COLLATE "C" FROM people', 'ssn='],
  [
    "SELECT coalesce(ssn, ''), nullif(ssn, 'x'), greatest(ssn, 'a') FROM people",
    'coalesce* nullif* greatest*',
  ],
  ['SELECT coalesce(ssn, ssn) FROM people', 'coalesce='],
  ["SELECT CASE WHEN true THEN ssn END, CASE WHEN ssn = 'a' THEN 1 END FROM people", 'case* case*'],
  ["SELECT CASE city WHEN 'Oslo' THEN id END FROM people", 'case'],
  [
    "SELECT ssn = 'x', ssn LIKE 'x%', ssn IN ('a', 'b'), ssn BETWEEN 'a' AND 'b' FROM people",
    '?column?* ?column?* ?column?* ?column?*',
  ],
  [
    "SELECT city IN ('a'), id BETWEEN 1 AND 2, id = ANY ('{1}') FROM people",
    '?column? ?column? ?column?',
  ],
  ['SELECT ARRAY[ssn], (ARRAY[ssn])[1], ARRAY[id] FROM people', 'array* array* array'],
  [
    "SELECT format('%s', ssn), concat(ssn), quote_literal(ssn) FROM people",
    'format* concat* quote_literal*',
  ],
  ['SELECT md5(ssn), hashtext(ssn), ascii(ssn) FROM people', 'md5* hashtext* ascii*'],
  ['SELECT xmlelement(name a, ssn), xmlforest(city AS c) FROM people', 'xmlelement* xmlforest'],
  [
    "SELECT regexp_replace(ssn, 'x', 'y'), translate(city, 'a', 'b') FROM people",
    'regexp_replace* translate',
  ],
  ['SELECT (SELECT ssn), (SELECT city), EXISTS (SELECT ssn) FROM people', 'ssn= city exists'],
  ['SELECT (SELECT max(ssn) FROM people), ARRAY(SELECT ssn FROM people)', 'max* array*'],
  ['SELECT id IN (SELECT id FROM people), door FROM badges, orders', '?column? door'],
  ["SELECT 'x' IN (SELECT ssn FROM people)", '?column?*'],
  ['SELECT pay + 0, -pay, pay::text, pay * 1.5 FROM staff', '?column?* ?column?* pay* ?column?*'],
  [
    'SELECT born, extract(year FROM born), current_date, now() FROM people',
    'born extract current_date now',
  ],
  ["SELECT doc -> 'a' ->> 'b', doc @> '{}', tags[1] FROM orders", '?column? ?column? tags'],
  ['SELECT tax(total), good_sum(id) FROM orders GROUP BY total', 'tax good_sum'],
  ["SELECT upper(city), pg_catalog.upper(ssn) FROM people WHERE city = 'x'", 'upper upper*'],
];

const rows: readonly Case[] = [
  ['SELECT p FROM people p', 'p*'],
  ['SELECT people FROM people', 'people*'],
  ['SELECT p::text, row_to_json(p), to_jsonb(p) FROM people p', 'p* row_to_json* to_jsonb*'],
  ['SELECT concat(p), md5(p::text) FROM people p', 'concat* md5*'],
  ['SELECT (p).ssn, (p).city FROM people p', 'ssn= city'],
  ['SELECT (p).* FROM people p', 'id name city ssn= email= born balance initial*'],
  ['SELECT ROW(p.*), ROW(p.id, p.ssn), (ROW(p.*)::people).city FROM people p', 'row* row* city'],
  ['SELECT ssn(p), city(p) FROM people p', 'ssn= city'],
  ['SELECT (q).x FROM (SELECT p AS r FROM people p) s, LATERAL (SELECT s.r AS x) q', 'x*'],
  ['SELECT (s.r).city, (s.r).ssn FROM (SELECT p AS r FROM people p) s', 'city ssn='],
  ['SELECT ARRAY(SELECT p FROM people p)', 'array*'],
  ['SELECT value FROM people p, jsonb_each_text(to_jsonb(p))', 'value*'],
  ['SELECT e.key, e.value FROM orders o, jsonb_each(o.doc) e', 'key value'],
  ['SELECT count(p.*), p IS NULL FROM people p GROUP BY p.*', 'count ?column?*'],
  ['SELECT o FROM orders o', 'o'],
];

const relations: readonly Case[] = [
  ['SELECT * FROM plain_orders', 'id total'],
  ['SELECT * FROM renamed', 'key token= city'],
  ['SELECT * FROM stacked', 'k t*'],
  ['SELECT * FROM stored', 'id held= n'],
  ['SELECT x.b FROM renamed AS x(a, b)', 'b='],
  ['WITH s(x) AS (SELECT ssn FROM people) SELECT x, x || 1 FROM s', 'x= ?column?*'],
  ['WITH people AS (SELECT id, city AS ssn FROM people) SELECT ssn FROM people', 'ssn'],
  ['WITH a AS (SELECT ssn AS s FROM people), b AS (SELECT s FROM a) TABLE b', 's='],
  [
    'WITH orders AS (SELECT 1 AS y) SELECT * FROM (WITH orders AS (SELECT ssn FROM people) TABLE orders) z',
    'ssn=',
  ],
  [
    'WITH RECURSIVE r(n, v) AS (SELECT 1, ssn FROM people UNION ALL SELECT n + 1, v FROM r WHERE n < 2) SELECT v, n FROM r',
    'v= n',
  ],
  [
    "WITH RECURSIVE r(a, b, c, n) AS (SELECT ssn, ''::text, ''::text, 1 FROM people UNION ALL SELECT c, a, b, n + 1 FROM r WHERE n < 4) SELECT a, b, c, n FROM r",
    'a* b* c* n',
  ],
  [
    'WITH RECURSIVE t(n) AS (VALUES (1) UNION SELECT n + 1 FROM t WHERE n < 3) SELECT n FROM t',
    'n',
  ],
  [
    'WITH RECURSIVE r(id, s) AS (SELECT id, ssn FROM people UNION ALL SELECT r.id, r.s FROM r WHERE false) SEARCH DEPTH FIRST BY id SET o CYCLE id SET c USING p SELECT * FROM r',
    'id s= o* c* p*',
  ],
  ['SELECT ssn FROM people UNION SELECT city FROM people', 'ssn*'],
  ['SELECT city FROM people UNION ALL SELECT ssn FROM people', 'city*'],
  ['SELECT ssn FROM people INTERSECT SELECT ssn FROM badges', 'ssn='],
  ["SELECT 'a' EXCEPT SELECT ssn FROM people", '?column?*'],
  ['SELECT id FROM people UNION SELECT id FROM orders ORDER BY id', 'id'],
  ['SELECT ssn FROM people JOIN badges USING (ssn)', 'ssn='],
  ['SELECT * FROM badges NATURAL JOIN (SELECT ssn, city FROM people) q', 'ssn= door city'],
  ['SELECT ssn FROM people FULL JOIN badges USING (ssn)', 'ssn='],
  [
    'SELECT * FROM (orders JOIN staff USING (id)) AS k',
    'id person total status note doc tags boss pay=',
  ],
  ['SELECT j.id, k.total FROM (orders k JOIN staff s USING (id) AS j)', 'id total'],
  ['SELECT q.* FROM people p, LATERAL (SELECT p.ssn, p.id) q', 'ssn= id'],
  ['SELECT a.city, b.x FROM people a, LATERAL (VALUES (a.ssn)) b(x)', 'city x='],
  ['SELECT n.city FROM people p, (SELECT city FROM people) n', 'city'],
  ['SELECT ssn FROM people TABLESAMPLE system (100)', 'ssn='],
  ['SELECT t.a, t.b FROM (VALUES (1, 2)) t(a, b)', 'a b'],
  ['SELECT v.column2 FROM badges b, LATERAL (VALUES (b.*, 1)) v', 'column2'],
  ['SELECT v.column1 FROM badges b, LATERAL (VALUES (b.*, 1)) v', 'column1='],
  [
    "SELECT c FROM xmltable('/r' PASSING xmlelement(name r, 'x') COLUMNS c text PATH '.') AS t",
    'c',
  ],
  [
    "SELECT x.c FROM people p, xmltable('/r' PASSING xmlelement(name r, p.ssn) COLUMNS c text PATH '.') x",
    'c*',
  ],
];

const functions: readonly Case[] = [
  ['SELECT pick(1), standard(1)', 'pick= standard='],
  ['SELECT * FROM listed()', 'k v='],
  ['SELECT q FROM listed() AS t(p, q)', 'q='],
  ['SELECT (listed()).v, (listed()).k', 'v= k'],
  ['SELECT * FROM whole(1)', 'id name city ssn= email= born balance initial*'],
  ['SELECT (whole(1)).city, whole(1)', 'city whole*'],
  ['SELECT pick(wanted => 1)', 'pick='],
  ['SELECT g FROM generate_series(1, 3) g', 'g'],
  ['SELECT g.n, o FROM generate_series(1, 3) WITH ORDINALITY AS g(n, o)', 'n o'],
  ['SELECT * FROM ROWS FROM (generate_series(1, 2), unnest(ARRAY[3, 4])) AS t(a, b)', 'a b'],
  ['SELECT * FROM json_to_recordset(\'[{"a":1}]\') AS t(a int, b text)', 'a b'],
  ['SELECT u FROM people, unnest(ARRAY[ssn, city]) u', 'u*'],
  ['SELECT u.* FROM people, unnest(ARRAY[ssn], ARRAY[city]) u(a, b)', 'a* b'],
  ['SELECT * FROM unnest(ARRAY[1], ARRAY[2, 3]) WITH ORDINALITY', 'unnest unnest ordinality'],
  ['SELECT u FROM unnest((SELECT array_agg(city) FROM people)) u', 'u'],
  ["SELECT u FROM unnest('{x}'::text[] || 'y'::varchar) u", 'u'],
  ['SELECT u FROM unnest((SELECT array_agg(ssn) FROM people)) u', 'u*'],
  ["SELECT value FROM orders, jsonb_array_elements(doc -> 'x')", 'value'],
  ["SELECT regexp_split_to_table(ssn, '-') FROM people", 'regexp_split_to_table*'],
  ['SELECT * FROM current_schema() x', 'x'],
];

const aggregates: readonly Case[] = [
  [
    "SELECT max(ssn), min(ssn), string_agg(ssn, ','), array_agg(ssn) FROM people",
    'max* min* string_agg* array_agg*',
  ],
  [
    'SELECT json_agg(ssn), jsonb_object_agg(id, ssn), json_agg(p) FROM people p',
    'json_agg* jsonb_object_agg* json_agg*',
  ],
  ['SELECT sum(pay), avg(pay), count(pay), sum(id) FROM staff', 'sum* avg* count sum'],
  [
    'SELECT mode() WITHIN GROUP (ORDER BY ssn), percentile_cont(0.5) WITHIN GROUP (ORDER BY id) FROM people',
    'mode* percentile_cont',
  ],
  ['SELECT array_agg(city ORDER BY ssn) FROM people', 'array_agg'],
  ["SELECT sum(id) FILTER (WHERE city = 'x') FROM people", 'sum'],
  [
    'SELECT lag(ssn) OVER (ORDER BY id), row_number() OVER (ORDER BY ssn) FROM people',
    'lag* row_number',
  ],
  [
    'SELECT sum(id) OVER w, first_value(ssn) OVER w FROM people WINDOW w AS (PARTITION BY city)',
    'sum first_value*',
  ],
  ['SELECT city, grouping(city), sum(id) FROM people GROUP BY ROLLUP (city)', 'city grouping sum'],
  ['SELECT DISTINCT ON (city) city, ssn FROM people', 'city ssn='],
  ['SELECT ssn FROM people GROUP BY 1 ORDER BY 1', 'ssn='],
  ['SELECT id FROM people ORDER BY ssn LIMIT 1', 'id'],
];

for (const version of ([15, 18] as const).filter(hasPostgres)) {
  describe(`column lineage on PostgreSQL ${version}`, () => {
    let shop: Shop;
    before(async () => {
      shop = await openShop(version);
      await shop.client.query('REFRESH MATERIALIZED VIEW stored');
    });
    after(async () => shop.stop());

    const check = async ([sql, expected]: Case): Promise<void> => {
      const statement = await shop.one(sql);
      assert.equal(
        statement.facts.analysis,
        'complete',
        `${sql}: ${statement.facts.reasons.join('; ')}`,
      );
      assert.equal(outputText(statement), expected, sql);
      const { fields, rows: found } = await shop.client.query<unknown[]>({
        text: sql,
        rowMode: 'array',
      });
      const names = statement.output?.map((column) => column.name);
      assert.deepEqual(
        names,
        fields.map((field) => field.name),
        sql,
      );
      for (const row of found) {
        for (const [at, cell] of row.entries()) {
          const column = statement.output?.[at];
          const free = column?.sources.length === 0 && !column.unknown;
          assert.ok(
            !free || !JSON.stringify(cell ?? '').includes(canary),
            `${sql}: ${column?.name}`,
          );
        }
      }
    };

    for (const [name, cases] of Object.entries({
      plain,
      expressions,
      rows,
      relations,
      functions,
      aggregates,
    })) {
      it(`follows ${name}`, async () => {
        for (const one of cases) await check(one);
      });
    }

    it('follows what a write returns', async () => {
      const returned: readonly Case[] = [
        [
          'UPDATE people SET city = city WHERE id = 1 RETURNING *',
          'id name city ssn= email= born balance initial*',
        ],
        [
          'DELETE FROM people p USING orders o WHERE p.id = 9 AND o.id = 1 RETURNING p.ssn, o.total',
          'ssn= total',
        ],
        ["INSERT INTO notes (body) VALUES ('x') RETURNING id, body", 'id body'],
        ['INSERT INTO notes (body) SELECT ssn FROM people RETURNING body, id', 'body* id'],
        [
          'UPDATE orders o SET note = p.ssn FROM people p WHERE p.id = o.id RETURNING note, status',
          'note* status',
        ],
        [
          "INSERT INTO people (id, name, ssn) VALUES (1, 'a', 'b') ON CONFLICT (id) DO UPDATE SET name = excluded.ssn RETURNING name, ssn",
          'name* ssn=',
        ],
        [
          'WITH d AS (DELETE FROM people WHERE id = 77 RETURNING ssn, city) SELECT ssn, city FROM d',
          'ssn= city',
        ],
      ];
      for (const [sql, expected] of returned) {
        const statement = await shop.one(sql);
        assert.equal(outputText(statement), expected, sql);
      }
    });

    it('follows COPY, EXPLAIN, cursors and prepared statements', async () => {
      const copied = await shop.one('COPY people TO STDOUT');
      assert.equal(outputText(copied), 'id name city ssn= email= born balance');
      assert.deepEqual(copied.copy?.format, 'text');
      const named = await shop.one(
        'COPY people (ssn, id) TO STDOUT (FORMAT csv, HEADER, DELIMITER ";")'.replaceAll('"', "'"),
      );
      assert.equal(outputText(named), 'ssn= id');
      assert.deepEqual(named.copy, {
        format: 'csv',
        delimiter: ';',
        nullText: '',
        quote: '"',
        escape: '"',
        header: true,
      });
      assert.equal(
        outputText(await shop.one('COPY (SELECT token FROM renamed) TO STDOUT')),
        'token=',
      );
      assert.equal(
        outputText(await shop.one('EXPLAIN SELECT id FROM people WHERE id = 1')),
        'QUERY PLAN',
      );
      assert.equal(
        outputText(await shop.one("EXPLAIN SELECT 1 FROM people WHERE ssn < 'x'")),
        'QUERY PLAN*',
      );
      const prepare = await shop.one(
        'PREPARE q (int) AS SELECT ssn, city FROM people WHERE id = $1',
      );
      const change = prepare.changes.find((one) => one.kind === 'prepare');
      assert.ok(change?.kind === 'prepare');
      assert.equal(change.statement.text, 'SELECT ssn, city FROM people WHERE id = $1');
      assert.deepEqual(prepare.output, []);
      const run = await shop.one('EXECUTE q (1)', { prepared: () => change.statement });
      assert.equal(outputText(run), 'ssn= city');
      assert.equal(run.facts.analysis, 'complete');
      const declare = await shop.one(
        'DECLARE "c for" CURSOR WITH HOLD FOR SELECT ssn AS a FROM people',
      );
      const opened = declare.changes.find((one) => one.kind === 'declare');
      assert.ok(opened?.kind === 'declare');
      assert.equal(opened.statement.text, 'SELECT ssn AS a FROM people');
      const elsewhere = { cursor: () => opened.statement, searchPath: ['pg_catalog', 'evil'] };
      assert.equal(outputText(await shop.one('FETCH 1 FROM "c for"', elsewhere)), 'a=');
      assert.deepEqual((await shop.one('MOVE 1 IN "c for"', elsewhere)).output, []);
      const unseen = await shop.one('EXECUTE other');
      assert.equal(unseen.facts.analysis, 'opaque');
      assert.equal(unseen.output, undefined);
    });

    it('shows the source of MERGE before its target', async () => {
      // Before version 17 the server refuses it.
      const merge =
        'MERGE INTO notes n USING (SELECT ssn FROM people) p ON n.body = p.ssn ' +
        "WHEN MATCHED THEN UPDATE SET body = 'x' RETURNING *";
      assert.equal(outputText(await shop.one(merge)), 'ssn= id body');
    });

    it('knows the types of what comes back', async () => {
      const { output } = await shop.one(
        "SELECT id, total, 'x', tags, tags[1], tags[1:2], total * 2, ARRAY[id], now() FROM orders",
      );
      const types = output?.map((column) => column.typeOid);
      assert.deepEqual(types, [23, 1700, 25, 1009, 25, 1009, 1700, 1007, 1184]);
    });

    it('knows which system columns hold data', async () => {
      const cases: readonly Case[] = [
        [
          'SELECT tablename, most_common_vals, null_frac FROM pg_stats',
          'tablename most_common_vals? null_frac',
        ],
        ['SELECT pid, state, query FROM pg_stat_activity', 'pid state query?'],
        ['SELECT rolname, rolpassword FROM pg_authid', 'rolname rolpassword?'],
        ['SELECT loid, data FROM pg_largeobject', 'loid? data?'],
        [
          'SELECT table_name, column_name FROM information_schema.columns',
          'table_name column_name',
        ],
      ];
      for (const [sql, expected] of cases) assert.equal(outputText(await shop.one(sql)), expected);
    });
  });
}
