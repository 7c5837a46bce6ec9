/** `psql` at the quickstart's shop, under the policy that ships: what a person would try. */
import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { Psql, type PsqlTarget, runPsql } from '../support/psql.ts';
import { running } from './calls.ts';
import { type Shop, startShop } from './shop.ts';

const fence = `rules:
  - { id: fence, when: session.namespace != 'shop', then: deny, reason: only the shop }
`;

describe('psql at the shop', () => {
  let shop: Shop;
  let job: PsqlTarget;
  before(async () => {
    shop = await startShop({ policies: { 'fence.yaml': fence } });
    job = await shop.psqlAs('nightly');
  });
  after(() => shop.stop());

  it('is the account at the server, in the database that it named', async () => {
    const { stdout } = await runPsql(job, 'select current_user, current_database()');
    assert.equal(stdout, 'app|shop\n');
  });

  it('reads masked values, and everything else byte for byte', async () => {
    const sql =
      'select id, name, since, email, phone, card, ssn from customers order by id limit 5';
    const real = await shop.server.query(sql, 'shop');
    const { stdout, stderr } = await runPsql(job, sql);
    assert.equal(stderr, '');
    const rows = stdout.trim().split('\n');
    assert.equal(rows.length, 5);
    rows.forEach((row, index) => {
      const [id, name, , email = '', phone = '', card, ssn] = row.split('|');
      const truth = real[index] ?? {};
      assert.equal(id, String(truth['id']));
      assert.equal(name, truth['name']);
      for (const [column, value] of Object.entries({ email, phone, card, ssn })) {
        assert.notEqual(value, truth[column], column);
      }
      assert.match(email, /@example\.com$/);
      assert.equal(phone.slice(-2), String(truth['phone']).slice(-2));
    });
  });

  it('tells a denial as an ordinary error, and goes on', async () => {
    const { stdout, stderr, status } = await runPsql(
      job,
      'drop table customers',
      'select count(*) from customers',
    );
    assert.match(stderr, /^ERROR: {2}sallyport: denied by policy: the schema is changed by/m);
    assert.match(stderr, /DETAIL: {2}Rule: schema-change\. Code: SP_POLICY_DENIED\./);
    assert.equal(stdout, '200\n');
    assert.equal(status, 0);
  });

  it('fails the transaction around a denial, as PostgreSQL would', async () => {
    const psql = new Psql(job);
    await psql.ask('begin;');
    await psql.ask('truncate nothing_of_the_kind;');
    await psql.ask('drop table customers;');
    assert.equal(await psql.ask('select 1;'), '');
    assert.match(psql.stderr, /current transaction is aborted/);
    await psql.ask('rollback;');
    assert.equal(await psql.ask('select 2;'), '2');
    await psql.quit();
  });

  it('takes several statements in one text, and stops at the one that is denied', async () => {
    const good = await runPsql(job, 'select 1; select 2; select 3');
    assert.equal(good.stdout, '1\n2\n3\n');
    const bad = await runPsql(
      job,
      "insert into orders values (5000, 1, 'lamp', 1, 'paid'); drop table orders",
    );
    assert.match(bad.stderr, /SP_POLICY_DENIED/);
    assert.notEqual(bad.status, 0);
    const rows = await shop.server.query('select from orders where id = 5000', 'shop');
    assert.equal(rows.length, 0, 'what came before the denied statement was undone with it');
  });

  it('describes tables, as a person does first', async () => {
    const tables = await runPsql(job, '\\dt');
    assert.match(tables.stdout, /public\|customers\|table\|app/);
    const columns = await runPsql(job, '\\d customers');
    assert.match(columns.stdout, /card\|text/);
    assert.equal(columns.stderr, '');
  });

  it('leaves no fence by connecting to another database', async () => {
    const psql = new Psql(job);
    assert.equal(await psql.ask('select 1;'), '1');
    psql.type('\\c postgres');
    assert.equal(await psql.ask('select 2;'), '');
    assert.match(psql.stderr, /only the shop.*\n.*Rule: fence/);
    psql.type('\\c shop');
    assert.equal(await psql.ask('select 3;'), '3');
    await psql.quit();
  });

  it('copies in, under the rule for writes', async () => {
    const psql = new Psql(job);
    psql.type('\\copy orders from stdin');
    psql.type('6001\t1\tlamp\t9.50\tpaid\n6002\t2\trug\t10\tpaid\n\\.');
    assert.equal(await psql.ask('select count(*) from orders where id > 6000;'), '2');
    await psql.quit();
    assert.equal(psql.stderr, '');
  });

  it('copies out masked, once a person has approved it', async () => {
    const psql = new Psql(job);
    psql.type('\\copy (select id, card, ssn from customers order by id) to stdout');
    const hold = await shop.held();
    assert.match(hold.text, /select id, card, ssn from customers order by id/i);
    assert.equal(await shop.review(hold, 'approve'), 200);
    await psql.until(({ stdout }) => stdout.split('\n').length > 200);
    const { stderr } = await psql.quit();
    assert.match(stderr, /held for approval/);
    const real = await shop.server.query('select card, ssn from customers', 'shop');
    for (const row of real) {
      assert.ok(!psql.stdout.includes(String(row['card'])));
      assert.ok(!psql.stdout.includes(String(row['ssn'])));
    }
  });

  it('listens, and is told of notifications without what another session put into them', async () => {
    const psql = new Psql(job);
    await psql.ask('listen news;');
    await shop.server.query("notify news, 'paid with 4539578763621486'", 'shop');
    // psql looks at what came when a command is done.
    while (!psql.stdout.includes('Asynchronous')) await psql.ask('select 1;');
    assert.match(psql.stdout, /Asynchronous notification "news" received from server process/);
    assert.ok(!psql.stdout.includes('4539578763621486'), psql.stdout);
    await psql.quit();
  });

  it('cancels what runs with Ctrl-C', async () => {
    const psql = new Psql(job, ['-c', 'select count(*) from generate_series(1, 100000000000)']);
    await running(shop.server, 'generate_series(1, 100000000000)', 1);
    psql.interrupt();
    const { stderr, status } = await psql.done();
    assert.match(stderr, /canceling statement due to user request/);
    assert.notEqual(status, 0);
    await running(shop.server, 'generate_series(1, 100000000000)', 0);
  });
});
