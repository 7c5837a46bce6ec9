import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { type ErrorCode, GatewayError } from '#core/errors.ts';
import { readStartupParameters } from './startup-parameters.ts';

const read = (sent: Readonly<Record<string, string>>) =>
  readStartupParameters(new Map(Object.entries({ user: 'readonly@orders', ...sent })));

const refuses = (sent: Readonly<Record<string, string>>, code: ErrorCode, says: RegExp): void =>
  assert.throws(
    () => read(sent),
    (thrown: unknown) => {
      assert.ok(thrown instanceof GatewayError);
      assert.equal(thrown.code, code, thrown.message);
      assert.match(thrown.message, says);
      return true;
    },
  );

describe('what a client may ask for at start-up', () => {
  it('is who it is, where it goes, and how values are shown', () => {
    const request = read({
      database: 'shop',
      application_name: 'psql',
      client_encoding: 'UTF8',
      DateStyle: 'ISO',
      TimeZone: 'Europe/Berlin',
      extra_float_digits: '2',
      options: '-c sallyport.hold=refuse -c IntervalStyle=iso_8601 --client-min-messages=warning',
    });
    assert.deepEqual(
      { ...request, parameters: Object.fromEntries(request.parameters) },
      {
        user: 'readonly@orders',
        database: 'shop',
        applicationName: 'psql',
        holdMode: 'refuse',
        credential: undefined,
        parameters: {
          application_name: 'psql',
          datestyle: 'ISO',
          timezone: 'Europe/Berlin',
          extra_float_digits: '2',
          intervalstyle: 'iso_8601',
          client_min_messages: 'warning',
        },
      },
    );
  });

  it('knows UTF8 by every name that drivers send', () => {
    for (const client_encoding of ['UTF8', 'utf8', 'UTF-8', "'utf-8'", 'unicode', 'UNICODE']) {
      assert.equal(read({ client_encoding }).parameters.has('client_encoding'), false);
    }
    for (const client_encoding of ['SJIS', 'LATIN1', 'SQL_ASCII', 'utf16', '', 'auto']) {
      refuses({ client_encoding }, 'SP_UNSUPPORTED', /client_encoding/);
    }
  });

  it('takes a database named like the user for none: libpq sends that by itself', () => {
    assert.equal(read({ database: 'readonly@orders' }).database, '');
    assert.equal(read({}).database, '');
  });

  it('takes the id of a credential, and no other text for one', () => {
    const options = '-c sallyport.credential=cred_01-AB';
    assert.equal(read({ options }).credential, 'cred_01-AB');
    assert.equal(read({ 'sallyport.credential': 'abc' }).credential, 'abc');
    for (const credential of ['', 'a b', 'a/b', 'x'.repeat(129)]) {
      refuses({ 'sallyport.credential': credential }, 'SP_BAD_REQUEST', /sallyport.credential/);
    }
  });

  it('is nothing that changes what a statement means or does', () => {
    for (const name of [
      'search_path',
      'role',
      'session_authorization',
      'backslash_quote',
      'default_transaction_read_only',
      'session_replication_role',
      'sallyport.anything',
      'constructor',
      '__proto__',
    ]) {
      const sent = new Map([
        ['user', 'x'],
        [name, 'on'],
      ]);
      assert.throws(() => readStartupParameters(sent), /cannot be set at start-up/);
      refuses({ options: `-c ${name}=on` }, 'SP_FORBIDDEN', /cannot be set/);
      refuses({ options: `--${name.toUpperCase()}=on` }, 'SP_FORBIDDEN', /cannot be set/);
    }
    refuses({ standard_conforming_strings: 'off' }, 'SP_BAD_REQUEST', /invalid value/);
    assert.equal(read({ standard_conforming_strings: 'on' }).parameters.size, 0);
  });

  it('is no replication', () => {
    for (const replication of ['true', 'on', '1', 'database', 'yes', 'TRUE', 'nonsense']) {
      refuses({ replication }, 'SP_UNSUPPORTED', /replication/);
    }
    assert.equal(read({ replication: 'false' }).user, 'readonly@orders');
  });

  it('is said once, and by somebody', () => {
    refuses({ TimeZone: 'UTC', timezone: 'UTC' }, 'SP_BAD_REQUEST', /twice/);
    refuses({ timezone: 'UTC', options: '-c timezone=UTC' }, 'SP_BAD_REQUEST', /twice/);
    refuses({ user: '' }, 'SP_BAD_REQUEST', /no PostgreSQL user name/);
    refuses({ user: 'x'.repeat(513) }, 'SP_BAD_REQUEST', /too long/);
    refuses({ application_name: 'x'.repeat(1025) }, 'SP_BAD_REQUEST', /invalid value/);
    refuses({ 'sallyport.hold': 'maybe' }, 'SP_BAD_REQUEST', /sallyport.hold/);
  });
});
