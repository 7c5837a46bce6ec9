/** How a session waits, keeps pace and ends. */
import assert from 'node:assert/strict';
import { connect, createServer, type Socket } from 'node:net';
import { after, before, describe, it } from 'node:test';
import { asId } from '#core/ids.ts';
import type { HoldNotice } from '#core/protocol.ts';
import type { Refusal } from '#core/verdict.ts';
import { type TestPostgres, startPostgres } from '../../../test/support/postgres.ts';
import {
  fieldsOf,
  letters,
  RawClient,
  rowsOf,
  statusOf,
} from '../../../test/support/raw-client.ts';
import {
  type Answer,
  masksOn,
  type RelayOptions,
  startRelay,
  type TestRelay,
} from '../../../test/support/relay.ts';
import { until } from '../../../test/support/until.ts';
import { frontend } from './codec/messages.ts';
import {
  encodeBare,
  encodeBind,
  encodeCancelRequest,
  encodeExecute,
  encodeParse,
  encodeQuery,
  MessageWriter,
} from './codec/write.ts';
import { refuse } from './refusal.ts';

const sync = encodeBare(frontend.sync);
let server: TestPostgres;

before(async () => {
  server = await startPostgres({ version: 18 });
});
after(() => server.stop());

async function withRelay(
  options: Partial<RelayOptions>,
  run: (relay: TestRelay) => Promise<void>,
): Promise<void> {
  const { host, port, superuser } = server;
  const relay = await startRelay({ host, port, username: superuser, ...options });
  try {
    await run(relay);
  } finally {
    await relay.stop();
  }
}

const notice: HoldNotice = {
  hold: asId('hold-1'),
  rule: 'destructive',
  reason: 'deletes every row',
  howToApprove: 'sallyport approvals approve hold-1',
  waitMs: 600_000,
};

/** Holds every DELETE until the test decides. */
class Desk {
  decide: (answer: Answer) => void = () => {};
  cancelled = false;
  readonly judge: NonNullable<RelayOptions['judge']> = (command, onHold, signal) => {
    if (!command.text.startsWith('DELETE')) return 'allow';
    onHold(notice);
    return new Promise((resolve) => {
      this.decide = resolve;
      signal.addEventListener('abort', () => {
        this.cancelled = true;
        resolve(refuse('SP_HOLD_CANCELLED'));
      });
    });
  };
}

const deletes = 'DELETE FROM pg_temp.nothing';

