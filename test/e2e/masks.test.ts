/** What one query shows: by the purpose of the grant that lets its session in. */
import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
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
