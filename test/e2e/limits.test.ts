/** Limits on what a statement does, through the whole gateway and under the policy that ships. */
import assert from 'node:assert/strict';
import { after, before, beforeEach, describe, it } from 'node:test';
import pg from 'pg';
import { evidenceOf } from '../support/evidence.ts';
import { runPsql } from '../support/psql.ts';
import { defaultPolicy, type Hold, type Shop, startShop } from './shop.ts';

const reading = `
  - id: few-results
    match: { protocols: [postgres], accounts: [readonly] }
    then: allow
    limits: { rowsReturned: 50, bytes: 1MiB, time: 1s }
`;

describe('limits', () => {
  let shop: Shop;
  before(async () => {
    shop = await startShop({
      policies: { 'default.yaml': defaultPolicy.replace('\nmasks:', `${reading}\nmasks:`) },
    });
    await shop.server.query('create table public.kept as select * from orders', 'shop');
  });
  after(() => shop.stop());
  beforeEach(async () => {
    await shop.server.query('truncate orders; insert into orders select * from kept', 'shop');
  });

  const orders = async (): Promise<unknown> => {
    const rows = await shop.server.query('select count(*)::int as n from orders', 'shop');
    return rows[0]?.['n'];
  };
  const open = async (options?: string): Promise<pg.Client> => {
    const { port, user, password, database } = await shop.psqlAs('nightly');
    const more = options === undefined ? {} : { options };
    const client = new pg.Client({ host: '127.0.0.1', port, user, password, database, ...more });
    await client.connect();
    return client;
  };
  const reasonOf = async (hold: Hold): Promise<string> => {
    const { body } = await shop.gateway.call('GET', `/v1/holds/${hold.id}`, shop.reviewer);
    return JSON.stringify(body);
  };

  it('let a few rows go without asking anybody', async () => {
    const client = await open();
    const few = await client.query('delete from orders where amount < 20 and id = id returning id');
    assert.ok((few.rowCount ?? 0) > 0 && (few.rowCount ?? 0) <= 100, String(few.rowCount));
    assert.equal(few.rows.length, few.rowCount);
    await client.query('delete from orders where id = $1', [2]);
    await client.end();
    assert.equal(await orders(), 1_000 - (few.rowCount ?? 0) - 1);
  });

  it('undo what turns out to be every row, ask a person, and run it again', async () => {
    const client = await open();
    const running = client.query('delete from orders where amount >= 0');
    const hold = await shop.held();
    assert.equal(hold.text, 'delete from orders where amount >= 0');
    const shown = await reasonOf(hold);
    assert.match(shown, /public\.orders: 1000 removed; the limit is 100 rows affected/);
    assert.match(shown, /few-rows/);
    assert.equal(await orders(), 1_000);
    const busy = `select count(*)::int as n from pg_stat_activity
      where datname = 'shop' and usename = 'app' and xact_start is not null`;
    assert.deepEqual(await shop.server.query(busy), [{ n: 0 }], 'no transaction waits for people');
    assert.equal(await shop.review(hold, 'approve'), 200);
    assert.equal((await running).rowCount, 1_000);
    assert.equal(await orders(), 0);
    await client.end();
  });

  it('refuse it when the person says no, and the session goes on', async () => {
    const client = await open();
    const running = client.query('update orders set amount = 0 where random() >= 0');
    const refused = assert.rejects(running, /a reviewer denied it/);
    await shop.review(await shop.held(), 'deny');
    await refused;
    const paid = await client.query('select count(*)::int as n from orders where amount = 0');
    assert.deepEqual(paid.rows, [{ n: 0 }]);
    await client.end();
  });

  it('take what is approved for what was counted, and for nothing above it', async () => {
    const client = await open('-c sallyport.hold=refuse');
    const sql = 'delete from orders where id + 0 <= 200';
    await assert.rejects(client.query(sql), /200 removed/);
    const hold = await shop.held();
    await shop.review(hold, 'approve');
    await shop.server.query('update orders set id = -id where id > 990', 'shop');
    await assert.rejects(client.query(sql), /210 removed/);
    await shop.review(await shop.held(), 'deny');
    assert.equal(await orders(), 1_000);
    await shop.server.query('update orders set id = -id where id < 0', 'shop');
    assert.equal((await client.query(sql)).rowCount, 200);
    await assert.rejects(client.query('delete from orders where id + 0 <= 400'), /200 removed/);
    await shop.review(await shop.held(), 'deny');
    assert.equal(await orders(), 800);
    await client.end();
  });

  it('wait for people with a statement that has parameters too', async () => {
    const client = await open();
    const running = client.query('delete from orders where amount >= $1', [0]);
    const hold = await shop.held();
    assert.match(await reasonOf(hold), /1000 removed/);
    assert.equal(await shop.review(hold, 'approve'), 200);
    assert.equal((await running).rowCount, 1_000);
    await client.end();
    assert.equal(await orders(), 0);
  });

  it('ask nobody while a transaction is open, and let it through the next time', async () => {
    const client = await open();
    const all = 'delete from orders where amount > $1';
    await client.query('begin');
    await assert.rejects(client.query(all, [0]), /held: waits for approval/);
    await assert.rejects(client.query('select 1'), { code: '25P02' });
    await client.query('rollback');
    await shop.review(await shop.held(), 'approve');
    await client.query('begin');
    assert.equal((await client.query(all, [0])).rowCount, 1_000);
    await client.query('commit');
    assert.equal(await orders(), 0);
    await client.end();
  });

  it('add up, so that many small steps are seen', async () => {
    const client = await open('-c sallyport.hold=refuse');
    for (let from = 0; from < 1_000; from += 100) {
      const sql = `update orders set amount = amount where id > ${from} and id <= ${from + 100}`;
      assert.equal((await client.query(sql)).rowCount, 100);
    }
    const more = client.query('update orders set amount = amount where id + 0 = 5');
    await assert.rejects(more, /public\.orders comes to 1001/);
    await shop.review(await shop.held(), 'deny');
    await client.end();
  });

  it('bound what comes back, and how long it takes', async () => {
    const job = await shop.psqlAs('nightly', { user: 'readonly@shop' });
    const many = await runPsql(job, 'select id from orders', 'select 7');
    assert.match(many.stderr, /the limit is 50 rows returned/);
    assert.match(many.stderr, /Rule: few-results\. Code: SP_LIMIT_EXCEEDED/);
    assert.match(many.stdout, /^7$/m);
    const wide = await runPsql(job, `select repeat('x', 2000000)`);
    assert.match(wide.stderr, /the limit is 1048576 bytes returned/);
    const slow = await runPsql(job, `select count(*) from orders a, orders b, orders c, orders d`);
    assert.match(slow.stderr, /the limit is 1000 milliseconds/);
  });

  it('leave evidence of what was counted and what came of it', async () => {
    const evidence = evidenceOf(shop.gateway.home);
    const limited = evidence.events().filter(({ type }) => type === 'command.limited');
    const told = limited.map(({ data }) => [data['limit'], data['found'], data['released']].join());
    assert.ok(told.includes('rowsAffected,1000,true'), told.join(' '));
    assert.ok(told.includes('rowsAffected,1000,false'), told.join(' '));
    assert.ok(told.includes('rowsReturned,51,false'), told.join(' '));
    const sessions = await evidence.summaries();
    const texts = await Promise.all(sessions.map(({ session }) => evidence.text(session)));
    assert.ok(texts.some((text) => /counted .*1000 removed.*"stands":false/.test(text)));
    assert.ok(texts.some((text) => /counted .*1000 removed.*"stands":true/.test(text)));
  });
});