describe('a held command', () => {
  it('is announced at once, waits, and runs when it is approved', async () => {
    const desk = new Desk();
    await withRelay({ judge: desk.judge }, async (relay) => {
      const client = await RawClient.login(relay.port);
      client.send(encodeQuery('CREATE TEMP TABLE nothing (id int)'));
      await client.ready();
      client.send(encodeQuery(deletes), encodeQuery('SELECT 1'));
      const told = fieldsOf(await client.until('N'), 'N');
      assert.match(told['M'] ?? '', /held for approval as hold-1: deletes every row/);
      assert.equal(told['H'], 'Approve it with: sallyport approvals approve hold-1');
      assert.equal(relay.commands.at(-1)?.text, deletes);
      desk.decide('allow');
      assert.equal(letters(await client.ready()), 'CZ');
      assert.deepEqual(rowsOf(await client.ready()), [['1']]);
      client.destroy();
    });
  });

  it('is refused in step when it is denied', async () => {
    const desk = new Desk();
    await withRelay({ judge: desk.judge }, async (relay) => {
      const client = await RawClient.login(relay.port);
      client.send(encodeQuery('BEGIN'));
      await client.ready();
      client.send(encodeQuery(deletes));
      await client.until('N');
      desk.decide({ ...refuse('SP_HOLD_DENIED', 'not today'), hold: asId('hold-1') });
      const messages = await client.ready();
      assert.equal(fieldsOf(messages)['D'], 'Hold: hold-1. Code: SP_HOLD_DENIED.');
      assert.equal(statusOf(messages), 'E');
      client.destroy();
    });
  });

  it("is cancelled by the session's own key", async () => {
    const desk = new Desk();
    await withRelay({ judge: desk.judge }, async (relay) => {
      const client = await RawClient.login(relay.port);
      client.send(encodeParse('', deletes), encodeBind({}), encodeExecute(''), sync);
      await client.until('N');
      const processId = Buffer.from(client.cancelKey).readInt32BE(0);
      const socket = connect({ port: relay.port, host: '127.0.0.1' });
      socket.end(encodeCancelRequest(processId, client.cancelKey.subarray(4)));
      const messages = await client.ready();
      assert.equal(fieldsOf(messages)['C'], '57014');
      client.send(encodeQuery('SELECT 1'));
      assert.equal(letters(await client.ready()), 'TDCZ');
      client.destroy();
    });
  });

  it('is cancelled by that key before it was announced, too', async () => {
    const desk = new Desk();
    let isAsked = false;
    const judge: RelayOptions['judge'] = (command, _onHold, signal) => {
      isAsked ||= command.text === deletes;
      return desk.judge(command, () => {}, signal);
    };
    await withRelay({ judge }, async (relay) => {
      const client = await RawClient.login(relay.port);
      client.send(encodeQuery(deletes));
      await until(() => isAsked);
      const processId = Buffer.from(client.cancelKey).readInt32BE(0);
      const socket = connect({ port: relay.port, host: '127.0.0.1' });
      socket.end(encodeCancelRequest(processId, client.cancelKey.subarray(4)));
      assert.equal(fieldsOf(await client.ready())['C'], '57014');
      client.destroy();
    });
  });

  it('is given up when the client says goodbye or leaves', async () => {
    for (const leave of [
      (client: RawClient) => client.send(encodeBare(frontend.terminate)),
      (client: RawClient) => client.destroy(),
      (client: RawClient) => client.socket.end(),
    ]) {
      const desk = new Desk();
      await withRelay({ judge: desk.judge }, async (relay) => {
        const client = await RawClient.login(relay.port);
        client.send(encodeQuery(deletes));
        await client.until('N');
        leave(client);
        await until(() => desk.cancelled && relay.ends.length === 1);
        assert.equal(relay.ends[0]?.reason, 'client');
      });
    }
  });

  it('lets the client send no more than the limit meanwhile', async () => {
    const desk = new Desk();
    await withRelay({ judge: desk.judge, limits: { heldBytesMax: 1024 } }, async (relay) => {
      const client = await RawClient.login(relay.port);
      client.send(encodeQuery('CREATE TEMP TABLE nothing (id int)'));
      await client.ready();
      client.send(encodeQuery(deletes));
      await client.until('N');
      const many = Buffer.concat(Array.from({ length: 20_000 }, () => encodeQuery('SELECT 1')));
      for (let count = 0; count < 20; count += 1) client.send(many);
      // What the kernel's buffers do not take stays with the client.
      await new Promise((resolve) => setTimeout(resolve, 100));
      assert.ok(client.socket.writableLength > 0);
      assert.equal(relay.fromClient().length < 100_000, true);
      desk.decide('allow');
      await client.ready();
      assert.deepEqual(rowsOf(await client.ready()), [['1']]);
      client.destroy();
    });
  });
});

const locked: Refusal = {
  ...refuse('SP_LOCKED', 'the owner has left', 'Ask security.'),
  endsSession: true,
};

