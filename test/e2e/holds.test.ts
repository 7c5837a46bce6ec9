/** A statement that waits for a person, seen from psql, a driver and the reviewer's side. */
import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import pg from 'pg';
import { Psql, type PsqlTarget, runPsql } from '../support/psql.ts';
import { type Shop, startShop } from './shop.ts';

describe('a held statement', () => {
  let shop: Shop;
  let job: PsqlTarget;
  before(async () => {
    shop = await startShop();
    await shop.server.query(
      `create table public.jobs (id int, state text); alter table public.jobs owner to app;
       insert into public.jobs select n, 'new' from generate_series(1, 10) n`,
      'shop',
    );
    job = await shop.psqlAs('nightly');
  });
  after(() => shop.stop());

  const orders = async (): Promise<unknown> => {
    const rows = await shop.server.query('select count(*)::int as n from orders', 'shop');
    return rows[0]?.['n'];
  };

  it('waits with a notice, and runs once a reviewer has approved it', async () => {
    const psql = new Psql(job);
    psql.type('begin;');
    psql.type('delete from orders where true;');
    const hold = await shop.held();
    assert.equal(hold.text, 'delete from orders where true');
    await psql.until(({ stderr }) => stderr.includes(`approvals approve ${hold.id}`));
    assert.match(psql.stderr, /NOTICE: {2}sallyport: held for approval/);
    assert.equal(await orders(), 1_000, 'nothing ran');
    assert.equal(await shop.review(hold, 'approve'), 200);
    assert.equal(await psql.ask('select count(*) from orders;'), '0');
    await psql.ask('rollback;');
    await psql.quit();
    assert.equal(await orders(), 1_000);
  });

  it('fails when the reviewer says no, and the session goes on', async () => {
    const running = runPsql(job, 'truncate orders', 'select 1');
    await shop.review(await shop.held(), 'deny');
    const { stdout, stderr } = await running;
    assert.match(stderr, /a reviewer denied it/);
    assert.match(stderr, /SP_HOLD_DENIED/);
    assert.equal(stdout, '1\n');
    assert.equal(await orders(), 1_000);
  });

  it('is not approved by who sent it, nor by someone who does not review', async () => {
    const running = runPsql(job, 'truncate orders');
    const hold = await shop.held();
    const path = `/v1/holds/${hold.id}/approve`;
    for (const token of [
      await shop.gateway.job('nightly'),
      await shop.gateway.job('other'),
      await shop.gateway.person('mallory', ['sales']),
      'not a token',
    ]) {
      const { status } = await shop.gateway.call('POST', path, token, { digest: hold.digest });
      assert.ok(status === 401 || status === 403, String(status));
    }
    await shop.review(hold, 'deny');
    await running;
  });

  it('is approved as the reviewer saw it, or not at all', async () => {
    const running = runPsql(job, 'truncate orders');
    const hold = await shop.held();
    const digest = hold.digest.replace(/^./, (first) => (first === '0' ? '1' : '0'));
    const path = `/v1/holds/${hold.id}/approve`;
    const other = await shop.gateway.call('POST', path, shop.reviewer, { digest });
    assert.equal(other.status, 409);
    assert.equal(await shop.review(hold, 'deny'), 200);
    await running;
  });

  it('ends with Ctrl-C, and the hold with it', async () => {
    const psql = new Psql(job, ['-c', 'truncate orders']);
    const hold = await shop.held();
    psql.interrupt();
    const { stderr } = await psql.done();
    assert.match(stderr, /cancelled while it waited for approval/);
    assert.equal(await shop.review(hold, 'approve'), 409);
    assert.equal(await orders(), 1_000);
  });

  it('is refused at once when the client wants that, and runs when sent again after approval', async () => {
    const impatient = { ...job, options: '-c sallyport.hold=refuse' };
    const first = await runPsql(impatient, 'truncate orders');
    assert.match(first.stderr, /SP_HOLD_PENDING/);
    const hold = await shop.held();
    assert.match(first.stderr, new RegExp(`approvals approve ${hold.id}`));
    const again = await runPsql(impatient, 'truncate orders');
    assert.match(again.stderr, new RegExp(hold.id), 'asking again opens no second hold');
    assert.equal(await shop.review(hold, 'approve'), 200);
    const other = await runPsql(impatient, 'truncate orders, customers');
    assert.match(other.stderr, /SP_HOLD_PENDING/, 'another statement is another hold');
    await shop.review(await shop.held(), 'deny');
    assert.equal(await orders(), 1_000);
    const approved = await runPsql(impatient, 'truncate orders');
    assert.equal(approved.stderr, '');
    assert.equal(await orders(), 0);
    const spent = await runPsql(impatient, 'truncate orders');
    assert.match(spent.stderr, /SP_HOLD_PENDING/, 'an approval is spent once');
    await shop.review(await shop.held(), 'deny');
  });

  it('is released for its parameters, target account and identity alone', async () => {
    const sql = 'update jobs set state = $1';
    const nightly = await impatientClient('nightly');
    const hold = await pending(nightly, sql, ['done']);
    assert.equal(await shop.review(hold, 'approve'), 200);
    const attempts = [
      { client: nightly, text: sql, value: 'gone' },
      { client: nightly, text: 'update jobs  set state = $1', value: 'done' },
      { client: await impatientClient('weekly'), text: sql, value: 'done' },
      { client: await impatientClient('nightly', 'readonly@shop'), text: sql, value: 'done' },
    ];
    for (const { client, text, value } of attempts) {
      const other = await pending(client, text, [value]);
      assert.notEqual(other.id, hold.id);
      await shop.review(other, 'deny');
    }
    const states = 'select distinct state from public.jobs';
    assert.deepEqual(await shop.server.query(states, 'shop'), [{ state: 'new' }]);
    await nightly.query(sql, ['done']);
    assert.deepEqual(await shop.server.query(states, 'shop'), [{ state: 'done' }]);
    await Promise.all(attempts.map(({ client }) => client.end()));
  });

  async function impatientClient(subject: string, user = 'app@shop'): Promise<pg.Client> {
    const client = new pg.Client({
      host: '127.0.0.1',
      port: shop.gateway.port,
      user,
      password: await shop.gateway.job(subject),
      database: 'shop',
      options: '-c sallyport.hold=refuse',
    });
    // An idle connection is ended by the drain at the close.
    client.on('error', () => undefined);
    await client.connect();
    return client;
  }

  /** Sends what must be held, and gives its hold. */
  async function pending(client: pg.Client, text: string, values: readonly string[]) {
    const error = await client.query(text, [...values]).then(
      () => assert.fail(`it ran: ${text}`),
      (thrown: unknown) => thrown,
    );
    assert.ok(error instanceof pg.DatabaseError);
    assert.match(`${error.message} ${error.detail}`, /SP_HOLD_PENDING/);
    const hold = await shop.held();
    assert.ok(error.hint?.includes(hold.id), error.hint);
    return hold;
  }
});
