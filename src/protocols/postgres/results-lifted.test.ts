/** A mask that an approval lifted for one statement: in the clear once, and nowhere else. */
import assert from 'node:assert/strict';
import { after, afterEach, before, describe, it } from 'node:test';
import { systemClock } from '#core/clock.ts';
import { defaultLimits } from '#core/limits.ts';
import { startPostgres, type TestPostgres } from '../../../test/support/postgres.ts';
import { RawClient, type RawMessage, rowsOf } from '../../../test/support/raw-client.ts';
import { type Answer, masksOn, startRelay, type TestRelay } from '../../../test/support/relay.ts';
import { frontend } from './codec/messages.ts';
import { encodeBare, encodeBind, encodeExecute, encodeParse, encodeQuery } from './codec/write.ts';
import { createSqlAnalyser, type RunningAnalyser } from './sql/analyser.ts';

const sync = encodeBare(frontend.sync);
const SSN = 'public.people.ssn';
const redact = { kind: 'redact' } as const;
const masks = masksOn({ [SSN]: redact, 'public.people.card': redact });

let server: TestPostgres;
let analyser: RunningAnalyser;
let relay: TestRelay;
let client: RawClient;
/** What the permits of the executions to come lift, in order; nothing for those behind. */
const lifts: (readonly string[])[] = [];

before(async () => {
  server = await startPostgres({ version: 18 });
  await server.query(`
    CREATE TABLE people (id int PRIMARY KEY, ssn text, card text);
    INSERT INTO people VALUES (1, 'ssn-1', 'card-1'), (2, 'ssn-2', 'card-2');
    CREATE VIEW everybody AS SELECT id, ssn AS number, card FROM people`);
  analyser = await createSqlAnalyser({ clock: systemClock, limits: defaultLimits });
  const { host, port, superuser: username } = server;
  const judge = ({ kind }: { readonly kind: string }): Answer => {
    const lift = kind === 'execute' ? lifts.shift() : undefined;
    return lift === undefined ? 'allow' : { refused: false, lift };
  };
  relay = await startRelay({ host, port, username, analyser, judge, masks: () => masks });
  client = await RawClient.login(relay.port);
});
afterEach(() => {
  lifts.length = 0;
});
after(async () => {
  client.destroy();
  await relay.stop();
  await analyser.close();
  await server.stop();
});

async function query(text: string, ...lifted: readonly (readonly string[])[]): Promise<string> {
  lifts.push(...lifted);
  client.send(encodeQuery(text));
  return shown(await client.ready());
}

const shown = (messages: readonly RawMessage[]): string =>
  rowsOf(messages)
    .map((row) => row.join('|'))
    .join(' ');

const copied = async (text: string, lift: readonly string[]): Promise<string> => {
  lifts.push(lift);
  client.send(encodeQuery(text));
  const data = (await client.ready()).filter(({ type }) => type === 'd');
  return data.map(({ bytes }) => Buffer.from(bytes.subarray(5)).toString()).join('');
};

describe('a lifted mask', () => {
  it('shows its column, however it is spelt, and no other', async () => {
    const ssn = [SSN];
    assert.equal(await query('SELECT ssn, card FROM people WHERE id = 1', ssn), 'ssn-1|[redacted]');
    assert.equal(await query('SELECT upper(ssn) FROM people WHERE id = 1', ssn), 'SSN-1');
    assert.equal(await query('SELECT number FROM everybody WHERE id = 1', ssn), 'ssn-1');
    assert.equal(await query('SELECT ssn || card FROM people WHERE id = 1', ssn), '[redacted]');
    assert.equal(await query('SELECT p FROM people p WHERE id = 1', ssn), 'NULL');
    const both = [SSN, 'public.people.card'];
    assert.equal(await query('SELECT ssn || card FROM people WHERE id = 1', both), 'ssn-1card-1');
    assert.equal(await query('SELECT ssn FROM people WHERE id = 1', ['nothing']), '[redacted]');
  });

  it('is lifted for one statement: not for the next, nor for its neighbour', async () => {
    const text = 'SELECT ssn FROM people WHERE id = 1';
    assert.equal(await query(text), '[redacted]');
    assert.equal(await query(text, [SSN]), 'ssn-1');
    assert.equal(await query(text), '[redacted]');
    assert.equal(
      await query(`${text}; ${text}; ${text}`, [], [SSN]),
      '[redacted] ssn-1 [redacted]',
    );
  });

  it('is lifted for one execution of a prepared statement', async () => {
    client.send(encodeParse('p', 'SELECT ssn FROM people ORDER BY id'), sync);
    await client.ready();
    const execute = async (lift?: readonly string[]): Promise<string> => {
      if (lift !== undefined) lifts.push(lift);
      client.send(encodeBind({ statement: 'p' }), encodeExecute(''), sync);
      return shown(await client.ready());
    };
    assert.equal(await execute(), '[redacted] [redacted]');
    assert.equal(await execute([SSN]), 'ssn-1 ssn-2');
    assert.equal(await execute(), '[redacted] [redacted]');
  });

  it('is not lifted for a cursor that it was opened with', async () => {
    await query('BEGIN; DECLARE c CURSOR FOR SELECT ssn FROM people', [], [SSN]);
    assert.equal(await query('FETCH 1 FROM c'), '[redacted]');
    assert.equal(await query('FETCH 1 FROM c', [SSN]), 'ssn-2');
    assert.equal(await query('COMMIT'), '');
  });

  it('is masked again when a portal is judged again and nothing is lifted', async () => {
    lifts.push([], [SSN]);
    client.send(
      encodeQuery('BEGIN'),
      encodeParse('', 'SELECT ssn FROM people ORDER BY id'),
      encodeBind({ portal: 'x' }),
      encodeExecute('x', 1),
      sync,
    );
    await client.ready();
    assert.equal(shown(await client.ready()), 'ssn-1');
    relay.bumpEpoch();
    client.send(encodeExecute('x', 1), sync);
    assert.equal(shown(await client.ready()), '[redacted]');
    await query('COMMIT');
  });

  it('is lifted for a COPY', async () => {
    const text = 'COPY (SELECT ssn, card FROM people WHERE id = 1) TO STDOUT';
    assert.equal(await copied(text, [SSN]), 'ssn-1\t[redacted]\n');
    assert.equal(await copied(text, []), '[redacted]\t[redacted]\n');
  });
});