describe('a session that has to end', () => {
  it('says why, whatever it is doing, and cancels what runs', async () => {
    const busy: readonly (readonly [what: string, messages: readonly Uint8Array[]])[] = [
      ['nothing', []],
      ['sleeping', [encodeQuery('SELECT pg_sleep(100)')]],
      ['a transaction', [encodeQuery('BEGIN')]],
      ['a copy', [encodeQuery('CREATE TEMP TABLE t (a int)'), encodeQuery('COPY t FROM STDIN')]],
      [
        'a pipeline',
        [encodeParse('', 'SELECT pg_sleep(100)'), encodeBind({}), encodeExecute(''), sync],
      ],
      ['half a message', [encodeQuery('SELECT 1').subarray(0, 4)]],
    ];
    for (const [what, messages] of busy) {
      await withRelay({}, async (relay) => {
        const client = await RawClient.login(relay.port);
        client.send(...messages);
        await new Promise((resolve) => setTimeout(resolve, 50));
        relay.abort(locked);
        const last = (await client.end()).filter((message) => message.type === 'E');
        assert.equal(fieldsOf(last)['C'], '57P01', what);
        assert.equal(fieldsOf(last)['S'], 'FATAL', what);
        assert.match(fieldsOf(last)['M'] ?? '', /the owner has left/);
        await until(() => relay.ends.length === 1);
        assert.deepEqual(relay.ends[0]?.code, 'SP_LOCKED');
      });
      const sleeping = "SELECT 1 FROM pg_stat_activity WHERE wait_event = 'PgSleep'";
      while ((await server.query(sleeping)).length > 0);
    }
  });

  it('gives the row that has begun whole before it says why', async () => {
    await withRelay({}, async (relay) => {
      const client = await RawClient.login(relay.port);
      client.send(encodeQuery("SELECT repeat('x', 1000003) FROM generate_series(1, 1000000)"));
      await client.until('D');
      relay.abort(locked);
      const last = (await client.end()).at(-1);
      assert.equal(last?.type, 'E');
      assert.equal(fieldsOf([last])['C'], '57P01');
    });
  });

  it('is closed in time when the client does not read', async () => {
    await withRelay({}, async (relay) => {
      const client = await RawClient.login(relay.port);
      client.socket.pause();
      client.send(encodeQuery("SELECT repeat('x', 100000) FROM generate_series(1, 1000000)"));
      await new Promise((resolve) => setTimeout(resolve, 200));
      relay.abort(locked);
      await until(() => relay.ends.length === 1);
      const running = "SELECT 1 FROM pg_stat_activity WHERE query LIKE 'SELECT repeat%'";
      while ((await server.query(running)).length > 0);
      client.destroy();
    });
  });

  it('is refused at a second judgement when the policy changed after the Bind', async () => {
    let deny = false;
    const denied = refuse('SP_POLICY_DENIED', 'no more');
    await withRelay({ judge: () => (deny ? denied : 'allow') }, async (relay) => {
      const client = await RawClient.login(relay.port);
      client.send(encodeQuery('BEGIN'));
      await client.ready();
      client.send(
        encodeParse('', 'SELECT generate_series(1, 9)'),
        encodeBind({ portal: 'p' }),
        encodeExecute('p', 2),
        sync,
      );
      assert.equal(letters(await client.ready()), '12DDsZ');
      deny = true;
      relay.bumpEpoch();
      client.send(encodeExecute('p', 2), sync);
      const messages = await client.ready();
      assert.equal(letters(messages), 'EZ');
      assert.equal(statusOf(messages), 'E');
      client.destroy();
    });
  });
});

describe('a session that is slow', () => {
  it('keeps nothing of a large result in memory while the client does not read', async () => {
    await withRelay({}, async (relay) => {
      const client = await RawClient.login(relay.port);
      client.socket.pause();
      client.send(encodeQuery("SELECT repeat('x', 10000) FROM generate_series(1, 20000)"));
      await new Promise((resolve) => setTimeout(resolve, 300));
      const before = relay.toClient().length;
      await new Promise((resolve) => setTimeout(resolve, 100));
      // Nothing more was read from the server than the kernel's buffers hold.
      assert.equal(relay.toClient().length, before);
      assert.ok(before < 100_000_000);
      client.socket.resume();
      const messages = await client.ready();
      assert.equal(messages.filter(({ type }) => type === 'D').length, 20_000);
      client.destroy();
    });
  });

  it('waits for a recorder that is behind, on both sides', async () => {
    await withRelay({}, async (relay) => {
      const client = await RawClient.login(relay.port);
      relay.setBehind(true);
      client.send(encodeQuery('SELECT 1'));
      await new Promise((resolve) => setTimeout(resolve, 50));
      client.send(encodeQuery('SELECT 2'));
      await new Promise((resolve) => setTimeout(resolve, 50));
      assert.equal(relay.commands.length, 1);
      relay.setBehind(false);
      assert.deepEqual(rowsOf(await client.ready()), [['1']]);
      assert.deepEqual(rowsOf(await client.ready()), [['2']]);
      client.destroy();
    });
  });

  it('takes a message that comes byte by byte, and a pipeline deeper than the limit', async () => {
    await withRelay({ limits: { pipelineDepthMax: 4 } }, async (relay) => {
      const client = await RawClient.login(relay.port);
      for (const byte of encodeQuery('SELECT 42')) {
        client.send(Uint8Array.of(byte));
        await new Promise((resolve) => setImmediate(resolve));
      }
      assert.deepEqual(rowsOf(await client.ready()), [['42']]);
      const queries = Array.from({ length: 100 }, (_, n) => encodeQuery(`SELECT ${n}`));
      client.send(...queries);
      for (let n = 0; n < 100; n += 1) {
        assert.deepEqual(rowsOf(await client.ready()), [[String(n)]]);
      }
      client.destroy();
    });
  });

  it('refuses what is larger than the limits', async () => {
    await withRelay({ limits: { frameBytesMax: 10_000 } }, async (relay) => {
      const client = await RawClient.login(relay.port);
      client.send(encodeQuery(`SELECT '${'x'.repeat(20_000)}'`));
      assert.equal(fieldsOf(await client.end())['C'], '54000');
      // Rows and COPY data that pass are never held, so they have no limit.
      const other = await RawClient.login(relay.port);
      other.send(encodeQuery("SELECT repeat('x', 100000)"));
      assert.equal(letters(await other.ready()), 'TDCZ');
      other.destroy();
    });
  });
});

