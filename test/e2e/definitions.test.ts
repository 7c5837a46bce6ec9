/** Definitions that change under other sessions: what was judged must be what the server reads. */
import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import pg from 'pg';
import { startGateway, type TestGateway } from '../support/gateway.ts';
import { startPostgres, type TestPostgres } from '../support/postgres.ts';

const CANARY = '123-45-6789';

describe('definitions that change under other sessions', () => {
  let server: TestPostgres;
  let gateway: TestGateway;
  const clients: pg.Client[] = [];

  const connect = async (): Promise<pg.Client> => {
    const client = new pg.Client({
      host: '127.0.0.1',
      port: gateway.port,
      user: 'postgres@shop',
      password: gateway.credential,
      database: 'postgres',
    });
    client.on('error', () => undefined);
    await client.connect();
    clients.push(client);
    return client;
  };
  const shown = async (client: pg.Client, sql: string): Promise<string> =>
    client.query(sql).then(({ rows }) => JSON.stringify(rows), String);

  before(async () => {
    server = await startPostgres({ version: 18 });
    await server.query(
      `create table customers (id int primary key, name text, ssn text);
       insert into customers values (1, 'Ada', '${CANARY}');
       create view v as select id, name as x from customers`,
    );
    gateway = await startGateway({
      targets: [{ name: 'shop', host: server.host, port: server.port, accounts: ['*'] }],
      policies: {
        'policy.yaml':
          "rules:\n  - { id: all, when: 'true', then: allow }\n" +
          'masks:\n  - { id: ssn, columns: [public.customers.ssn], with: redact }\n',
      },
    });
  });
  after(async () => {
    await Promise.all(clients.map((client) => client.end()));
    await gateway.stop();
    await server.stop();
  });

  it('masks what a view shows after another session has replaced it', async () => {
    const reader = await connect();
    assert.match(await shown(reader, 'select x from v'), /Ada/);
    const writer = await connect();
    await writer.query('create or replace view v as select id, ssn as x from customers');
    assert.doesNotMatch(await shown(reader, 'select x from v'), new RegExp(CANARY));
    assert.doesNotMatch(await shown(await connect(), 'select x from v'), new RegExp(CANARY));
  });

  it('masks in an open transaction too, and through a prepared statement', async () => {
    const writer = await connect();
    await writer.query('create or replace view v as select id, name as x from customers');
    const reader = await connect();
    const prepared = { name: 'p', text: 'select x from v' };
    await reader.query('begin');
    assert.match(JSON.stringify((await reader.query(prepared)).rows), /Ada/);
    await reader.query('commit');
    await reader.query('begin');
    await reader.query('select 1');
    await writer.query('create or replace view v as select id, ssn as x from customers');
    const rows = JSON.stringify((await reader.query(prepared)).rows);
    assert.doesNotMatch(rows, new RegExp(CANARY));
    assert.doesNotMatch(await shown(reader, 'select x from v'), new RegExp(CANARY));
    await reader.query('rollback');
  });

  it('masks a statement that waited for the lock of the change', async () => {
    const writer = await connect();
    await writer.query('create or replace view v as select id, name as x from customers');
    const reader = await connect();
    assert.match(await shown(reader, 'select x from v'), /Ada/);
    await writer.query('begin');
    await writer.query('create or replace view v as select id, ssn as x from customers');
    const waiting = shown(reader, 'select x from v');
    await new Promise((resolve) => setTimeout(resolve, 200));
    await writer.query('commit');
    assert.doesNotMatch(await waiting, new RegExp(CANARY));
  });

  it('masks a statement that was sent before the change and is read after it', async () => {
    const writer = await connect();
    await writer.query('create or replace view v as select id, name as x from customers');
    const reader = await connect();
    assert.match(await shown(reader, 'select x from v'), /Ada/);
    const waiting = reader.query('select pg_sleep(1); select x from v');
    await new Promise((resolve) => setTimeout(resolve, 200));
    await writer.query('create or replace view v as select id, ssn as x from customers');
    assert.doesNotMatch(JSON.stringify(await waiting), new RegExp(CANARY));
  });

  it('shows clean columns again once the change is over', async () => {
    const writer = await connect();
    const reader = await connect();
    await writer.query('create or replace view v as select id, name as x from customers');
    assert.match(await shown(reader, 'select x from v'), /Ada/);
    await writer.query('begin');
    await writer.query('create temporary table own (id int)');
    assert.match(await shown(reader, 'select x from v'), /Ada/);
    await writer.query('rollback');
  });
});
