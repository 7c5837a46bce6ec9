/** Masks on a real server's results, whatever the way by which a client asks for them. */
import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import pg from 'pg';
import { systemClock } from '#core/clock.ts';
import { defaultLimits } from '#core/limits.ts';
import { startPostgres, type TestPostgres } from '../../../test/support/postgres.ts';
import {
  fieldsOf,
  letters,
  RawClient,
  type RawMessage,
  rowsOf,
} from '../../../test/support/raw-client.ts';
import { masksOn, startRelay, type TestRelay } from '../../../test/support/relay.ts';
import { frontend } from './codec/messages.ts';
import {
  encodeBare,
  encodeBind,
  encodeDescribe,
  encodeExecute,
  encodeParse,
  encodeQuery,
} from './codec/write.ts';
import { createSqlAnalyser, type RunningAnalyser } from './sql/analyser.ts';

const CANARY = 'canary-078-05-1120';
const sync = encodeBare(frontend.sync);
const masks = masksOn({
  'public.people.ssn': { kind: 'redact' },
  'public.people.email': { kind: 'partial', keepStart: 0, keepEnd: 4, keepDomain: false },
  'public.people.salary': { kind: 'redact' },
  'public.people.born': { kind: 'redact' },
  'public.people.tags': { kind: 'redact' },
  'public.people.extra': { kind: 'redact' },
});

let server: TestPostgres;
let analyser: RunningAnalyser;
let relay: TestRelay;
let client: RawClient;

before(async () => {
  server = await startPostgres({ version: 18 });
  await server.query(`
    CREATE TABLE people (id int PRIMARY KEY, name text, ssn text UNIQUE, email text,
      salary int8, born date, tags text[], extra jsonb);
    INSERT INTO people VALUES
      (1, 'Ann', '${CANARY}', 'ann@${CANARY}.test', 4242424242, '1969-07-20',
       '{${CANARY},x}', '{"k": "${CANARY}"}'),
      (2, 'Bob', NULL, NULL, NULL, NULL, NULL, NULL);
    CREATE VIEW everybody AS SELECT id, name, ssn AS number FROM people;
    CREATE TABLE plain (id int, note text);
    INSERT INTO plain VALUES (1, 'hello')`);
  analyser = await createSqlAnalyser({ clock: systemClock, limits: defaultLimits });
  const { host, port, superuser } = server;
  relay = await startRelay({ host, port, username: superuser, analyser, masks: () => masks });
  client = await RawClient.login(relay.port);
});
after(async () => {
  client.destroy();
  await relay.stop();
  await analyser.close();
  await server.stop();
});

async function query(text: string): Promise<readonly RawMessage[]> {
  client.send(encodeQuery(text));
  return safe(await client.ready());
}

/** Fails when a masked value is anywhere in the messages. */
function safe(messages: readonly RawMessage[]): readonly RawMessage[] {
  const all = Buffer.concat(messages.map(({ bytes }) => bytes));
  assert.equal(all.includes('canary'), false, all.toString('latin1'));
  assert.equal(all.includes('4242424242'), false);
  assert.equal(all.includes('1969-07-20'), false);
  return messages;
}

