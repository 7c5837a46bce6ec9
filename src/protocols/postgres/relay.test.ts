import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import pg from 'pg';
import { systemClock } from '#core/clock.ts';
import { defaultLimits } from '#core/limits.ts';
import type { Refusal } from '#core/verdict.ts';
import { tableAnalyser } from '../../../test/support/analyser.ts';
import { type TestPostgres, startPostgres } from '../../../test/support/postgres.ts';
import {
  fieldsOf,
  letters,
  RawClient,
  rowsOf,
  statusOf,
} from '../../../test/support/raw-client.ts';
import { type RelayOptions, startRelay, type TestRelay } from '../../../test/support/relay.ts';
import { until } from '../../../test/support/until.ts';
import { frontend } from './codec/messages.ts';
import {
  encodeBare,
  encodeBind,
  encodeCancelRequest,
  encodeClose,
  encodeDescribe,
  encodeExecute,
  encodeParse,
  encodeQuery,
  MessageWriter,
} from './codec/write.ts';
import { refuse } from './refusal.ts';
import { CatalogueCache } from './sql/catalogue-cache.ts';

const sync = encodeBare(frontend.sync);
const flush = encodeBare(frontend.flush);
const denied: Refusal = {
  ...refuse('SP_POLICY_DENIED', 'not on a Sunday', 'Ask the owners.'),
  rule: 'sundays',
};
/** Every text that names the table `forbidden` is denied. */
const judge: NonNullable<RelayOptions['judge']> = (command) =>
  command.text.includes('forbidden') ? denied : 'allow';

let server: TestPostgres;
let relay: TestRelay;

before(async () => {
  server = await startPostgres({ version: 18 });
  await server.query('CREATE TABLE forbidden (id int); CREATE TABLE kept (id int, note text)');
});
after(() => server.stop());

async function withRelay(
  options: Partial<RelayOptions>,
  run: (relay: TestRelay) => Promise<void>,
): Promise<void> {
  const { host, port, superuser } = server;
  const own = await startRelay({ host, port, username: superuser, judge, ...options });
  try {
    await run(own);
  } finally {
    await own.stop();
  }
}

