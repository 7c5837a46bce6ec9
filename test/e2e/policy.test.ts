/**
 * `sallyport policy` beside a running gateway: the real command line over the configuration, the
 * state, the target's catalogue and the recordings of an installation.
 */
import assert from 'node:assert/strict';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { Client } from 'pg';
import { type CliAnswer, sallyport } from '../support/cli.ts';
import { type Shop, startShop, UPSTREAM_PASSWORD } from './shop.ts';

const env = { SHOP_PASSWORD: UPSTREAM_PASSWORD };

describe('sallyport policy', () => {
  let shop: Shop;
  let config: string;
  before(async () => {
    shop = await startShop({ server: { settings: { log_connections: true } } });
    config = join(shop.gateway.home, 'sallyport.yaml');
    await work(shop);
  });
  after(() => shop.stop());

  const policy = (verb: string, args: readonly string[], input?: string): Promise<CliAnswer> =>
    sallyport(['policy', verb, '-c', config, ...args], {
      env,
      ...(input === undefined ? {} : { input }),
    });
  const explain = (args: readonly string[], input?: string): Promise<CliAnswer> =>
    policy('explain', ['--target', 'shop', '--namespace', 'shop', ...args], input);
  const file = (name: string, text: string): string => {
    const path = join(shop.gateway.home, name);
    writeFileSync(path, text);
    return path;
  };

  it('explains statements for a person, and answers with the verdict', async () => {
    const read = await explain(['--identity', 'ci/job-1', 'select email as e from customers']);
    assert.equal(read.status, 0, read.stderr);
    assert.match(read.stdout, /^ {2}allow by reads/m);
    assert.match(read.stdout, /^ {2}masked public\.customers\.email: return$/m);
    const few = await explain(["update orders set item = 'x' where amount > 5"]);
    assert.match(few.stdout, /^ {2}limit rowsAffected 100 by few-rows$/m);
    assert.equal((await explain(['drop table customers'])).status, 3);
    assert.equal((await explain(['select 1', 'delete from orders'])).status, 5);
  });

  it('answers a line for each line, in order, whatever is in them', async () => {
    const requests = [
      { id: 'plain', protocol: 'postgres', input: 'select count(*) from orders' },
      { id: 'masked', input: 'select upper(c.ssn) as x from customers c' },
      { id: 'copied', input: 'create table copy as select ssn from customers' },
      { id: 'two', input: 'select 1; delete from orders where true' },
      {
        id: 'frames',
        input: [
          { parse: { name: 's', sql: 'select card from customers where id = $1' } },
          { bind: { statement: 's', params: ['1'] } },
          { execute: {} },
          { sync: true },
        ],
      },
      {
        id: 'by name',
        input: [{ query: 'prepare p as delete from orders' }, { query: 'execute p' }],
      },
      { id: 'hidden', input: [{ query: 'set search_path = other' }, { query: 'select * from t' }] },
      { id: 'refused', input: 'select 1', startup: { options: '-c role=postgres' } },
      { id: 'nothing', input: '-- a comment' },
      { id: 'number', input: 7 },
      { id: 'nowhere', target: 'nowhere', input: 'select 1' },
    ];
    const lines = [...requests.map((each) => JSON.stringify(each)), '{', '', '"text"'];
    const answer = await explain(['--identity', 'ci/job-1', '-'], `${lines.join('\n')}\n`);
    assert.equal(answer.status, 1, answer.stderr);
    assert.equal(answer.stderr, '');
    const answers = answer.json();
    assert.deepEqual(
      answers.map(({ id, verdict, rule, error }) => [id, verdict ?? error, rule]),
      [
        ['plain', 'allow', 'reads'],
        ['masked', 'allow', 'reads'],
        ['copied', 'deny', 'schema-change'],
        ['two', 'hold', 'destructive'],
        ['frames', 'allow', 'reads'],
        ['by name', 'hold', 'destructive'],
        ['hidden', 'deny', 'not-understood'],
        ['refused', 'deny', 'not-understood'],
        ['nothing', 'allow', 'reads'],
        ['number', 'deny', 'not-understood'],
        ['nowhere', "no target 'nowhere'", undefined],
        [undefined, 'the line is not JSON', undefined],
        [undefined, 'Invalid input: expected object, received string', undefined],
      ],
    );
    const facts = (index: number): unknown => answers[index]?.['facts'];
    const masked = (index: number): unknown => Reflect.get(Object(facts(index)), 'columns');
    const column = { name: 'public.customers.ssn', masked: true };
    assert.deepEqual(masked(0), []);
    assert.deepEqual(masked(1), [{ ...column, use: 'return' }]);
    assert.deepEqual(masked(4), [{ ...column, name: 'public.customers.card', use: 'return' }]);
  });

  it('streams thousands of lines over one reading of the catalogue', async () => {
    const count = 3_000;
    const before = logins(shop);
    const lines = Array.from({ length: count }, (_, id) =>
      JSON.stringify({ id, input: `select o${id % 50}.id from orders o${id % 50}` }),
    );
    const answer = await explain(['--identity', 'ci/job-1'], lines.join('\n'));
    assert.equal(answer.status, 0, answer.stderr);
    assert.deepEqual(
      answer.json().map(({ id, verdict }) => [id, verdict]),
      Array.from({ length: count }, (_, id) => [id, 'allow']),
    );
    assert.equal(logins(shop) - before, 1);
  });

  it('knows the identities that the gateway has seen, with what rules ask about them', async () => {
    const candidate = file(
      'of-olga.yaml',
      'rules: [{ id: of-olga, then: allow, match: { identities: ["owner:people/olga"] } }]',
    );
    const lines = [
      { id: 'seen', identity: 'ci/job-1' },
      { id: 'unseen', identity: 'ci/ghost' },
      { id: 'told', identity: { id: 'ci/ghost', owner: 'people/olga' } },
    ].map((each) => JSON.stringify({ ...each, input: 'select 1' }));
    const answer = await explain(['--policy', candidate, '-'], lines.join('\n'));
    assert.deepEqual(
      answer.json().map(({ id, verdict, identityKnown }) => [id, verdict, identityKnown]),
      [
        ['seen', 'allow', undefined],
        ['unseen', 'deny', false],
        ['told', 'allow', undefined],
      ],
    );
  });

  it('is opaque, and says so, where the catalogue cannot be read', async () => {
    const answer = await explain(['--namespace', 'nowhere', '--json', 'select 1', 'select 2']);
    assert.equal(answer.status, 1);
    assert.match(answer.stderr, /^the catalogue of 'shop' cannot be read as 'app': .*--namespace/);
    assert.equal(answer.stderr.trimEnd().split('\n').length, 1);
    for (const { verdict, facts } of answer.json()) {
      assert.equal(verdict, 'deny');
      const { analysis, reasons } = Object(facts);
      assert.equal(analysis, 'opaque');
      assert.match(String(reasons), /the catalogue of 'shop' cannot be read/);
    }
    assert.equal(answer.stdout.includes(UPSTREAM_PASSWORD), false);
  });

  it('checks and tests files, and those of the configuration', async () => {
    const good = await policy('check', []);
    assert.equal(good.status, 0, good.stderr);
    assert.match(good.stdout, /^ok: \d+ rules, \d+ masks, \d+ tests; /);
    const bad = file('bad.yaml', 'rules: [{ id: a, then: allow, match: { targets: shpo } }]');
    const refused = await policy('check', [bad, '--json']);
    assert.equal(refused.status, 1);
    assert.match(refused.stdout, /"ok":false.*shpo.*did you mean 'shop'/);
    const tests = await policy('test', []);
    assert.equal(tests.status, 0, tests.stderr);
    const cases = file(
      'cases.yaml',
      `rules:
  - { id: reads, then: allow, when: "facts.effects.all(e, e == 'read')" }
masks: [{ id: ssn, columns: [public.customers.ssn], with: redact }]
tests:
  - { name: a read, command: { target: shop, input: select 1 }, expect: allow }
  - { name: a drop, command: { target: shop, input: drop table orders }, expect: allow }
`,
    );
    await shop.server.query('alter role app set search_path = public');
    await shop.server.query('create database app');
    const failed = await policy('test', [cases]);
    assert.equal(failed.status, 1, failed.stderr);
    assert.match(
      failed.stdout,
      /^FAIL .*cases\.yaml:6 a drop: expected allow, got deny by default$/m,
    );
    assert.match(failed.stdout, / passed, 1 failed$/m);
  });

  it('decides what was recorded again, and says what would change', async () => {
    const same = await policy('simulate', ['--since', '1h']);
    assert.equal(same.status, 0, same.stderr);
    assert.equal(same.stdout, '');
    assert.match(same.stderr, /^\d+ commands; nothing would change$/m);
    const candidate = file(
      'candidate.yaml',
      `rules:
  - id: no-jobs-of-olga-on-production
    then: deny
    match: { identities: ["owner:people/olga"], targets: { env: prod } }
    when: "'delete' in facts.effects"
  - { id: drops, then: allow, when: "'drop' in facts.effects" }
  - { id: reads, then: allow, when: "facts.effects.all(e, e in ['read', 'transaction'])" }
`,
    );
    const changed = await policy('simulate', ['--since', '1h', '--json', candidate]);
    assert.equal(changed.status, 0, changed.stderr);
    const found = changed.json().map(({ identity, target, text, before, after }) => ({
      where: [identity, target].join(' at '),
      text,
      change: [before, after].map((each) => `${Object(each).outcome} ${Object(each).rule}`),
    }));
    assert.deepEqual(found, [
      {
        where: 'ci/job-1 at shop',
        text: 'drop table customers',
        change: ['deny schema-change', 'allow drops'],
      },
      {
        where: 'ci/job-1 at shop',
        text: 'delete from orders where id = 1',
        change: ['allow bounded-writes', 'deny no-jobs-of-olga-on-production'],
      },
    ]);
    assert.match(changed.stderr, /^\d+ commands; 1 deny → allow, 1 allow → deny$/m);
    const later = await policy('simulate', ['--since', '2100-01-01T00:00:00Z', candidate]);
    assert.match(later.stderr, /^0 commands; nothing would change$/m);
    assert.equal((await policy('simulate', ['--since', 'never'])).status, 2);
    const readings = readFileSync(join(shop.gateway.home, 'recordings/readings.ndjson'), 'utf8');
    const [first = ''] = readings.split('\n');
    assert.equal(JSON.parse(first).type, 'recording.read');
  });
});

/** One session of a job: reads, a denial, a bounded write. */
async function work(shop: Shop): Promise<void> {
  const { port, user, password, database } = await shop.psqlAs('job-1');
  const client = new Client({ host: '127.0.0.1', port, user, password, database });
  await client.connect();
  await client.query('select name, ssn from customers where id < 3');
  await assert.rejects(client.query('drop table customers'), { code: '42501' });
  await client.query('delete from orders where id = 1');
  await client.end();
}

/** How often the gateway logged in at the server for itself. */
const logins = ({ server }: Shop): number =>
  server.log().split('application_name=sallyport').length - 1;