describe('masks', () => {
  it('change the cells of their columns and no others', async () => {
    assert.deepEqual(rowsOf(await query('SELECT * FROM people ORDER BY id')), [
      ['1', 'Ann', '[redacted]', '***********************test', '0', '1970-01-01', '{}', 'null'],
      ['2', 'Bob', 'NULL', 'NULL', 'NULL', 'NULL', 'NULL', 'NULL'],
    ]);
    assert.deepEqual(rowsOf(await query('SELECT id, name FROM people ORDER BY id')), [
      ['1', 'Ann'],
      ['2', 'Bob'],
    ]);
    assert.deepEqual(rowsOf(await query('SELECT note, id FROM plain')), [['hello', '1']]);
    assert.deepEqual(rowsOf(await query('SELECT p, 1 FROM plain p')), [['(1,hello)', '1']]);
    assert.deepEqual(rowsOf(await query('SELECT p FROM people p')), [['NULL'], ['NULL']]);
    assert.deepEqual(rowsOf(await query('SELECT count(*) FROM people')), [['2']]);
  });

  it('follow a value through expressions, views, set operations and functions', async () => {
    for (const text of [
      'SELECT upper(ssn) FROM people',
      'SELECT ssn || $$$$ AS x FROM people',
      'SELECT substr(ssn, 1, 6) FROM people',
      'SELECT number FROM everybody',
      'SELECT p FROM people p',
      'SELECT p::text FROM people p',
      'SELECT row_to_json(p) FROM people p',
      'SELECT ssn FROM people UNION ALL SELECT note FROM plain',
      'WITH w AS (SELECT ssn AS s FROM people) SELECT s FROM w',
      'SELECT (SELECT max(ssn) FROM people)',
      'SELECT string_agg(ssn, $$,$$) FROM people',
      'SELECT array_agg(ssn) FROM people',
      'SELECT x FROM (SELECT ssn AS x FROM people OFFSET 0) q',
      'SELECT extra->>$$k$$ FROM people',
      'SELECT unnest(tags) FROM people',
      'SELECT query_to_xml($$SELECT ssn FROM people$$, true, true, $$$$)',
      'TABLE people',
      'UPDATE people SET name = name RETURNING ssn',
      'SELECT CASE WHEN id = 1 THEN ssn END FROM people',
      'EXPLAIN (FORMAT JSON) SELECT * FROM people WHERE ssn = $$x$$',
    ]) {
      const messages = await query(text);
      assert.match(letters(messages), /^T.*CZ$/, `${text}: ${fieldsOf(messages)['M']}`);
    }
  });

  it('hold in binary, with and without a description that the client asks for', async () => {
    const text = 'SELECT id, ssn, salary, born, tags, extra FROM people ORDER BY id';
    client.send(
      encodeParse('b', text),
      encodeBind({ statement: 'b', resultFormats: [1] }),
      encodeDescribe('P', ''),
      encodeExecute(''),
      sync,
      encodeBind({ statement: 'b', resultFormats: [1] }),
      encodeExecute(''),
      sync,
    );
    const first = safe(await client.ready());
    assert.equal(letters(first), '12TDDCZ');
    const second = safe(await client.ready());
    assert.equal(letters(second), '2DDCZ');
    assert.equal(rowsOf(second)[0]?.[1], '[redacted]');
    assert.equal(rowsOf(second)[0]?.[2], '\0'.repeat(8));
    // No description at all: the gateway asks for one and keeps its answer to itself.
    const other = await RawClient.login(relay.port);
    other.send(
      encodeParse('', text),
      encodeBind({ resultFormats: [0, 1, 0, 1, 0, 1] }),
      encodeExecute('', 1),
      sync,
    );
    const third = safe(await other.ready());
    assert.equal(letters(third), '12DsZ');
    assert.equal(rowsOf(third)[0]?.[1], '[redacted]');
    other.destroy();
  });

  it('hold for prepared statements and cursors of SQL, also binary ones', async () => {
    await query('PREPARE p AS SELECT ssn FROM people ORDER BY id');
    assert.deepEqual(rowsOf(await query('EXECUTE p')), [['[redacted]'], ['NULL']]);
    await query('BEGIN; DECLARE c CURSOR FOR SELECT ssn FROM people ORDER BY id');
    assert.deepEqual(rowsOf(await query('FETCH 1 FROM c')), [['[redacted]']]);
    await query('DECLARE b BINARY CURSOR FOR SELECT salary, ssn FROM people ORDER BY id');
    assert.deepEqual(rowsOf(await query('FETCH 1 FROM b')), [['\0'.repeat(8), '[redacted]']]);
    await query('DECLARE d CURSOR FOR SELECT ssn FROM people ORDER BY id');
    client.send(encodeExecute('d'), sync);
    assert.deepEqual(rowsOf(safe(await client.ready())), [['[redacted]'], ['NULL']]);
    client.send(encodeParse('', 'FETCH ALL FROM c'), encodeBind({}), encodeExecute(''), sync);
    assert.deepEqual(rowsOf(safe(await client.ready())), [['NULL']]);
    await query('COMMIT');
  });

  it('hold for COPY in every format', async () => {
    for (const copy of [
      'COPY people TO STDOUT',
      'COPY people (id, ssn) TO STDOUT (FORMAT csv, HEADER)',
      'COPY (SELECT ssn, id FROM people) TO STDOUT (FORMAT binary)',
      "COPY (SELECT upper(ssn) FROM people) TO STDOUT (FORMAT csv, DELIMITER ';', QUOTE '''')",
    ]) {
      const messages = await query(copy);
      assert.match(letters(messages), /^Hd+cCZ$/, copy);
    }
    const data = (await query('COPY people (id, name, ssn) TO STDOUT'))
      .filter(({ type }) => type === 'd')
      .map(({ bytes }) => Buffer.from(bytes.subarray(5)).toString());
    assert.deepEqual(data, ['1\tAnn\t[redacted]\n', '2\tBob\t\\N\n']);
  });

  it('say nothing of a computed value, not even whether it is NULL', async () => {
    const asked = `SELECT substring(ssn from '^canary'), length(ssn), born + 1,
      born::timestamptz FROM people ORDER BY id`;
    const computed = ['[redacted]', '0', '1970-01-01', '1970-01-01 00:00:00+00'];
    assert.deepEqual(rowsOf(await query(asked)), [computed, computed]);
    const outputs = async (format: string): Promise<readonly string[]> =>
      (await query(`COPY (${asked}) TO STDOUT (FORMAT ${format})`))
        .filter(({ type }) => type === 'd')
        .map(({ bytes }) => Buffer.from(bytes.subarray(5)).toString('hex'));
    for (const format of ['text', 'csv', 'binary']) {
      const [first = '', second] = await outputs(format);
      // The first message of the binary format has its header before its row.
      assert.ok(second !== undefined && first.endsWith(second), format);
    }
  });

  it('tell nobody whether a value is the one that was named NULL', async () => {
    const messages = await query(`COPY people (ssn) TO STDOUT (NULL '${CANARY}')`);
    const data = messages
      .filter(({ type }) => type === 'd')
      .map(({ bytes }) => Buffer.from(bytes.subarray(5)).toString());
    assert.deepEqual(data, ['[redacted]\n', '[redacted]\n']);
  });

  it('hold for errors and notices', async () => {
    for (const text of [
      'SELECT ssn::int FROM people WHERE id = 1',
      `INSERT INTO people (id, ssn) VALUES (3, '${CANARY}')`,
      'INSERT INTO people (id, ssn) SELECT 4, ssn FROM people WHERE id = 1',
    ]) {
      const messages = await query(text);
      assert.match(fieldsOf(messages)['M'] ?? '', /its text was withheld/, text);
    }
  });

  it('leave node-postgres a working driver', async () => {
    const own = new pg.Client({
      host: '127.0.0.1',
      port: relay.port,
      user: 'postgres',
      password: 'x',
      database: 'postgres',
    });
    await own.connect();
    for (const binary of [false, true]) {
      for (const name of ['one', 'one']) {
        const asked: pg.QueryConfig & { readonly binary: boolean } = {
          name: `${name}${binary}`,
          text: 'SELECT id, ssn, born, extra, tags FROM people WHERE id = $1',
          values: [1],
          binary,
        };
        const { rows } = await own.query(asked);
        assert.equal(rows.length, 1);
        assert.equal(JSON.stringify(rows).includes('canary'), false);
        assert.equal(rows[0]?.ssn, '[redacted]');
      }
    }
    await own.end();
  });
});
