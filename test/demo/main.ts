/**
 * `npm run demo`: the story, played against a real gateway, a real PostgreSQL, a real host and, where
 * it can be had, a real cluster, without a person at the keyboard. A job whose owner has left still
 * holds its CI's identity; every step says what it tries and what came of it. Exit status 0 only if
 * all of it held.
 */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import {
  copyFileSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import pg from 'pg';
import { rightsSql, roleSql, shopSql } from '../../quickstart/shop.ts';
import { startGateway, type TestGateway } from '../support/gateway.ts';
import { startPostgres, type TestPostgres } from '../support/postgres.ts';
import { playHosts } from './hosts.ts';
import { playKubernetes } from './kubernetes.ts';
import { say, step } from './stage.ts';

const root = fileURLToPath(new URL('../..', import.meta.url));
const PASSWORD = 'demo-upstream-password';

interface Stage {
  readonly shop: TestPostgres;
  readonly gateway: TestGateway;
}

async function main(): Promise<void> {
  const shop = await startPostgres({
    version: 18,
    hba: ['host all all 127.0.0.1/32 scram-sha-256'],
  });
  await shop.query('create database shop');
  await shop.query(roleSql('app', PASSWORD));
  await shop.query(roleSql('readonly', PASSWORD));
  await shop.query(shopSql + rightsSql, 'shop');
  const gateway = await startGateway({
    targets: [
      {
        name: 'orders',
        host: shop.host,
        port: shop.port,
        accounts: ['app', 'readonly'].map((name) => ({ name, password: 'env:DEMO_PASSWORD' })),
      },
    ],
    policies: { 'default.yaml': readFileSync(join(root, 'policies/default.yaml'), 'utf8') },
    env: { DEMO_PASSWORD: PASSWORD },
  });
  try {
    await play({ shop, gateway });
  } finally {
    await gateway.stop();
    await shop.stop();
  }
}

async function play(stage: Stage): Promise<void> {
  const job = await connect(stage, 'app@orders');
  await step('A CI job connects with nothing but its OIDC token', async () => {
    const { rows } = await job.query(
      'select current_user as account, current_database() as database',
    );
    say(
      `psql "user=app@orders dbname=shop" with the token as password → ${JSON.stringify(rows[0])}`,
    );
    assert.equal(rows[0]?.account, 'app');
  });
  await step('It reads customers: what may not leave comes back masked', () => masked(stage, job));
  await step('It tries to drop the table, however it is spelt', () => drops(stage));
  await step('It deletes every order: held, and a reviewer approves exactly that', () =>
    approved(stage, job),
  );
  await step('It tries to empty the customers: held, and the reviewer says no', () =>
    denied(stage, job),
  );
  await step('The owner is offboarded: the job is locked in mid-query', () => locked(stage, job));
  await step('The responder replays the recording, and proves it', () => evidence(stage));
}

async function connect({ gateway }: Stage, user: string, options = ''): Promise<pg.Client> {
  const client = new pg.Client({
    host: '127.0.0.1',
    port: gateway.port,
    user,
    password: await gateway.job('nightly'),
    database: 'shop',
    ...(options === '' ? {} : { options }),
  });
  client.on('error', () => undefined);
  await client.connect();
  return client;
}

async function masked({ shop }: Stage, job: pg.Client): Promise<void> {
  const sql = 'select name, email, card, ssn from customers order by id limit 3';
  const real = await shop.query(sql, 'shop');
  const { rows } = await job.query(sql);
  rows.forEach((row, index) => {
    say(JSON.stringify(row));
    assert.equal(row.name, real[index]?.['name']);
    for (const column of ['email', 'card', 'ssn']) {
      assert.notEqual(row[column], real[index]?.[column], `${column} came out`);
    }
  });
  const sneaky = "select string_agg(reverse(c.ssn), ',') as x from (select * from customers) c";
  const answer = await job.query(sneaky).catch((error: pg.DatabaseError) => error);
  const shown = answer instanceof Error ? `${answer.code}: ${answer.message}` : answer.rows[0]?.x;
  say(`${sneaky}\n      → ${shown}`);
  const secret = String(real[0]?.['ssn']).split('').toReversed().join('');
  assert.ok(!JSON.stringify(shown).includes(secret), 'a masked value came out');
}

const DROPS: readonly string[] = [
  'drop table customers',
  'DrOp /* nothing */ TaBlE public . "customers" cascade',
  'select 1; drop table customers',
  "do $$ begin execute 'drop ' || 'table customers'; end $$",
  'explain analyze create table copy_of as select * from customers',
  'with gone as (delete from customers returning 1) select count(*) from gone',
  'alter table customers rename to c2',
];

async function drops(stage: Stage): Promise<void> {
  // This one asks not to wait where a person would have to decide.
  const hasty = await connect(stage, 'app@orders', '-c sallyport.hold=refuse');
  for (const sql of DROPS) {
    const error = await refused(hasty, sql);
    say(`${sql}\n      → ${error.code} ${error.message}`);
    assert.equal(error.code, '42501');
  }
  const prepared = await hasty
    .query({ name: 'sneaky', text: 'drop table customers', values: [] })
    .catch((error: pg.DatabaseError) => error);
  assert.ok(prepared instanceof Error);
  const { rows } = await hasty.query('select count(*)::int as customers from customers');
  say(`the session goes on: ${JSON.stringify(rows[0])}`);
  const real = await stage.shop.query('select count(*)::int as n from customers', 'shop');
  assert.equal(real[0]?.['n'], 200);
  await hasty.end();
}

/** Runs a statement that must fail. */
async function refused(job: pg.Client, sql: string): Promise<pg.DatabaseError> {
  const answer = await job.query(sql).then(
    () => undefined,
    (error: pg.DatabaseError) => error,
  );
  assert.ok(answer !== undefined, `it was let through: ${sql}`);
  return answer;
}

interface Held {
  readonly id: string;
}

/** Waits until a hold is listed, as the reviewer sees it. */
async function waitForHold({ gateway }: Stage, token: string, text: string): Promise<Held> {
  for (let attempt = 0; attempt < 200; attempt += 1) {
    const { body } = await gateway.call('GET', '/v1/holds', token);
    const holds = body['holds'];
    const found: unknown = Array.isArray(holds)
      ? holds.find((each) => JSON.stringify(each).includes(text))
      : undefined;
    if (typeof found === 'object' && found !== null && 'id' in found) {
      return { id: String(found.id) };
    }
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  throw new Error('no hold was opened');
}

async function approved(stage: Stage, job: pg.Client): Promise<void> {
  const rita = await stage.gateway.person('rita', ['dba']);
  const notices: string[] = [];
  job.on('notice', (notice) => notices.push(notice.message ?? ''));
  const running = job.query('delete from orders');
  // Awaited below; until then a failure is not to end the process unseen.
  running.catch(() => undefined);
  const hold = await waitForHold(stage, rita, 'delete from orders');
  say(`the job is told: ${notices[0]}`);
  assert.ok(notices[0]?.includes(hold.id));
  const own = await stage.gateway.call(
    'POST',
    `/v1/holds/${hold.id}/approve`,
    await stage.gateway.job('nightly'),
  );
  say(`the job approves itself → ${own.status}`);
  assert.equal(own.status, 403);
  const { status } = await stage.gateway.call('POST', `/v1/holds/${hold.id}/approve`, rita, {
    reason: 'end of season',
  });
  say(`rita approves → ${status}`);
  const { rowCount } = await running;
  say(`it ran: ${rowCount} rows`);
  assert.equal(rowCount, 1_000);
}

async function denied(stage: Stage, job: pg.Client): Promise<void> {
  const rita = await stage.gateway.person('rita', ['dba']);
  const running = refused(job, 'delete from customers where id = id');
  const hold = await waitForHold(stage, rita, 'id = id');
  await stage.gateway.call('POST', `/v1/holds/${hold.id}/deny`, rita, { reason: 'not today' });
  const error = await running;
  say(`→ ${error.code} ${error.message}`);
  const real = await stage.shop.query('select count(*)::int as n from customers', 'shop');
  assert.equal(real[0]?.['n'], 200);
}

async function locked(stage: Stage, job: pg.Client): Promise<void> {
  const admin = await stage.gateway.person('anna', ['admins']);
  const ended = new Promise<number>((resolve) => job.once('end', () => resolve(performance.now())));
  const running = refused(job, 'select count(*) from generate_series(1, 100000000000)');
  await new Promise((resolve) => setTimeout(resolve, 500));
  const locking = performance.now();
  const answer = await stage.gateway.call('POST', '/v1/locks', admin, {
    kind: 'owner',
    value: 'people/olga',
    reason: 'left the company',
  });
  assert.ok(answer.status < 300, JSON.stringify(answer));
  const error = await running;
  const ms = (await ended) - locking;
  say(`→ ${error.code} ${error.message}; the connection was gone after ${ms.toFixed(0)} ms`);
  assert.ok(ms < 2_000);
  const again = await connect(stage, 'app@orders').then(
    () => undefined,
    (failure: Error) => failure.message,
  );
  say(`a new login → ${again}`);
  assert.ok(again !== undefined);
}

/** The recording of the first session, once it is sealed: names sort by time. */
async function firstSealed(directory: string): Promise<string> {
  for (let attempt = 0; attempt < 200; attempt += 1) {
    const files = readdirSync(directory).filter((name) => name.includes('.sprec'));
    if (files.every((name) => name.endsWith('.sprec'))) return files.toSorted()[0] ?? '';
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  throw new Error('a recording was not sealed');
}

async function evidence({ gateway }: Stage): Promise<void> {
  const directory = join(gateway.home, 'recordings');
  const keys = join(gateway.home, 'keys');
  const file = await firstSealed(directory);
  const path = join(directory, file);
  const replayed = cli('recordings', 'replay', path);
  for (const line of replayed.output.split('\n').slice(0, 30)) say(line);
  assert.equal(replayed.status, 0);
  assert.ok(replayed.output.includes('delete from orders'));
  const good = cli('recordings', 'verify', path, '--keys', keys);
  say(good.output.trim());
  assert.equal(good.status, 0);
  const forged = join(mkdtempSync(join(tmpdir(), 'sp-demo-')), file);
  copyFileSync(path, forged);
  const bytes = readFileSync(forged);
  const at = Math.floor(bytes.length / 2);
  bytes[at] = (bytes[at] ?? 0) ^ 1;
  writeFileSync(forged, bytes);
  const bad = cli('recordings', 'verify', forged, '--keys', keys);
  say(`one bit changed at byte ${at} of ${bytes.length}:`);
  say(bad.output.trim());
  assert.notEqual(bad.status, 0);
  assert.match(bad.output, /block \d+/);
  rmSync(forged);
}

function cli(...args: string[]): { readonly status: number | null; readonly output: string } {
  const done = spawnSync(process.execPath, [join(root, 'src/main.ts'), ...args], {
    cwd: root,
    encoding: 'utf8',
  });
  return { status: done.status, output: done.stdout + done.stderr };
}

try {
  await main();
  await playHosts();
  await playKubernetes();
  console.log('\nAll of it held.');
} catch (thrown) {
  console.error('\nIt did not hold:', thrown);
  process.exitCode = 1;
}
