import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { systemClock } from '#core/clock.ts';
import { defaultLimits } from '#core/limits.ts';
import { Client } from 'pg';
import {
  hasPostgres,
  startPostgres,
  type TestPostgres,
} from '../../../../test/support/postgres.ts';
import type { ServerQuery } from '../types.ts';
import { CatalogueCache } from './catalogue-cache.ts';

const schemaSql = `
  CREATE SCHEMA shop;
  CREATE DOMAIN shop.email AS text CHECK (VALUE LIKE '%@%');
  CREATE TYPE shop.mood AS ENUM ('good', 'bad');
  CREATE TABLE shop.customers (id int PRIMARY KEY, mail shop.email NOT NULL,
    score numeric DEFAULT random(), shout text GENERATED ALWAYS AS (upper(mail::text)) STORED,
    CHECK (score < 100));
  CREATE TABLE shop.orders (id int PRIMARY KEY,
    customer int REFERENCES shop.customers ON DELETE CASCADE ON UPDATE SET NULL);
  CREATE INDEX ON shop.customers (lower(mail::text)) WHERE score > 1;
  CREATE VIEW shop.mails AS SELECT mail, id FROM shop.customers;
  CREATE FUNCTION shop.touch() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END';
  CREATE TRIGGER t BEFORE INSERT OR UPDATE ON shop.orders FOR EACH ROW
    EXECUTE FUNCTION shop.touch();
  CREATE RULE r AS ON DELETE TO shop.customers DO ALSO DELETE FROM shop.orders;
  CREATE FUNCTION shop.add(a int, b int DEFAULT 1, OUT total int, OUT twice int)
    LANGUAGE sql SECURITY DEFINER SET search_path = shop AS 'SELECT a + b, 2 * (a + b)';
  CREATE FUNCTION shop.body(a int) RETURNS int RETURN a + 1;
  CREATE TABLE shop.logs (at date, line text) PARTITION BY RANGE (at);
  CREATE TABLE shop.logs_2024 PARTITION OF shop.logs
    FOR VALUES FROM ('2024-01-01') TO ('2025-01-01');
  ALTER TABLE shop.orders ENABLE ROW LEVEL SECURITY;
  CREATE POLICY p ON shop.orders USING (customer > 0);
  CREATE EXTENSION pg_trgm;
`;

/** A user's operators and functions that take over what an unqualified name would mean. */
const hostileSql = `
  CREATE SCHEMA evil;
  CREATE FUNCTION evil.same(oid, oid) RETURNS boolean LANGUAGE plpgsql
    AS 'BEGIN RAISE EXCEPTION ''taken over''; END';
  CREATE OPERATOR evil.= (FUNCTION = evil.same, LEFTARG = oid, RIGHTARG = oid);
  CREATE OPERATOR evil.< (FUNCTION = evil.same, LEFTARG = oid, RIGHTARG = oid);
  CREATE OPERATOR evil.>= (FUNCTION = evil.same, LEFTARG = oid, RIGHTARG = oid);
  CREATE TABLE evil.pg_class (oid oid);
  CREATE FUNCTION evil.count() RETURNS int LANGUAGE plpgsql
    AS 'BEGIN RAISE EXCEPTION ''taken over''; END';
`;

interface Session {
  readonly query: ServerQuery;
  end(): Promise<void>;
}

async function connect(server: TestPostgres): Promise<Session> {
  const { host, port, superuser } = server;
  const client = new Client({ host, port, user: superuser, database: 'postgres' });
  await client.connect();
  const types = { getTypeParser: () => (value: string) => value };
  return {
    query: async (sql) => {
      const result = await client.query<(string | null)[]>({ text: sql, rowMode: 'array', types });
      return result.rows;
    },
    end: () => client.end(),
  };
}

const newCache = (freshMsMax = 0): CatalogueCache =>
  new CatalogueCache({ clock: systemClock, limits: defaultLimits, freshMsMax });

