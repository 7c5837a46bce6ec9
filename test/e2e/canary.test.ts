/**
 * Secrets and masked values are planted everywhere where the gateway handles them, a day's work is
 * done, and then everything that it wrote or said is searched for them: outputs of clients, log,
 * events, database, recordings raw and decoded, command lines.
 */
import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import pg from 'pg';
import { evidenceOf } from '../support/evidence.ts';
import { type PsqlAnswer, type PsqlTarget, runPsql } from '../support/psql.ts';
import { exchange } from './calls.ts';
import { type Shop, startShop, UPSTREAM_PASSWORD } from './shop.ts';

describe('what must be seen nowhere', () => {
  let shop: Shop;
  /** By what it is. */
  const secrets = new Map<string, string>([['the password upstream', UPSTREAM_PASSWORD]]);
  const masked = new Map<string, string>();
  /** What clients and callers were told, by who was told. */
  const told: string[] = [];
  before(async () => {
    shop = await startShop();
    const rows = await shop.server.query('select card, ssn, email from customers', 'shop');
    for (const row of rows) {
      for (const [column, value] of Object.entries(row)) masked.set(String(value), column);
    }
    await work();
  });
  after(() => shop.stop());

  const keep = ({ stdout, stderr }: PsqlAnswer): void => void told.push(stdout, stderr);

  async function work(): Promise<void> {
    const token = await shop.gateway.job('nightly');
    const traded = await shop.gateway.job('trader');
    const credential = await exchange(shop.gateway, traded, 'shop');
    secrets.set('a token', token).set('a traded token', traded).set('a credential', credential);
    secrets.set("a reviewer's token", shop.reviewer).set("an administrator's", shop.admin);
    const job = await shop.psqlAs('nightly', { password: token });
    keep(await runPsql(job, ...tries));
    keep(await runPsql({ ...job, password: credential }, ...tries));
    await failedLogins(job, [token, credential]);
    await binary(job);
    await calls(credential);
    const running = runPsql(job, 'copy (select card from customers order by id) to stdout');
    await shop.review(await shop.held(), 'approve');
    keep(await running);
  }

  /** Reads of every kind, denials, and statements that fail over the values. */
  const tries: readonly string[] = [
    'select * from customers order by id',
    'select c from customers c order by id limit 20',
    'select row_to_json(c) from customers c limit 20',
    'select string_agg(ssn, chr(10)) from customers',
    'select card::int from customers',
    'select (email::text)::date from customers',
    "insert into customers select 9000, 'x', email, 'p', 'c', 's', now() from customers where id = 7",
    'update customers set name = null where id = 7',
    'create table copy_of as select * from customers',
    "do $$ begin raise exception '%', (select ssn from customers limit 1); end $$",
    'explain (analyze, verbose) select ssn from customers',
    "select * from customers where ssn like '1%'",
    'select most_common_vals from pg_stats where tablename = $$customers$$',
    'begin; declare c cursor for select ssn, card from customers; fetch 20 from c; commit',
    'prepare p as select email, card from customers order by id; execute p',
    'drop table customers',
  ];

  async function failedLogins(job: PsqlTarget, real: readonly string[]): Promise<void> {
    for (const password of real) {
      const wrong = `${password}x`;
      keep(await runPsql({ ...job, password: wrong }, 'select 1'));
      keep(await runPsql({ ...job, password, user: 'app@elsewhere' }, 'select 1'));
      keep(await runPsql({ ...job, password, user: 'nobody@shop' }, 'select 1'));
      keep(await runPsql({ ...job, password, database: 'nothing' }, 'select 1'));
      keep(await runPsql({ ...job, password, options: '-c search_path=x' }, 'select 1'));
    }
  }

  /** The extended protocol in both formats, as drivers use it. */
  async function binary({ port, user, password, database }: PsqlTarget): Promise<void> {
    const client = new pg.Client({ host: '127.0.0.1', port, user, password, database });
    client.on('error', () => undefined);
    await client.connect();
    const query = { text: 'select email, card, ssn from customers where id > $1', values: [0] };
    for (const format of [{}, { binary: true }, { name: 'again' }, { name: 'again' }]) {
      const { rows } = await client.query({ ...query, ...format });
      assert.equal(rows.length, 200);
      told.push(JSON.stringify(rows));
    }
    await client.end();
  }

  async function calls(credential: string): Promise<void> {
    const { gateway } = shop;
    for (const token of [shop.reviewer, shop.admin, `${shop.admin}x`, credential]) {
      for (const path of ['/v1/me', '/v1/holds', '/v1/sessions', '/v1/recordings', '/v1/events']) {
        told.push(JSON.stringify(await gateway.call('GET', path, token)));
      }
    }
    const auditor = await gateway.person('audrey', ['auditors']);
    told.push(JSON.stringify(await gateway.call('GET', '/v1/events?limit=1000', auditor)));
    await exchange(gateway, `${shop.admin}x`, 'shop').catch((error: Error) => {
      told.push(error.message);
    });
  }

  /** Fails with what was found and where; never with the secret itself. */
  function search(where: string, text: string, what: ReadonlyMap<string, string>): void {
    for (const [kind, secret] of what) {
      assert.ok(!text.includes(secret), `${kind} is in ${where}`);
    }
  }

  /** Values of masked columns, and the secrets. */
  const everything = (): ReadonlyMap<string, string> =>
    new Map([
      ...secrets,
      ...[...masked].map(([value, column], at) => [`${column} ${at}`, value] as const),
    ]);

  it('was handled at all', () => {
    const all = told.join('\n');
    assert.ok(all.includes('[REDACTED]') && all.includes('login failed'), all.slice(0, 2_000));
    assert.ok(masked.size > 500);
  });

  it('is not in what clients were told', () => search('an answer', told.join('\n'), everything()));

  it('is not in the log', () => search('the log', shop.gateway.log(), everything()));

  it('is not in the command line of the gateway', () => {
    search('argv', readFileSync(`/proc/${shop.gateway.pid}/cmdline`, 'latin1'), secrets);
  });

  it('is not in recordings, as they are read', async () => {
    const evidence = evidenceOf(shop.gateway.home);
    const summaries = await evidence.summaries();
    assert.ok(summaries.length >= 5);
    for (const { session } of summaries) {
      // What the client itself typed is there; masked values are not.
      search(`recording ${session}`, await evidence.text(session), everything());
    }
  });

  it('is in no file that the gateway keeps', () => {
    const { home } = shop.gateway;
    const files = readdirSync(home, { recursive: true, withFileTypes: true });
    let bytes = 0;
    for (const entry of files.filter((each) => each.isFile())) {
      const path = join(entry.parentPath, entry.name);
      const text = readFileSync(path, 'latin1');
      bytes += text.length;
      search(path.slice(home.length + 1), text, everything());
    }
    assert.ok(bytes > 10_000);
  });
});
