/** What one query shows: by the purpose of its session's grant, and by what an approval lifts. */
import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import pg from 'pg';
import { evidenceOf } from '../support/evidence.ts';
import { runPsql } from '../support/psql.ts';
import { exchange } from './calls.ts';
import { defaultPolicy, type Shop, startShop } from './shop.ts';

const QUERY = 'select name, ssn from customers where id = 1';
const masks = `
  - id: names
    columns: [public.customers.name]
    with: { fixed: somebody }
    unless: { purposes: [support] }
`;

const grant = (id: string, purpose?: string): Readonly<Record<string, unknown>> => ({
  id,
  identities: ['issuer:ci'],
  targets: ['shop'],
  accounts: ['app'],
  ...(purpose === undefined ? {} : { purpose }),
});

describe('masks by purpose', () => {
  let shop: Shop;
  before(async () => {
    shop = await startShop({
      policies: { 'default.yaml': defaultPolicy.replace('\ntests:', `${masks}\ntests:`) },
      gateway: {
        grants: [grant('plain'), grant('support', 'support'), grant('research', 'research')],
      },
    });
  });
  after(() => shop.stop());

  const seen = async (scope?: string, options?: string): Promise<string> => {
    const token = await shop.gateway.job('nightly');
    const password = await exchange(shop.gateway, token, 'app@shop', scope);
    const job = await shop.psqlAs('nightly', { password });
    const { stdout, stderr } = await runPsql(
      job,
      ...(options === undefined ? [] : [options]),
      QUERY,
    );
    assert.equal(stderr, '');
    return stdout.trim();
  };

  it('are those of the grant that the credential names', async () => {
    const clear = await shop.server.query('select name from customers where id = 1', 'shop');
    const name = String(clear[0]?.['name']);
    assert.equal(await seen(), 'somebody|[REDACTED]');
    assert.equal(await seen('purpose:research'), 'somebody|[REDACTED]');
    assert.equal(await seen('purpose:support'), `${name}|[REDACTED]`);
    assert.equal(await seen(), 'somebody|[REDACTED]', 'and of no other session');
  });

  it('are not what a client says of itself', async () => {
    const said = "set application_name = 'purpose:support'";
    assert.equal(await seen(undefined, said), 'somebody|[REDACTED]');
    await assert.rejects(seen('purpose:root'), /invalid_target/);
    await assert.rejects(seen('support'), /invalid_request/);
  });

  it('say in the evidence what they were for', async () => {
    const evidence = evidenceOf(shop.gateway.home);
    const told = evidence.events().flatMap(({ type, data }) => {
      return type === 'session.started'
        ? [`${String(data['grant'])} ${String(data['purpose'])}`]
        : [];
    });
    assert.ok(told.includes('support support') && told.includes('plain null'), told.join(', '));
    const subjects = await Promise.all(
      (await evidence.summaries()).map(({ session }) => evidence.archive.subject(session)),
    );
    const purposes = new Set(subjects.map(({ purpose }) => purpose));
    assert.deepEqual([...purposes].map(String).sort(), ['research', 'support', 'undefined']);
  });
});

describe('a mask that an approval lifts', () => {
  let shop: Shop;
  before(async () => {
    shop = await startShop({
      policies: { 'default.yaml': defaultPolicy.replace('\nmasks:', `${clearRule}\nmasks:`) },
      gateway: { grants: [grant('plain'), grant('support', 'support')] },
    });
  });
  after(() => shop.stop());

  const clearRule = `
  - id: clear-ssn
    match: { purposes: [support], protocols: [postgres] }
    when: facts.columns.exists(c, c.masked && c.name == 'public.customers.ssn')
    then: hold
    hold: { reviewers: [role:reviewer], mayLift: [customer-secrets, anywhere] }
`;
  const text = 'select ssn from customers where id = 1';
  const both = ['customer-secrets', 'anywhere'];
  let clear: string;

  const client = async (scope?: string): Promise<pg.Client> => {
    const token = await shop.gateway.job('agent');
    const password = await exchange(shop.gateway, token, 'app@shop', scope);
    const { port } = shop.gateway;
    const own = new pg.Client({
      host: '127.0.0.1',
      port,
      user: 'app@shop',
      password,
      database: 'shop',
    });
    await own.connect();
    return own;
  };

  /** Runs the query; the statement is held, and approved. */
  const approved = async (
    own: pg.Client,
    lift: readonly string[] | undefined,
    query: pg.QueryConfig = { text },
  ): Promise<unknown> => {
    const running = own.query(query);
    assert.equal(await shop.review(await shop.held(), 'approve', lift), 200);
    const { rows } = await running;
    return rows[0]?.ssn;
  };

  it('shows once what was masked before and is masked again', async () => {
    const rows = await shop.server.query(text, 'shop');
    clear = String(rows[0]?.['ssn']);
    const plain = await client();
    assert.equal((await plain.query(text)).rows[0]?.ssn, '[REDACTED]');
    const own = await client('purpose:support');
    assert.equal(await approved(own, undefined), '[REDACTED]');
    assert.equal(await approved(own, both), clear);
    assert.equal(await approved(own, undefined), '[REDACTED]');
    assert.equal((await plain.query(text)).rows[0]?.ssn, '[REDACTED]');
    await own.end();
    await plain.end();
  });

  it('does so for one execution of a prepared statement', async () => {
    const own = await client('purpose:support');
    const kept = { name: 'kept', text: 'select ssn from customers where id = $1', values: [1] };
    assert.equal(await approved(own, [], kept), '[REDACTED]');
    assert.equal(await approved(own, both, kept), clear);
    assert.equal(await approved(own, [], kept), '[REDACTED]');
    await own.end();
  });

  it('leaves every other mask on', async () => {
    const own = await client('purpose:support');
    const digits = await approved(own, ['customer-secrets']);
    assert.notEqual(digits, clear, 'it still looks like what a detector finds');
    const mixed = { text: "select ssn || ' ' || card as ssn from customers where id = 1" };
    assert.equal(await approved(own, ['anywhere'], mixed), '[REDACTED]');
    await own.end();
  });

  it('cannot be one that the rule does not name', async () => {
    const own = await client('purpose:support');
    const running = own.query(text);
    const hold = await shop.held();
    assert.equal(await shop.review(hold, 'approve', ['customer-email']), 400);
    assert.equal(await shop.review(hold, 'deny', both), 400);
    assert.equal(await shop.review(hold, 'deny'), 200);
    await assert.rejects(running, /a reviewer denied it/);
    await own.end();
  });

  it('is named in the recording and in the events, with who lifted it', async () => {
    const evidence = evidenceOf(shop.gateway.home);
    const events = evidence.events();
    const lifting = events.filter(({ data }) => Array.isArray(data['lift']));
    assert.deepEqual(new Set(lifting.map(({ actor }) => actor)), new Set(['staff/rita']));
    const judged = events.filter(({ data }) => Array.isArray(data['lifted']));
    assert.deepEqual(judged[0]?.data['lifted'], both);
    const recorded: string[] = [];
    for (const { session, state } of await evidence.summaries()) {
      if (state !== 'sealed') continue;
      for (const { verdict } of await evidence.commands(session)) {
        recorded.push(...(verdict?.liftedMasks ?? []));
      }
    }
    assert.ok(
      both.every((id) => recorded.includes(id)),
      recorded.join(),
    );
  });
});