for (const version of ([15, 18] as const).filter(hasPostgres)) {
  describe(`the catalogue of PostgreSQL ${version}`, () => {
    let server: TestPostgres;
    let session: Session;
    before(async () => {
      server = await startPostgres({ version });
      await server.query(schemaSql);
      await server.query(hostileSql);
      session = await connect(server);
    });
    after(async () => {
      await session.end();
      await server.stop();
    });

    it('has tables, with what a write to them sets off', async () => {
      const catalogue = await newCache().current('t', session.query, 'session');
      assert.equal(Math.floor(catalogue.serverVersion / 10_000), version);
      assert.equal(catalogue.database, 'postgres');
      const customers = catalogue.relation('shop', 'customers');
      const orders = catalogue.relation('shop', 'orders');
      assert.ok(customers !== undefined && orders !== undefined);
      assert.deepEqual(
        customers.columns.map((column) => [column.name, column.attnum, column.notNull]),
        [
          ['id', 1, true],
          ['mail', 2, true],
          ['score', 3, false],
          ['shout', 4, false],
        ],
      );
      assert.equal(customers.columns[2]?.default, 'random()');
      assert.equal(customers.columns[3]?.generated, 'upper((mail)::text)');
      assert.equal(customers.columns[3]?.default, undefined);
      assert.deepEqual(customers.checkConstraints, ['(score < (100)::numeric)']);
      assert.deepEqual(
        customers.indexes.map((index) => index.expressions),
        [undefined, 'lower((mail)::text)'],
      );
      assert.equal(customers.rules[0]?.event, 'delete');
      assert.match(customers.rules[0]?.definition ?? '', /DELETE FROM shop\.orders/);
      const key = customers.referencedBy[0];
      assert.equal(key?.fromOid, orders.oid);
      assert.deepEqual([key?.onDelete, key?.onUpdate], ['cascade', 'set-null']);
      assert.deepEqual(orders.foreignKeys, customers.referencedBy);
      const trigger = orders.triggers.find((each) => !each.internal);
      assert.deepEqual(trigger?.events, ['insert', 'update']);
      const triggerFunction = catalogue.functionByOid(trigger?.functionOid ?? 0);
      assert.equal(triggerFunction?.name, 'touch');
      assert.equal(triggerFunction?.safety, 'unknown');
      assert.equal(orders.rowSecurity, true);
      assert.equal(orders.policies[0]?.using, '(customer > 0)');
      assert.equal(catalogue.relationByOid(orders.oid), orders);
    });

    it('has views, partitions, types, functions, operators and casts', async () => {
      const catalogue = await newCache().current('t', session.query, 'session');
      const view = catalogue.relation('shop', 'mails');
      assert.equal(view?.kind, 'view');
      assert.match(view?.viewDefinition ?? '', /FROM shop\.customers/);
      const logs = catalogue.relation('shop', 'logs');
      assert.equal(logs?.partitionKey, 'RANGE (at)');
      const part = catalogue.relation('shop', 'logs_2024');
      assert.deepEqual(logs?.childOids, [part?.oid]);
      assert.deepEqual(part?.parentOids, [logs?.oid]);
      const email = catalogue.type('shop', 'email');
      assert.equal(email?.kind, 'domain');
      assert.match(email?.constraints[0] ?? '', /VALUE ~~ '%@%'/);
      assert.equal(catalogue.typeByOid(email?.baseOid ?? 0)?.name, 'text');
      assert.equal(catalogue.type('shop', 'mood')?.kind, 'enum');
      assert.equal(catalogue.type(undefined, '_text')?.kind, 'array');
      assert.equal(catalogue.type(undefined, 'point')?.kind, 'base');
      const add = catalogue.functions('shop', 'add')[0];
      assert.deepEqual(add?.argNames, ['a', 'b']);
      assert.deepEqual(
        add?.outColumns.map((column) => column.name),
        ['total', 'twice'],
      );
      assert.equal(add?.securityDefiner, true);
      assert.deepEqual(add?.settings, ['search_path=shop']);
      assert.equal(add?.defaultExpressions, '1');
      assert.equal(add?.source, 'SELECT a + b, 2 * (a + b)');
      const body = catalogue.functions(undefined, 'body')[0];
      assert.equal(body?.sqlBody, true);
      assert.equal(body?.source, 'RETURN (a + 1)');
      assert.equal(catalogue.functions('pg_catalog', 'similarity').length, 0);
      assert.equal(catalogue.functions(undefined, 'similarity')[0]?.extension, 'pg_trgm');
      assert.equal(catalogue.extensions.get('pg_trgm')?.schema, 'public');
      assert.ok(catalogue.operatorClasses.some((each) => each.name === 'gin_trgm_ops'));
      const equals = catalogue.operators('=').filter((each) => each.schema === 'pg_catalog');
      assert.ok(equals.length > 50);
      const int = catalogue.type(undefined, 'int4')?.oid;
      assert.deepEqual(
        catalogue.casts(int, catalogue.type(undefined, 'int8')?.oid).map((cast) => cast.context),
        ['implicit'],
      );
      assert.equal(catalogue.schemas.get('shop')?.owner, 'postgres');
      assert.equal(catalogue.roles.get('postgres')?.superuser, true);
      assert.equal(catalogue.relation('pg_catalog', 'pg_stats')?.catalogData, true);
      assert.equal(catalogue.relation('pg_catalog', 'pg_class')?.catalogData, false);
      assert.equal(catalogue.relation('shop', 'nothing'), undefined);
      assert.equal(catalogue.type(undefined, 'nothing'), undefined);
    });

    it('reads the same whatever the session has in its way', async () => {
      const plain = await newCache().current('t', session.query, 'session');
      const other = await connect(server);
      await other.query('SET search_path = evil, shop, pg_catalog');
      const hostile = await newCache().current('t', other.query, 'session');
      assert.equal(hostile.version, plain.version);
      assert.deepEqual(await other.query('SHOW search_path'), [['evil, shop, pg_catalog']]);
      await other.end();
    });

    it('reads again what changed, and nothing when nothing did', async () => {
      const cache = newCache();
      const asked: string[] = [];
      const counting: ServerQuery = (sql) => {
        asked.push(sql);
        return session.query(sql);
      };
      const first = await cache.current('t', counting, 'session');
      const all = asked.splice(0).length;
      assert.equal(await cache.current('t', counting, 'changed'), first);
      assert.equal(asked.splice(0).length, 1);
      await session.query('CREATE TABLE shop.extra (a int)');
      const second = await cache.current('t', counting, 'changed');
      assert.ok(asked.length < all);
      assert.notEqual(second.version, first.version);
      assert.equal(first.relation('shop', 'extra'), undefined);
      assert.equal(second.relation('shop', 'extra')?.kind, 'table');
      await session.query('ALTER TABLE shop.customers RENAME TO clients');
      const third = await cache.current('t', counting, 'changed');
      // The view's own row did not change, only the name of what it reads.
      assert.match(third.relation('shop', 'mails')?.viewDefinition ?? '', /FROM shop\.clients/);
      await session.query('ALTER TABLE shop.clients RENAME TO customers');
      await session.query('DROP TABLE shop.extra');
      assert.equal(
        (await cache.current('t', counting, 'changed')).relation('shop', 'extra'),
        undefined,
      );
    });

    it('keeps to the session what only the session sees', async () => {
      const cache = newCache(60_000);
      const other = await connect(server);
      const before = await cache.current('t', session.query, 'session');
      await other.query('BEGIN');
      await other.query('CREATE TABLE shop.secret (a int)');
      const inside = await cache.current('t', other.query, 'changed', 'open');
      assert.equal(inside.relation('shop', 'secret')?.kind, 'table');
      const outside = await cache.current('t', session.query, 'session');
      assert.equal(outside, before);
      const probed = await cache.current('t', session.query, 'changed');
      assert.equal(probed.relation('shop', 'secret'), undefined);
      // The reading left the transaction as it was: it can go on and commit.
      assert.deepEqual(await other.query('SHOW search_path'), [['"$user", public']]);
      await other.query('INSERT INTO shop.secret VALUES (1)');
      await other.query('ROLLBACK');
      const after = await cache.current('t', other.query, 'changed');
      assert.equal(after.version, before.version);
      await other.query('BEGIN ISOLATION LEVEL REPEATABLE READ');
      await other.query('SELECT 1');
      await session.query('CREATE TABLE shop.later (a int)');
      const old = await cache.current('t', other.query, 'changed', 'open');
      assert.equal(old.relation('shop', 'later'), undefined);
      const fresh = await cache.current('t', session.query, 'changed');
      assert.equal(fresh.relation('shop', 'later')?.kind, 'table');
      await other.end();
      await session.query('DROP TABLE shop.later');
    });

    it('an error of the reading fails the reading, not the transaction', async () => {
      const other = await connect(server);
      await other.query('BEGIN');
      await other.query('CREATE TABLE shop.half (a int)');
      const broken: ServerQuery = (sql) =>
        other.query(sql.includes('pg_operator AS o') ? 'SELECT 1/0' : sql);
      await assert.rejects(newCache().current('t', broken, 'changed', 'open'), /division by zero/);
      assert.deepEqual(await other.query('SELECT count(*) FROM shop.half'), [['0']]);
      await other.query('ROLLBACK');
      await other.end();
    });

    it('lets sessions that begin together share one reading', async () => {
      const cache = newCache(60_000);
      const other = await connect(server);
      let asked = 0;
      const counting: ServerQuery = (sql) => {
        asked += 1;
        return other.query(sql);
      };
      const [one, two] = await Promise.all([
        cache.current('t', session.query, 'session'),
        cache.current('t', counting, 'session'),
      ]);
      assert.equal(one, two);
      assert.equal(asked, 0);
      await other.end();
    });

    it('refuses a catalogue over its limits', async () => {
      const cache = new CatalogueCache({
        clock: systemClock,
        limits: { ...defaultLimits, catalogueRowsMax: 1_000 },
      });
      await assert.rejects(cache.current('t', session.query, 'session'), {
        code: 'SP_NOT_UNDERSTOOD',
      });
      // And the connection is usable afterwards.
      assert.deepEqual(await session.query('SELECT 1'), [['1']]);
    });
  });
}

describe('the catalogue cache', () => {
  it('refuses rows that are not as they must be', async () => {
    const answers: ServerQuery = async () => [['180000', 'db']];
    await assert.rejects(newCache().current('t', answers, 'session'), {
      code: 'SP_TARGET_PROTOCOL',
    });
  });
});
