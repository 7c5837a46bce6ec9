/** Rules that look at the past: what an identity never did before, and how often it asks. */
import assert from 'node:assert/strict';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import pg from 'pg';
import { sallyport } from '../support/cli.ts';
import { startGateway } from '../support/gateway.ts';
import { startPostgres, type TestPostgres } from '../support/postgres.ts';

const policy = `rules:
  - { id: everything, match: { protocols: [postgres] }, then: allow }
  - id: first
    use: novel
    then: hold
    hold: { reviewers: [role:reviewer], wait: 30s }
    match: { identities: ['identity:ci/strict*'] }
  - id: asks
    use: masked-filter
    budget: { maskedFilters: 3, per: 1h }
    then: deny
    reason: too many questions
masks:
  - id: ssn
    columns: [public.people.ssn]
    with: redact
    match: { protocols: [postgres] }
`;

describe('rules about the past', () => {
  let server: TestPostgres;
  const clients: pg.Client[] = [];
  let gateway: Awaited<ReturnType<typeof startGateway>>;
  before(async () => {
    server = await startPostgres({ version: 18 });
    await server.query(`
      create role app login superuser;
      create table people (id int primary key, ssn text);
      create table notes (id int, text text);
      insert into people select n, 'ssn-' || n from generate_series(1, 9) n`);
    gateway = await start();
  });
  after(async () => {
    // Those of a test that failed.
    await Promise.all(clients.map((each) => each.end()));
    await gateway.stop();
    await server.stop();
  });

  const start = (again?: typeof gateway): ReturnType<typeof startGateway> =>
    startGateway({
      targets: [{ name: 'db', host: server.host, port: server.port, accounts: ['app'] }],
      policies: { 'policy.yaml': policy },
      config: { limits: { drainMsMax: 1_000 } },
      ...(again === undefined ? {} : { home: again.home, issuers: again.issuers }),
    });

  const client = async (subject: string): Promise<pg.Client> => {
    const password = await gateway.job(subject);
    const { port } = gateway;
    const own = new pg.Client({
      host: '127.0.0.1',
      port,
      user: 'app@db',
      password,
      database: 'postgres',
    });
    own.on('error', () => undefined);
    await own.connect();
    clients.push(own);
    return own;
  };

  /** What became of it: the number of rows, or why it was refused. */
  const said = (own: pg.Client, text: string, values?: readonly unknown[]): Promise<string> =>
    own.query(text, values === undefined ? undefined : [...values]).then(
      ({ rowCount }) => String(rowCount),
      (error: Error) => error.message.replace(/^.*policy: /, ''),
    );

  /** A person decides what waits; answers what the client was told. */
  const reviewed = async (
    own: pg.Client,
    text: string,
    how: 'approve' | 'deny',
  ): Promise<string> => {
    const running = said(own, text);
    const rita = await gateway.person('rita', ['dba']);
    let id = '';
    for (let look = 0; id === '' && look < 1_000; look += 1) {
      const { body } = await gateway.call('GET', '/v1/holds', rita);
      const [hold]: readonly unknown[] = Array.isArray(body['holds']) ? body['holds'] : [];
      id = String((typeof hold === 'object' && hold !== null && Reflect.get(hold, 'id')) || '');
    }
    const { status } = await gateway.call('POST', `/v1/holds/${id}/${how}`, rita, {});
    assert.equal(status, 200);
    return running;
  };

  it('hold what an identity does for the first time, and let it pass from then on', async () => {
    const own = await client('strict');
    assert.equal(await said(own, 'select * from notes'), '0', 'the rule is about changes');
    const insert = "insert into notes values (1, 'a')";
    assert.match(await reviewed(own, insert, 'deny'), /a reviewer denied it/);
    assert.equal(await reviewed(own, insert, 'approve'), '1', 'a denied one was not done');
    assert.equal(await said(own, insert), '1');
    assert.equal(await said(own, "insert into notes values (2, 'b')"), '1', 'of the same shape');
    assert.equal(await reviewed(own, 'delete from notes where id = 2', 'approve'), '1');
    await own.end();
    const again = await client('strict');
    assert.equal(await said(again, insert), '1', 'in another session');
    assert.equal(await reviewed(again, 'truncate notes', 'approve'), 'null');
    await again.end();
    const other = await client('strict-2');
    assert.match(await reviewed(other, insert, 'deny'), /denied/, 'each identity by itself');
    await other.end();
  });

  it('count questions about masked values, over reconnects, prepared or not', async () => {
    const ask = 'select id from people where ssn like $1';
    for (const value of ['ssn-1%', 'ssn-2%']) {
      const own = await client('curious');
      assert.equal(await said(own, ask, [value]), '1');
      assert.equal(await said(own, 'select ssn from people'), '9', 'this asks nothing');
      await own.end();
    }
    const own = await client('curious');
    const kept = { name: 'kept', text: ask, values: ['ssn-3%'] };
    assert.equal((await own.query(kept)).rowCount, 1);
    await assert.rejects(own.query(kept), /too many questions/);
    assert.equal(await said(own, 'select max(id) from people group by ssn'), 'too many questions');
    assert.equal(await said(own, 'select ssn from people'), '9');
    await own.end();
    const other = await client('somebody');
    assert.equal(await said(other, ask, ['ssn-1%']), '1', 'everybody has a budget of their own');
    await other.end();
  });

  it('count statements of one text together', async () => {
    const own = await client('batch');
    const ask = "select id from people where ssn like 'ssn-1%'";
    assert.equal(await said(own, [ask, ask, ask, ask].join('; ')), 'too many questions');
    assert.equal(await said(own, ask), 'too many questions', 'they count from the permit on');
    await own.end();
  });

  it('are explained as the gateway would decide now', async () => {
    const config = join(gateway.home, 'sallyport.yaml');
    const explain = async (
      identity: string,
      ...more: readonly string[]
    ): Promise<number | null> => {
      const args = ['--target', 'db', '--namespace', 'postgres', '--identity', identity, ...more];
      const { status, stderr } = await sallyport(['policy', 'explain', '-c', config, ...args]);
      assert.equal(stderr, '');
      return status;
    };
    assert.equal(await explain('ci/strict', "insert into notes values (7, 'x')"), 0, 'was done');
    assert.equal(await explain('ci/strict', 'drop table notes'), 5, 'was never done: held');
    const ask = "select id from people where ssn like 'ssn-5%'";
    assert.equal(await explain('ci/curious', ask), 3, 'has asked too often: denied');
    assert.equal(await explain('ci/somebody', ask), 0, 'asked once');
  });

  it('remember across a restart', async () => {
    const before = gateway;
    await before.kill('SIGTERM');
    gateway = await start(before);
    const own = await client('curious');
    const ask = "select id from people where ssn like 'ssn-4%'";
    assert.equal(await said(own, ask), 'too many questions');
    await own.end();
    const strict = await client('strict');
    assert.equal(await said(strict, "insert into notes values (3, 'c')"), '1');
    await strict.end();
    await gateway.kill('SIGTERM');
    gateway = before;
  });
});
