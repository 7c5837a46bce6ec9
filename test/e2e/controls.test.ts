/** Law 9: locks, revocation, expiry and changes of policy act on what is already running. */
import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import pg from 'pg';
import { evidenceOf } from '../support/evidence.ts';
import { Psql, runPsql } from '../support/psql.ts';
import { exchange, running } from './calls.ts';
import { defaultPolicy, type Shop, startShop } from './shop.ts';

const ENDLESS = 'select count(*) from generate_series(1, 100000000000)';

describe('controls on live sessions', () => {
  let shop: Shop;
  before(async () => {
    shop = await startShop();
  });
  after(() => shop.stop());

  const lock = async (kind: string, value: string) => {
    const body = { kind, value, reason: 'left the company' };
    const answer = await shop.gateway.call('POST', '/v1/locks', shop.admin, body);
    assert.equal(answer.status, 200, JSON.stringify(answer.body));
    return async () => {
      const path = `/v1/locks/${String(answer.body['id'])}`;
      assert.equal((await shop.gateway.call('DELETE', path, shop.admin)).status, 200);
    };
  };

  for (const [kind, value] of [
    ['identity', 'ci/nightly'],
    ['owner', 'people/olga'],
    ['target', 'shop'],
  ] as const) {
    it(`a lock on the ${kind} ends a session in mid-query, and lets nobody in again`, async () => {
      const job = await shop.psqlAs('nightly');
      const psql = new Psql(job, ['-c', ENDLESS]);
      await running(shop.server, ENDLESS, 1);
      const remove = await lock(kind, value);
      const { stderr, status } = await psql.done();
      assert.match(stderr, /FATAL: {2}sallyport: .*locked: left the company/);
      assert.equal(status, 2);
      await running(shop.server, ENDLESS, 0);
      const again = await runPsql(job, 'select 1');
      assert.match(again.stderr, /FATAL/);
      assert.equal(again.stdout, '');
      await remove();
      assert.equal((await runPsql(job, 'select 1')).stdout, '1\n');
    });
  }

  it('a lock ends a session that waits for approval, and the approval comes too late', async () => {
    const psql = new Psql(await shop.psqlAs('nightly'), ['-c', 'truncate orders']);
    const hold = await shop.held();
    const remove = await lock('identity', 'ci/nightly');
    const { stderr } = await psql.done();
    assert.match(stderr, /locked: left the company/);
    assert.notEqual(await shop.review(hold, 'approve'), 200);
    await remove();
    const rows = await shop.server.query('select count(*)::int as n from orders', 'shop');
    assert.deepEqual(rows, [{ n: 1_000 }]);
  });

  it('a token traded for a credential opens sessions, until the credential is revoked', async () => {
    const token = await shop.gateway.job('trader');
    const credential = await exchange(shop.gateway, token, 'readonly@shop');
    const job = await shop.psqlAs('trader', { password: credential, user: 'readonly@shop' });
    const psql = new Psql(job);
    assert.equal(await psql.ask('select current_user;'), 'readonly');
    const other = await runPsql({ ...job, user: 'app@shop' }, 'select 1');
    assert.match(other.stderr, /FATAL: {2}sallyport: no grant/, 'it is for one account');
    const spent = await runPsql({ ...job, password: token }, 'select 1');
    assert.match(spent.stderr, /login failed/, 'the token is spent');
    const [, id = ''] = credential.split('_');
    const path = `/v1/credentials/${id}`;
    assert.equal((await shop.gateway.call('DELETE', path, shop.admin)).status, 200);
    psql.type('select 1;');
    const { stderr } = await psql.done();
    assert.match(stderr, /the credential was revoked/);
    assert.match((await runPsql(job, 'select 1')).stderr, /FATAL/);
  });

  it('a stranger learns nothing from how a login fails', async () => {
    const job = await shop.psqlAs('nightly');
    const said = async (user: string, password: string): Promise<string> => {
      const { stderr } = await runPsql({ ...job, user, password }, 'select 1');
      return stderr.slice(stderr.indexOf('FATAL'));
    };
    const wrong = await said('app@shop', 'wrong');
    assert.match(wrong, /login failed/);
    assert.equal(await said('app@nowhere', 'wrong'), wrong);
    assert.equal(await said('app@shop', `sp_${'0'.repeat(32)}_${'A'.repeat(43)}`), wrong);
    const refused = await said('app@nowhere', job.password);
    assert.match(refused, /no grant/);
    assert.equal(await said('nobody@shop', job.password), refused);
  });

  it('a session ends with the token that opened it', async () => {
    const password = await shop.gateway.issuers.workloads.mint(
      { sub: 'short', aud: 'sallyport', repository_id: '42' },
      { expiresInSeconds: 4 },
    );
    const psql = new Psql(await shop.psqlAs('short', { password }), ['-c', ENDLESS]);
    const { stderr } = await psql.done();
    assert.match(stderr, /FATAL: {2}sallyport: the credential or grant has expired/);
    await running(shop.server, ENDLESS, 0);
  });

  it('a changed policy judges the next statement, prepared ones too; a broken one changes nothing', async () => {
    const job = await shop.psqlAs('nightly');
    const client = new pg.Client({ ...job, host: '127.0.0.1' });
    client.on('error', () => undefined);
    await client.connect();
    const read = { name: 'kept', text: 'select count(*)::int as n from orders', values: [] };
    assert.deepEqual((await client.query(read)).rows, [{ n: 1_000 }]);
    await changePolicy(`${noOrders}${defaultPolicy.slice(defaultPolicy.indexOf('rules:') + 7)}`);
    await assert.rejects(client.query(read), { code: '42501', message: /orders are closed/ });
    await assert.rejects(client.query('table orders'), { code: '42501' });
    await changePolicy('rules: [{ id: broken, when: "facts.nothing", then: allow }]', 'rejected');
    await assert.rejects(client.query(read), { code: '42501' });
    const masked = defaultPolicy.replace('public.customers.card]', MASK_NAMES);
    await changePolicy(masked);
    assert.deepEqual((await client.query(read)).rows, [{ n: 1_000 }]);
    const names = await client.query('select name from customers limit 1');
    assert.deepEqual(names.rows, [{ name: '[REDACTED]' }]);
    await client.end();
  });

  const MASK_NAMES = 'public.customers.card, public.customers.name]';
  const noOrders = `rules:
  - id: closed
    when: facts.objects.exists(o, o.name == 'public.orders')
    then: deny
    reason: orders are closed
`;

  async function changePolicy(text: string, outcome: 'loaded' | 'rejected' = 'loaded') {
    const told = () =>
      evidenceOf(shop.gateway.home)
        .events()
        .filter(({ type }) => type === `policy.${outcome}`).length;
    const before = told();
    writeFileSync(join(shop.gateway.home, 'policies', 'default.yaml'), text);
    process.kill(shop.gateway.pid, 'SIGHUP');
    while (told() === before) await new Promise((resolve) => setTimeout(resolve, 25));
  }
});