describe('a session', () => {
  before(async () => {
    const { host, port, superuser } = server;
    relay = await startRelay({ host, port, username: superuser, judge });
  });
  after(() => relay.stop());

  const login = (): Promise<RawClient> => RawClient.login(relay.port);

  it('serves node-postgres in text and binary, simple and extended', async () => {
    const client = new pg.Client({
      host: '127.0.0.1',
      port: relay.port,
      user: 'postgres',
      password: 'x',
      database: 'postgres',
    });
    await client.connect();
    assert.deepEqual((await client.query('SELECT 1 AS one')).rows, [{ one: 1 }]);
    for (const binary of [false, true]) {
      const query = { name: `q${binary}`, text: 'SELECT $1::int AS n, $2::text AS t', binary };
      for (const n of [1, 2]) {
        const { rows } = await client.query({ ...query, values: [n, 'x'] });
        assert.deepEqual(rows, [{ n, t: 'x' }]);
      }
    }
    await assert.rejects(client.query('SELECT * FROM forbidden'), { code: '42501' });
    await assert.rejects(client.query('SELECT * FROM forbidden WHERE id = $1', [1]), {
      code: '42501',
      detail: 'Rule: sundays. Code: SP_POLICY_DENIED.',
      hint: 'Ask the owners.',
    });
    assert.deepEqual((await client.query('SELECT $1::int AS n', [3])).rows, [{ n: 3 }]);
    await client.end();
  });

  it('answers a denied simple query itself when nothing else goes on', async () => {
    const client = await login();
    client.send(encodeQuery('DELETE FROM forbidden'));
    const messages = await client.ready();
    assert.equal(letters(messages), 'EZ');
    assert.equal(statusOf(messages), 'I');
    assert.equal(fieldsOf(messages)['M'], 'sallyport: denied by policy: not on a Sunday');
    assert.equal(server.log().includes('forbidden'), false);
    client.destroy();
  });

  it('refuses a whole text when one of its statements is denied', async () => {
    const client = await login();
    client.send(encodeQuery('INSERT INTO kept VALUES (1); DELETE FROM forbidden'));
    assert.equal(letters(await client.ready()), 'EZ');
    client.send(encodeQuery('SELECT count(*) FROM kept WHERE id = 1'));
    assert.deepEqual(rowsOf(await client.ready()), [['0']]);
    assert.equal(relay.marks.at(-1)?.kind, 'not-forwarded');
    const did = relay.sent.some(({ text }) => text.startsWith('INSERT INTO kept VALUES (1)'));
    assert.equal(did, false, 'it does not count as done');
    assert.match(relay.sent.at(-1)?.text ?? '', /^SELECT count/);
    client.destroy();
  });

  it('fails the transaction on both sides with a denial in it', async () => {
    const client = await login();
    client.send(encodeQuery('BEGIN'));
    assert.equal(statusOf(await client.ready()), 'T');
    client.send(encodeQuery('INSERT INTO kept VALUES (2)'));
    await client.ready();
    client.send(encodeQuery('SELECT * FROM forbidden'));
    const refused = await client.ready();
    assert.equal(letters(refused), 'EZ');
    assert.equal(statusOf(refused), 'E');
    assert.equal(fieldsOf(refused)['C'], '42501');
    client.send(encodeQuery('SELECT 1'));
    assert.equal(fieldsOf(await client.ready())['C'], '25P02');
    // Denied in a transaction that has failed already: still the refusal, still failed.
    client.send(encodeQuery('SELECT * FROM forbidden'));
    assert.equal(fieldsOf(await client.ready())['C'], '42501');
    client.send(encodeQuery('COMMIT'));
    assert.equal(statusOf(await client.ready()), 'I');
    client.send(encodeQuery('SELECT count(*) FROM kept WHERE id = 2'));
    assert.deepEqual(rowsOf(await client.ready()), [['0']]);
    client.destroy();
  });

  it('keeps a pipeline aligned around a denial in its middle', async () => {
    const client = await login();
    const run = (text: string): Uint8Array[] => [
      encodeParse('', text),
      encodeBind({}),
      encodeDescribe('P', ''),
      encodeExecute(''),
      sync,
    ];
    client.send(
      ...run('SELECT 1'),
      ...run('SELECT * FROM forbidden'),
      ...run('SELECT 3'),
      encodeQuery('SELECT * FROM forbidden'),
      encodeQuery('SELECT 5'),
    );
    assert.equal(letters(await client.ready()), '12TDCZ');
    const second = await client.ready();
    assert.equal(letters(second), 'EZ');
    assert.equal(fieldsOf(second)['C'], '42501');
    assert.deepEqual(rowsOf(await client.ready()), [['3']]);
    assert.equal(letters(await client.ready()), 'EZ');
    assert.deepEqual(rowsOf(await client.ready()), [['5']]);
    client.destroy();
  });

  it('skips the rest of a segment after a denial, as the server does', async () => {
    const client = await login();
    client.send(
      encodeParse('s', 'SELECT * FROM forbidden'),
      encodeBind({ statement: 's' }),
      encodeExecute(''),
      encodeParse('t', 'SELECT 4'),
      sync,
      encodeBind({ statement: 't' }),
      sync,
    );
    assert.equal(letters(await client.ready()), 'EZ');
    const second = await client.ready();
    assert.equal(letters(second), 'EZ');
    assert.match(fieldsOf(second)['M'] ?? '', /not known/);
    client.destroy();
  });

  it('keeps the unnamed statement when its second execution is denied', async () => {
    const client = await login();
    let deny = false;
    await withRelay({ judge: () => (deny ? denied : 'allow') }, async (own) => {
      const other = await RawClient.login(own.port);
      other.send(encodeParse('', 'SELECT 7'), encodeBind({}), encodeExecute(''), sync);
      assert.equal(letters(await other.ready()), '12DCZ');
      deny = true;
      other.send(encodeBind({}), encodeExecute(''), sync);
      assert.equal(letters(await other.ready()), 'EZ');
      deny = false;
      other.send(encodeBind({}), encodeExecute(''), sync);
      assert.equal(letters(await other.ready()), '2DCZ');
      other.destroy();
    });
    client.destroy();
  });

  it('does not take the text of a Parse that the server skipped', async () => {
    const client = await login();
    client.send(encodeParse('s1', 'SELECT 1'), sync);
    await client.ready();
    client.send(
      encodeParse('', 'SELEC'),
      encodeClose('S', 's1'),
      encodeParse('s1', 'SELECT 2'),
      sync,
    );
    assert.equal(letters(await client.ready()), 'EZ');
    client.send(encodeBind({ statement: 's1' }), encodeExecute(''), sync);
    assert.deepEqual(rowsOf(await client.ready()), [['1']]);
    assert.equal(relay.commands.at(-1)?.text, 'SELECT 1');
    client.destroy();
  });

  it('waits for a name that an unanswered segment may change', async () => {
    const client = await login();
    client.send(
      encodeParse('n', 'SELECT 1'),
      sync,
      encodeClose('S', 'n'),
      encodeParse('n', 'SELECT 2'),
      sync,
      encodeBind({ statement: 'n' }),
      encodeExecute(''),
      sync,
    );
    await client.ready();
    await client.ready();
    assert.deepEqual(rowsOf(await client.ready()), [['2']]);
    assert.equal(relay.commands.at(-1)?.text, 'SELECT 2');
    client.destroy();
  });

  it('judges what PREPARE put behind a name that Parse had given', async () => {
    const client = await login();
    client.send(encodeParse('s1', 'SELECT 1'), sync);
    await client.ready();
    client.send(encodeQuery('DEALLOCATE s1; PREPARE s1 AS SELECT 22'));
    await client.ready();
    client.send(encodeBind({ statement: 's1' }), encodeExecute(''), sync);
    assert.deepEqual(rowsOf(await client.ready()), [['22']]);
    assert.equal(relay.commands.at(-1)?.text, 'SELECT 22');
    client.destroy();
  });

  it('refuses names that it knows no text of', async () => {
    const client = await login();
    client.send(encodeBind({ statement: 'nobody' }), sync);
    assert.equal(fieldsOf(await client.ready())['C'], '42501');
    client.send(encodeExecute('nobody'), sync);
    assert.equal(fieldsOf(await client.ready())['C'], '42501');
    client.send(encodeDescribe('S', 'nobody'), sync);
    assert.equal(fieldsOf(await client.ready())['C'], '42501');
    client.destroy();
  });

  it('forgets names after code that it cannot see through, until the server has confirmed them', async () => {
    const text = "DO $$ BEGIN EXECUTE 'DEALLOCATE s1'; EXECUTE 'PREPARE s1 AS SELECT 2'; END $$";
    await withRelay({ analyser: doAnalyser(text) }, async (own) => {
      const client = await RawClient.login(own.port);
      client.send(encodeParse('s1', 'SELECT 1'), encodeParse('s2', 'SELECT 3'), sync);
      await client.ready();
      client.send(encodeQuery(text));
      assert.equal(letters(await client.ready()), 'CZ');
      client.send(encodeBind({ statement: 's1' }), encodeExecute(''), sync);
      assert.equal(fieldsOf(await client.ready())['C'], '42501');
      client.send(encodeBind({ statement: 's2' }), encodeExecute(''), sync);
      assert.deepEqual(rowsOf(await client.ready()), [['3']]);
      client.destroy();
    });
  });

  it('reads the state back before it judges what depends on it', async () => {
    await withRelay({}, async (own) => {
      const client = await RawClient.login(own.port);
      const states = (): readonly string[] => own.commands.map(({ state }) => state);
      const initial = 'search_path="pg_catalog","public";role="postgres"';
      const changed = 'search_path="pg_catalog","information_schema";role="postgres"';
      const ask = async (...texts: readonly string[]): Promise<void> => {
        client.send(...texts.map(encodeQuery));
        for (const _ of texts) await client.ready();
      };
      await ask('SELECT 1', 'SET search_path = information_schema', 'SELECT 2');
      assert.deepEqual(states(), [initial, initial, changed]);
      // Undone by the end of the transaction, by a rollback, and unknown once it has failed.
      await ask('RESET search_path', 'BEGIN', 'SET LOCAL search_path = information_schema');
      own.commands.length = 0;
      await ask('SELECT 3', 'COMMIT', 'SELECT 4');
      assert.deepEqual(states(), [changed, changed, initial]);
      own.commands.length = 0;
      await ask('BEGIN', 'SET search_path = information_schema', 'SELEC', 'SELECT 5', 'ROLLBACK');
      assert.equal(states()[3], 'unknown');
      own.commands.length = 0;
      await ask('SELECT 6', 'SET search_path = information_schema; SELECT 7', 'SELECT 8');
      assert.deepEqual(states(), [initial, initial, 'unknown', changed]);
      client.destroy();
    });
  });

  it('goes on after a query of the gateway itself has failed', async () => {
    let fail = true;
    const failing: RelayOptions['catalogues'] = {
      async current(key, query, ...rest) {
        if (fail) {
          await query('BEGIN');
          await query('SELECT 1 / 0');
        }
        return catalogues.current(key, query, ...rest);
      },
      changes: (key) => catalogues.changes(key),
    };
    const catalogues = new CatalogueCache({ clock: systemClock, limits: defaultLimits });
    await withRelay({ catalogues: failing }, async (own) => {
      const client = await RawClient.login(own.port);
      client.send(encodeQuery('SELECT 1'));
      assert.deepEqual(rowsOf(await client.ready()), [['1']]);
      assert.equal(own.commands.at(-1)?.facts.analysis, 'partial');
      fail = false;
      client.send(encodeQuery('BEGIN'), encodeQuery('SELECT 2'));
      await client.ready();
      assert.deepEqual(rowsOf(await client.ready()), [['2']]);
      client.destroy();
    });
  });

  it('does not read the state back inside an unfinished segment', async () => {
    await withRelay({}, async (own) => {
      const client = await RawClient.login(own.port);
      const run = (text: string): Uint8Array[] => [
        encodeParse('', text),
        encodeBind({}),
        encodeExecute(''),
      ];
      client.send(...run('SET search_path = information_schema'), ...run('SELECT 2'), sync);
      // The newest servers report the path too.
      assert.match(letters(await client.ready()), /^12C12DCS?Z$/);
      assert.equal(own.commands.at(-1)?.state, 'unknown');
      assert.equal(own.commands.at(-1)?.facts.analysis, 'partial');
      client.send(encodeBind({}), encodeExecute(''), sync);
      await client.ready();
      assert.equal(own.commands.at(-1)?.facts.analysis, 'complete');
      client.destroy();
    });
  });

  it('executes with row limits, and a portal again after its Sync', async () => {
    const client = await login();
    client.send(encodeQuery('BEGIN'));
    await client.ready();
    client.send(
      encodeParse('', 'SELECT generate_series(1, 5)'),
      encodeBind({ portal: 'p' }),
      encodeExecute('p', 2),
      sync,
    );
    assert.equal(letters(await client.ready()), '12DDsZ');
    client.send(encodeExecute('p', 2), flush);
    assert.equal(letters(await client.until('s')), 'DDs');
    client.send(encodeExecute('p', 2), encodeClose('P', 'p'), sync);
    assert.equal(letters(await client.ready()), 'DC3Z');
    client.destroy();
  });

  it('executes a cursor of SQL as a portal, judged by its query', async () => {
    const client = await login();
    client.send(encodeQuery('BEGIN; DECLARE c CURSOR FOR SELECT generate_series(1, 3)'));
    await client.ready();
    client.send(encodeExecute('c', 2), sync);
    assert.equal(letters(await client.ready()), 'DDsZ');
    assert.equal(relay.commands.at(-1)?.text, 'SELECT generate_series(1, 3)');
    client.send(encodeQuery('FETCH ALL FROM c'));
    assert.deepEqual(rowsOf(await client.ready()), [['3']]);
    client.destroy();
  });

  it('refuses FunctionCall and stays in step', async () => {
    const client = await login();
    const call = new MessageWriter().begin(frontend.functionCall).int32(1598).int16(0).int16(0);
    client.send(call.int16(0).end().done());
    const messages = await client.ready();
    assert.equal(letters(messages), 'EZ');
    assert.equal(fieldsOf(messages)['C'], '0A000');
    client.send(encodeQuery('SELECT 1'));
    assert.equal(letters(await client.ready()), 'TDCZ');
    client.destroy();
  });

  it('ends a session at a message that does not exist', async () => {
    for (const type of [0x21, 0x70, 0x51 + 0x80]) {
      const client = await login();
      client.send(new MessageWriter().begin(type).end().done());
      const messages = await client.end();
      assert.equal(fieldsOf(messages)['S'], 'FATAL');
      assert.equal(fieldsOf(messages)['C'], '08P01');
    }
  });

  it('refuses text that is not UTF-8 or has a NUL, and goes on', async () => {
    const client = await login();
    for (const body of [[0xff, 0], [0x53, 0, 0x53, 0], [0x53]]) {
      const message = new MessageWriter().begin(frontend.query).bytes(Uint8Array.from(body));
      client.send(message.end().done());
      assert.equal(fieldsOf(await client.ready())['C'], '08P01');
    }
    client.send(encodeQuery('SELECT 1'));
    assert.equal(letters(await client.ready()), 'TDCZ');
    client.destroy();
  });

  it('ends when the lexer is switched to another mode', async () => {
    for (const text of [
      'SET standard_conforming_strings = off',
      "SET client_encoding = 'LATIN1'",
    ]) {
      const client = await login();
      client.send(encodeQuery(text));
      const messages = await client.end();
      assert.equal(fieldsOf(messages)['C'], '08P01');
    }
  });

  it('copies in, whatever the data says, and survives its errors', async () => {
    const client = await login();
    const data = (text: string): Uint8Array =>
      new MessageWriter().begin(frontend.copyData).bytes(Buffer.from(text)).end().done();
    client.send(encodeQuery('COPY kept FROM STDIN'));
    await client.until('G');
    client.send(data('11\tDELETE FROM forbidden\n'), data('12\t'), data('x\n'));
    client.send(sync, encodeBare(frontend.copyDone));
    assert.equal(letters(await client.ready()), 'CZ');
    client.send(encodeQuery('COPY kept FROM STDIN'));
    await client.until('G');
    client.send(data('not a number\n'), encodeBare(frontend.copyDone));
    assert.equal(letters(await client.ready()), 'EZ');
    client.send(encodeParse('', 'COPY kept FROM STDIN'), encodeBind({}), encodeExecute(''), sync);
    await client.until('G');
    client.send(data('13\ty\n'), encodeBare(frontend.copyDone), sync);
    assert.equal(letters(await client.ready()), 'CZ');
    client.send(encodeQuery('SELECT id FROM kept WHERE id > 10 ORDER BY id'));
    assert.deepEqual(rowsOf(await client.ready()), [['11'], ['12'], ['13']]);
    client.destroy();
  });

  it('copies out in all formats', async () => {
    const client = await login();
    for (const format of ['text', 'csv', 'binary']) {
      client.send(encodeQuery(`COPY (SELECT generate_series(1, 3)) TO STDOUT (FORMAT ${format})`));
      const messages = await client.ready();
      assert.match(letters(messages), /^Hd{3,5}cCZ$/);
    }
    client.destroy();
  });

  it('cancels its own query by the key it was given, and no other', async () => {
    const first = await login();
    const second = await login();
    first.send(encodeQuery('SELECT pg_sleep(60)'));
    second.send(encodeQuery('SELECT pg_sleep(60)'));
    await sleeping(2);
    await cancel(first.cancelKey);
    const messages = await first.ready();
    assert.equal(fieldsOf(messages)['C'], '57014');
    const key = Buffer.from(second.cancelKey);
    key.writeInt32BE(key.readInt32BE(4) + 1, 4);
    await cancel(key);
    await cancel(second.cancelKey);
    assert.equal(fieldsOf(await second.ready())['C'], '57014');
    first.destroy();
    second.destroy();
  });

  /** Waits until the server runs `count` sleeps: a cancel before that would cancel nothing. */
  async function sleeping(count: number): Promise<void> {
    const sql = "SELECT 1 FROM pg_stat_activity WHERE wait_event = 'PgSleep'";
    while ((await server.query(sql)).length < count);
  }

  async function cancel(key: Uint8Array): Promise<void> {
    const { connect } = await import('node:net');
    const socket = connect({ port: relay.port, host: '127.0.0.1' });
    const processId = Buffer.from(key).readInt32BE(0);
    socket.end(encodeCancelRequest(processId, key.subarray(4)));
    await new Promise((resolve) => socket.once('close', resolve).resume());
  }

  it('hands LISTEN and NOTIFY through', async () => {
    const client = await login();
    client.send(encodeQuery('LISTEN news'));
    await client.ready();
    const other = await login();
    other.send(encodeQuery("NOTIFY news, 'hello'"));
    await other.ready();
    const [message] = (await client.until('A')).slice(-1);
    assert.match(Buffer.from(message?.bytes ?? []).toString(), /news\0hello\0$/);
    client.destroy();
    other.destroy();
  });

  it('records both directions as the client saw them', async () => {
    await withRelay({}, async (own) => {
      const client = await RawClient.login(own.port);
      const query = encodeQuery('SELECT 12345');
      client.send(query, query.subarray(0, 3));
      const messages = await client.ready();
      client.send(query.subarray(3));
      const more = await client.ready();
      client.send(encodeBare(frontend.terminate));
      await client.end();
      const all = Buffer.concat([...messages, ...more].map(({ bytes }) => bytes));
      await until(() => own.ends.length === 1);
      const toClient = Buffer.from(own.toClient());
      assert.ok(toClient.includes(all));
      // All but the key: who reads the recording must not be able to cancel.
      assert.equal(toClient.includes(Buffer.from(client.cancelKey.subarray(4))), false);
      const sent = Buffer.concat([query, query, encodeBare(frontend.terminate)]);
      assert.deepEqual(Buffer.from(own.fromClient()), sent);
      assert.deepEqual(own.ends, [{ reason: 'client', code: undefined, detail: '' }]);
    });
  });
});

/** An analyser that knows one opaque text and takes it whole. */
function doAnalyser(text: string): ReturnType<typeof tableAnalyser> {
  const table = tableAnalyser({ opaque: ['DO'] });
  return {
    analyse(asked, state, masks) {
      const analysis = table.analyse(asked === text ? 'DO' : asked, state, masks);
      if (asked !== text || analysis instanceof Promise) return analysis;
      const statements = analysis.statements.map((statement) => ({ ...statement, text }));
      return { ...analysis, statements };
    },
  };
}