describe('a target', () => {
  /** A server that logs everybody in, then does what the test says. */
  async function fakeServer(
    serve: (socket: Socket, chunk: Uint8Array) => void,
  ): Promise<{ port: number; close: () => void }> {
    const own = createServer((socket) => {
      let isStarted = false;
      socket.on('error', () => {});
      socket.on('data', (chunk) => {
        if (!isStarted) {
          isStarted = true;
          const writer = new MessageWriter().begin(0x52).int32(0).end();
          for (const [name, value] of [
            ['client_encoding', 'UTF8'],
            ['standard_conforming_strings', 'on'],
          ]) {
            writer
              .begin(0x53)
              .string(name ?? '')
              .string(value ?? '')
              .end();
          }
          writer.begin(0x4b).int32(7).int32(8).end().begin(0x5a).byte(0x49).end();
          socket.write(writer.done());
        } else serve(socket, chunk);
      });
    });
    await new Promise<void>((resolve) => own.listen(0, '127.0.0.1', () => resolve()));
    const address = own.address();
    return {
      port: typeof address === 'object' && address !== null ? address.port : 0,
      close: () => own.close(),
    };
  }

  it('that answers out of step ends the session and nothing else', async () => {
    const answers = [
      new MessageWriter().begin(0x44).int16(0).end().done(),
      new MessageWriter().begin(0x5a).byte(0x49).end().done(),
      new MessageWriter().begin(0x57).byte(0).int16(0).end().done(),
      new MessageWriter().begin(0x52).int32(0).end().done(),
      Buffer.from([0x7e, 0, 0, 0, 4]),
      Buffer.from([0x44, 0xff, 0xff, 0xff, 0xff]),
    ];
    for (const answer of answers) {
      const fake = await fakeServer((socket) => socket.write(answer));
      const relay = await startRelay({ host: '127.0.0.1', port: fake.port, username: 'a' });
      // The first thing that it is asked is the state of the session.
      await assert.rejects(RawClient.login(relay.port), /closed before Z/);
      await until(() => relay.ends.length === 1);
      assert.match(relay.ends[0]?.code ?? '', /SP_TARGET_PROTOCOL|SP_FRAME_MALFORMED/);
      await relay.stop();
      fake.close();
    }
  });

  it('that goes away is named to the client', async () => {
    await withRelay({}, async (relay) => {
      const client = await RawClient.login(relay.port);
      const processId = Buffer.from(client.cancelKey).readInt32BE(0);
      client.send(encodeQuery('SELECT pg_sleep(100)'));
      await server.query(`SELECT pg_terminate_backend(${processId})`);
      const messages = await client.end();
      assert.equal(fieldsOf(messages)['C'], '57P01');
      assert.equal(relay.ends[0]?.reason, 'target');
    });
  });
});

describe('masks that change', () => {
  it('hold for the rows that have not left', async () => {
    await server.query('CREATE TABLE people (id int, ssn text)');
    await server.query("INSERT INTO people SELECT n, 'canary' FROM generate_series(1, 200000) n");
    let masks = masksOn({}, undefined, 'before');
    await withRelay({ masks: () => masks }, async (relay) => {
      const client = await RawClient.login(relay.port);
      client.socket.pause();
      client.send(encodeQuery('SELECT id, ssn FROM people'));
      await new Promise((resolve) => setTimeout(resolve, 200));
      masks = masksOn({ 'public.people.ssn': { kind: 'redact' } }, undefined, 'after');
      const before = relay.toClient().length;
      client.socket.resume();
      await client.ready();
      // A row that had begun to leave is given whole.
      const later = Buffer.from(relay.toClient().subarray(before + 64));
      assert.equal(later.includes('canary'), false);
      assert.ok(later.includes('[redacted]'));
      client.destroy();
    });
  });
});
