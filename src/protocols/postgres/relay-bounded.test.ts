/** Limits at run time, on real servers: what is above them does not stay, and the session goes on. */
import assert from 'node:assert/strict';
import { connect } from 'node:net';
import { after, afterEach, before, beforeEach, describe, it } from 'node:test';
import { systemClock } from '#core/clock.ts';
import { asId } from '#core/ids.ts';
import { defaultLimits } from '#core/limits.ts';
import { mintAllowedCommand } from '#core/permit.ts';
import type { LimitName, RunLimits } from '#core/verdict.ts';
import {
  type PostgresVersion,
  startPostgres,
  type TestPostgres,
} from '../../../test/support/postgres.ts';
import {
  fieldsOf,
  letters,
  RawClient,
  type RawMessage,
  rowsOf,
  statusOf,
} from '../../../test/support/raw-client.ts';
import { type RelayOptions, startRelay, type TestRelay } from '../../../test/support/relay.ts';
import { frontend } from './codec/messages.ts';
import {
  encodeBare,
  encodeBind,
  encodeCancelRequest,
  encodeDescribe,
  encodeExecute,
  encodeParse,
  encodeQuery,
} from './codec/write.ts';
import { createSqlAnalyser } from './sql/analyser.ts';
import type { SqlAnalyser } from './sql/types.ts';

const schema = `
  create table tenants (id int primary key);
  create table orders (id int primary key, tenant int references tenants on delete cascade, n int);
  create table log (what text);
  create table ruled (id int primary key, n int);
  create rule told as on update to ruled do also
    insert into log select 'x' from generate_series(1, 50);
  create table checked (id int primary key, tenant int references tenants deferrable
    initially deferred);
  create table watched (id int primary key);
  create function watch() returns trigger language plpgsql as $$ begin
    insert into log values ('seen'); return new; end $$;
  create trigger watching after insert or update on watched for each row execute function watch();
  insert into ruled select i, 0 from generate_series(1, 10) i;
  insert into tenants select generate_series(1, 3);
  insert into orders select i, i % 3 + 1, 0 from generate_series(1, 300) i;`;

const boundsOf = (bounds: Partial<Record<LimitName, number>>): RunLimits => ({
  bounds: Object.fromEntries(
    Object.entries(bounds).map(([name, max]) => [name, { max, rule: 'limited' }]),
  ),
  release: undefined,
});

const sync = encodeBare(frontend.sync);

/** Parse, Bind, Describe, Execute of one statement. */
const extended = (text: string, rowsMax = 0): Uint8Array[] => [
  encodeParse('', text),
  encodeBind({}),
  encodeDescribe('P', ''),
  encodeExecute('', rowsMax),
];

for (const version of [18, 15] satisfies PostgresVersion[]) {
  describe(`limits on PostgreSQL ${version}`, () => {
    let server: TestPostgres;
    let analyser: SqlAnalyser & { close(): Promise<void> };
    let relay: TestRelay;
    let client: RawClient;

    before(async () => {
      server = await startPostgres({ version });
      analyser = await createSqlAnalyser({ limits: defaultLimits, clock: systemClock });
    });
    after(async () => {
      await server.stop();
      await analyser.close();
    });
    beforeEach(async () => {
      await server.query('drop schema public cascade; create schema public');
      await server.query(schema);
    });
    afterEach(async () => {
      client.destroy();
      await relay.stop();
    });

    const start = async (
      bounds: Partial<Record<LimitName, number>>,
      more: Partial<RelayOptions> = {},
    ): Promise<void> => {
      relay = await startRelay({
        host: server.host,
        port: server.port,
        username: 'postgres',
        analyser,
        runLimits: boundsOf(bounds),
        ...more,
      });
      client = await RawClient.login(relay.port);
    };
    const simple = (text: string): Promise<readonly RawMessage[]> => {
      client.send(encodeQuery(text));
      return client.ready();
    };
    const segment = (...messages: readonly Uint8Array[]): Promise<readonly RawMessage[]> => {
      client.send(...messages, sync);
      return client.ready();
    };
    const count = async (where = 'true', table = 'orders'): Promise<number> => {
      const rows = await server.query(`select count(*)::int as n from ${table} where ${where}`);
      return Number(rows[0]?.['n']);
    };
    /** Deletions that the server runs. */
    const active = async (): Promise<number> => {
      const rows = await server.query(`select count(*)::int as n from pg_stat_activity
        where query like 'delete%' and state = 'active'`);
      return Number(rows[0]?.['n']);
    };
    /** The letters of an answer, and the state of the transaction after it. */
    const shape = (messages: readonly RawMessage[]): string =>
      `${letters(messages)} ${statusOf(messages)}`;

    it('lets a write below the limit stand, and shows nothing of how it was counted', async () => {
      await start({ rowsAffected: 100 });
      assert.equal(shape(await simple('delete from orders where n = 0 and id <= 100')), 'CZ I');
      assert.equal(await count(), 200);
      const some = await segment(...extended('delete from orders where n = 0 and id <= 200'));
      assert.equal(shape(some), '12nCZ I');
      assert.equal(await count(), 100);
      const counted = relay.marks.filter(({ kind }) => kind === 'counted');
      assert.deepEqual(
        counted.map(({ data }) => [data['rows'], data['stands'], data['transaction']]),
        [
          [100, true, 'gateway'],
          [100, true, 'gateway'],
        ],
      );
    });

    it('undoes a write above the limit, however it is spelt', async () => {
      await start({ rowsAffected: 100 });
      const spellings = [
        'delete from orders',
        'delete from orders where true',
        'delete from orders where id = id',
        'delete from orders where ctid is not null',
        'delete from orders using tenants t where t.id = tenant',
        'with d as (delete from orders where n = 0 returning 1) select 1',
        'update orders set n = n + 1 where random() >= 0',
        'update orders o set n = 1 from orders p where p.id = o.id',
        'insert into orders select id, tenant, 5 from orders where true on conflict (id) do update set n = 5',
        'merge into orders o using orders p on o.id = p.id when matched then delete',
        'explain analyze delete from orders',
        // A few rows by their keys, and what rules and children add.
        'update ruled set n = 1 where id in (1, 2, 3)',
        'delete from tenants where id = 1',
        'delete from tenants where id > 0',
        'truncate orders',
        'truncate tenants cascade',
      ];
      for (const text of spellings) {
        const answer = await simple(text);
        assert.equal(shape(answer), 'EZ I', text);
        assert.match(fieldsOf(answer)['D'] ?? '', /SP_LIMIT_EXCEEDED/, text);
        const inSegment = await segment(...extended(text));
        assert.match(letters(inSegment), /^12[Tn]EZ$/, text);
        assert.equal(statusOf(inSegment), 'I', text);
        assert.equal(await count('n = 0'), 300, text);
        assert.equal(await count('true', 'tenants'), 3, text);
        assert.equal(await count('true', 'log'), 0, text);
      }
      assert.equal(shape(await simple('select 1')), 'TDCZ I');
    });

    it("fails the client's transaction, so that nothing of it can be kept", async () => {
      await start({ rowsAffected: 100 });
      assert.equal(shape(await simple('begin')), 'CZ T');
      assert.equal(shape(await simple('delete from orders where n = 0 and id <= 50')), 'CZ T');
      assert.equal(shape(await simple('savepoint a')), 'CZ T');
      assert.equal(shape(await simple('delete from orders where n = 0')), 'EZ E');
      assert.equal(shape(await simple('select 1')), 'EZ E');
      assert.equal(shape(await simple('rollback to a')), 'CZ T');
      assert.equal(shape(await segment(...extended('delete from orders where n = 0'))), '12nEZ E');
      assert.equal(shape(await simple('rollback to a')), 'CZ T');
      const few = await segment(...extended('delete from orders where n = 0 and id <= 60'));
      assert.equal(shape(few), '12nCZ T');
      assert.equal(shape(await simple('commit')), 'CZ I');
      assert.equal(await count(), 240);
      await simple('begin');
      await simple('update orders set n = n + 1');
      assert.equal(shape(await simple('commit')), 'CZ I');
      assert.equal(await count('n = 0'), 240);
    });

    it('takes the statements of one text together, and none beside BEGIN or COMMIT', async () => {
      await start({ rowsAffected: 100 });
      const text = (from: number, to: number): string =>
        `delete from orders where n = 0 and id + 0 between ${from} and ${to}`;
      assert.equal(shape(await simple(`${text(1, 60)}; select 1; ${text(61, 120)}`)), 'EZ I');
      assert.equal(await count(), 300);
      assert.equal(shape(await simple(`${text(1, 30)}; select 1; ${text(31, 60)}`)), 'CTDCCZ I');
      assert.equal(await count(), 240);
      for (const beside of ['commit; ', 'begin; ', 'rollback; ']) {
        const answer = await simple(`${beside}${text(100, 110)}; commit`);
        assert.match(fieldsOf(answer)['M'] ?? '', /beside BEGIN or COMMIT/);
        assert.equal(shape(answer), 'EZ I');
      }
      assert.equal(await count(), 240);
    });

    it('keeps a segment one unit: all of it stays, or nothing', async () => {
      await start({ rowsAffected: 100 });
      const few = extended('delete from orders where n = 0 and id <= 10');
      const one = extended('delete from orders where id = 299');
      const all = extended('delete from orders where n = 0');
      assert.equal(shape(await segment(...one, ...few, ...all, ...one)), '12nC12nC12nEZ I');
      assert.equal(await count(), 300);
      assert.equal(shape(await segment(...few, ...extended('select 1 / 0'))), '12nC1EZ I');
      assert.equal(await count(), 300);
      assert.equal(shape(await segment(...few, ...extended('select 1'))), '12nC12TDCZ I');
      assert.equal(await count(), 290);
      // As drivers begin a transaction.
      const begun = await segment(
        ...extended('begin'),
        ...extended('delete from orders where n = 0'),
      );
      assert.equal(shape(begun), '12nC12nEZ E');
      assert.equal(shape(await simple('rollback')), 'CZ I');
      const within = await segment(
        ...extended('begin'),
        ...extended('update orders set n = 1 where n = 0 and id < 20'),
      );
      assert.equal(shape(within), '12nC12nCZ T');
      assert.equal(shape(await segment(...extended('rollback'))), '12nCZ I');
      assert.equal(await count('n = 0'), 290);
      // What would end the transaction that is still counted.
      const ended = await segment(
        ...few,
        ...extended('update orders set n = 2 where n = 0 and id < 30'),
        ...extended('commit'),
      );
      assert.equal(shape(ended), '12nC12nC12nEZ I');
      assert.equal(await count('n = 0'), 290);
      const after = await segment(
        ...extended('commit'),
        ...extended('delete from orders where n = 0'),
      );
      assert.match(fieldsOf(after)['M'] ?? '', /behind what was sent before/);
      assert.equal(await count('n = 0'), 290);
    });

    it('answers many messages in their order', async () => {
      await start({ rowsAffected: 100 });
      client.send(
        encodeQuery('select 1'),
        encodeQuery('delete from orders where n = 0 and id <= 5'),
        ...extended('delete from orders'),
        sync,
        ...extended('delete from orders where n = 0 and id <= 10'),
        sync,
        encodeQuery('delete from orders'),
        encodeQuery('select 2'),
      );
      const answers: string[] = [];
      for (let index = 0; index < 6; index += 1) answers.push(shape(await client.ready()));
      assert.deepEqual(answers, ['TDCZ I', 'CZ I', '12nEZ I', '12nCZ I', 'EZ I', 'TDCZ I']);
      assert.equal(await count(), 290);
    });

    it('keeps rows that a write returns until they may be seen', async () => {
      await start({ rowsAffected: 100 }, { limits: { withheldBytesMax: 4096 } });
      const some = await simple('delete from orders where n = 0 and id <= 3 returning id');
      assert.equal(shape(some), 'TDDDCZ I');
      assert.deepEqual(rowsOf(some).flat(), ['1', '2', '3']);
      assert.equal(shape(await simple('delete from orders returning *')), 'EZ I');
      // Within the limit on rows, but above what is kept.
      const large = `update orders set n = 1 where n = 0 and id < 50 returning repeat('x', 1000)`;
      assert.equal(shape(await simple(large)), 'EZ I');
      assert.equal(shape(await segment(...extended(large))), '12TEZ I');
      await simple('begin');
      assert.equal(shape(await simple(large)), 'EZ E');
      await simple('rollback');
      assert.equal(await count('n = 0'), 297);
      // A portal in pieces.
      client.send(
        ...extended('delete from orders where n = 0 and id <= 5 returning id', 1),
        encodeExecute('', 1),
        sync,
      );
      assert.equal(shape(await client.ready()), '12TDsDsZ I');
      assert.equal(await count(), 295);
    });

    it("gives the server's own errors, at its commit too", async () => {
      await start({ rowsAffected: 100 });
      assert.equal(fieldsOf(await simple('insert into tenants values (1)'))['C'], '23505');
      const late = await simple('insert into checked values (1, 77)');
      assert.equal(fieldsOf(late)['C'], '23503');
      assert.equal(shape(late), 'EZ I');
      const inSegment = await segment(...extended('insert into checked values (1, 77)'));
      assert.equal(fieldsOf(inSegment)['C'], '23503');
      assert.equal(shape(inSegment), '12nCEZ I');
      assert.equal(await count('true', 'checked'), 0);
      assert.equal(shape(await simple('insert into checked values (1, 1)')), 'CZ I');
      assert.equal(await count('true', 'checked'), 1);
    });

    it('runs nothing that it cannot count', async () => {
      await start({ rowsAffected: 100 });
      const texts = [
        'insert into watched values (1)',
        'do $$ begin delete from orders where id = 1; end $$',
        `select query_to_xml('delete from orders', true, true, '')`,
        'create table other as select * from orders',
        'drop table log',
        'copy log from stdin',
        'vacuum orders',
      ];
      for (const text of texts) {
        const answer = await simple(text);
        assert.equal(shape(answer), 'EZ I', text);
        assert.match(fieldsOf(answer)['D'] ?? '', /SP_LIMIT_EXCEEDED/, text);
        assert.match(letters(await segment(...extended(text))), /^12[Tn]?EZ$/, text);
      }
      assert.equal(await count(), 300);
      assert.equal(await count('true', 'log'), 0);
    });

    it('runs nothing that the server does not count', async () => {
      await server.query('alter role postgres set track_counts = off');
      try {
        await start({ rowsAffected: 100 });
        const answer = await simple('delete from orders where n = 0 and id < 10');
        assert.match(fieldsOf(answer)['M'] ?? '', /does not count/);
        assert.equal(shape(answer), 'EZ I');
        assert.equal(await count(), 300);
      } finally {
        await server.query('alter role postgres reset track_counts');
      }
    });

    it('adds up what a session does to a table, counted or bounded by its text', async () => {
      await start({ rowsAffected: 20, rowsAffectedTotal: 30 });
      for (let id = 1; id <= 20; id += 1) {
        assert.equal(shape(await simple(`delete from orders where id = ${id}`)), 'CZ I');
      }
      assert.equal(
        relay.marks.some(({ kind }) => kind === 'counted'),
        false,
      );
      assert.equal(shape(await simple('delete from orders where n = 0 and id <= 28')), 'CZ I');
      assert.equal(await count(), 272);
      const third = await simple('delete from orders where n = 0 and id <= 31');
      assert.match(fieldsOf(third)['M'] ?? '', /rowsAffectedTotal 31/);
      assert.equal(
        shape(await segment(...extended('delete from orders where id in (29, 30)'))),
        '12nCZ I',
      );
      assert.equal(shape(await simple('delete from orders where id = 31')), 'EZ I');
      // Nothing is there to remove.
      assert.equal(shape(await simple('delete from orders where id = 1')), 'CZ I');
      assert.equal(await count(), 270);
      assert.equal(shape(await simple('insert into log values (1)')), 'CZ I');
    });

    it('asks with nothing open, and runs it once more under what was let through', async () => {
      const open = `select count(*)::int as n from pg_stat_activity
        where backend_type = 'client backend' and pid <> pg_backend_pid()
        and xact_start is not null`;
      const asked: string[] = [];
      const exceeded: RelayOptions['exceeded'] = async ({ command }, excess, { people }) => {
        const rows = await server.query(open);
        asked.push(`${people} ${excess.found} of ${excess.max}, open ${String(rows[0]?.['n'])}`);
        // What people saw was less than what it does now.
        const max = command.text.includes('tenants') ? 200 : (excess.found ?? 0);
        return mintAllowedCommand(command, asId('again'), {
          limits: boundsOf({ rowsAffected: max }),
        });
      };
      const terms = { reviewers: ['group:dba'], approvals: 1, waitMs: 1, validMs: 1 };
      const release = { rule: 'limited', terms };
      const runLimits = { ...boundsOf({ rowsAffected: 100 }), release };
      await start({}, { exceeded, runLimits });
      const text = 'delete from orders where n = 0 and id <= 150 returning id';
      assert.equal(shape(await simple(text)), `T${'D'.repeat(150)}CZ I`);
      const rest = await segment(...extended('delete from orders where n = 0 and id <= 280'));
      assert.equal(shape(rest), '12nCZ I');
      assert.equal(await count(), 20);
      assert.deepEqual(asked.splice(0), ['ask 150 of 100, open 0', 'ask 130 of 100, open 0']);
      await server.query('delete from orders');
      await server.query(
        'insert into orders select i, i % 3 + 1, 0 from generate_series(1, 300) i',
      );
      const more = `delete from orders o using tenants t where t.id = tenant`;
      const inSegment = await segment(...extended(more));
      assert.equal(letters(inSegment).at(-2), 'C', 'the second time people are asked again');
      assert.deepEqual(asked.splice(0), ['ask 300 of 100, open 0', 'now 300 of 200, open 1']);
      // Beside something else in the segment, or in a transaction of the client's, nothing waits.
      await server.query(
        'insert into orders select i, i % 3 + 1, 0 from generate_series(1, 300) i',
      );
      const all = extended('update orders set n = 1 where n = 0');
      assert.match(letters(await segment(...extended('select 1'), ...all)), /^12TDC12nCZ$/);
      await simple('begin');
      assert.equal(shape(await simple('update orders set n = 2 where n = 1')), 'CZ T');
      await simple('commit');
      assert.deepEqual(asked.splice(0), ['now 300 of 100, open 1', 'now 300 of 100, open 1']);
      assert.equal(await count('n = 2'), 300);
      // What was only parsed and bound has no effect that could be waited for.
      const uncounted = `do $$ begin perform 1; end $$`;
      assert.equal(shape(await segment(...extended(uncounted))), '12nCZ I');
      assert.equal(
        shape(await segment(...extended('select 1'), ...extended(uncounted))),
        '12TDC12nCZ I',
      );
      await simple('begin');
      assert.equal(shape(await simple(uncounted)), 'CZ T');
      await simple('commit');
      const why = 'undefined of 100, open';
      assert.deepEqual(asked.splice(0), [`ask ${why} 1`, `now ${why} 1`, `now ${why} 1`]);
    });

    it('lets no more rows and bytes back than it may', async () => {
      await start({ rowsReturned: 10, bytes: 1000 });
      const query = (rows: number): string => `select i from generate_series(1, ${rows}) i`;
      const whole = await simple(query(10));
      assert.equal(shape(whole), `T${'D'.repeat(10)}CZ I`);
      const cut = await simple(query(100_000));
      assert.equal(shape(cut), `T${'D'.repeat(10)}EZ I`);
      assert.match(fieldsOf(cut)['M'] ?? '', /rowsReturned 11/);
      assert.equal(shape(await segment(...extended(query(11)))), `12T${'D'.repeat(10)}EZ I`);
      const skipped = await segment(...extended(query(11)), ...extended('select 1'));
      assert.equal(shape(skipped), `12T${'D'.repeat(10)}EZ I`);
      assert.equal(shape(await simple(`copy (${query(11)}) to stdout`)), `H${'d'.repeat(10)}EZ I`);
      assert.equal(shape(await simple(`select repeat('x', 1000)`)), 'TEZ I');
      // A row in many reads.
      assert.equal(shape(await simple(`select repeat('x', 3000000)`)), 'TEZ I');
      assert.equal(shape(await simple(`${query(6)}; ${query(6)}`)), 'TDDDDDDCTDDDDEZ I');
      // One portal in pieces is one statement.
      const pieces = [
        ...extended(query(30), 4),
        ...Array.from({ length: 5 }, () => encodeExecute('', 4)),
      ];
      assert.equal(shape(await segment(...pieces)), '12TDDDDsDDDDsDDEZ I');
      assert.equal(shape(await simple('begin')), 'CZ T');
      assert.equal(shape(await simple(query(11))), `T${'D'.repeat(10)}EZ E`);
      assert.equal(shape(await simple('rollback')), 'CZ I');
      await simple('begin');
      assert.equal(shape(await segment(...extended(query(1_000_000)))), `12T${'D'.repeat(10)}EZ E`);
      assert.equal(shape(await simple('rollback')), 'CZ I');
      assert.equal(shape(await simple('select 1')), 'TDCZ I');
    });

    it('undoes a write whose rows it may not give back', async () => {
      await start({ rowsReturned: 10 });
      const text = 'delete from orders where n = 0 returning id';
      assert.equal(shape(await simple(text)), 'EZ I');
      assert.equal(shape(await segment(...extended(text))), '12TEZ I');
      await simple('begin');
      assert.equal(shape(await simple(text)), 'EZ E');
      await simple('commit');
      assert.equal(await count(), 300);
      assert.equal(
        shape(await simple('delete from orders where n = 0 and id < 3 returning id')),
        'TDDCZ I',
      );
      assert.equal(shape(await simple('delete from orders where n = 0 and id < 100')), 'CZ I');
      assert.equal(await count(), 201);
    });

    it('cancels what takes too long, and nothing else', async () => {
      await start({ time: 300 });
      const late = await simple('select pg_sleep(60)');
      assert.equal(shape(late), 'TEZ I');
      assert.match(fieldsOf(late)['M'] ?? '', /time 300/);
      assert.equal(shape(await segment(...extended('select pg_sleep(60)'))), '12TEZ I');
      await simple('begin');
      assert.equal(shape(await simple('select pg_sleep(60)')), 'TEZ E');
      await simple('rollback');
      const few = 'select pg_sleep(0.001)';
      assert.equal(shape(await simple(few)), 'TDCZ I');
      assert.equal(
        shape(await simple(`delete from orders where id = 1 and pg_sleep(60) is null`)),
        'EZ I',
      );
      client.send(encodeQuery('copy log from stdin'));
      await client.until('G');
      client.send(encodeBare(frontend.copyDone));
      assert.equal(shape(await client.ready()), 'CZ I');
    });

    it('is cancelled by the client like anything else', async () => {
      await start({ rowsAffected: 100 });
      for (const messages of [
        [encodeQuery('delete from orders where n = 0 and pg_sleep(60) is null')],
        [...extended('delete from orders where n = 0 and pg_sleep(60) is null'), sync],
      ]) {
        client.send(...messages);
        while ((await active()) === 0) continue;
        const socket = connect(relay.port, '127.0.0.1');
        const processId = Buffer.from(client.cancelKey).readInt32BE(0);
        socket.end(encodeCancelRequest(processId, client.cancelKey.subarray(4)));
        const answer = await client.ready();
        assert.equal(fieldsOf(answer)['C'], '57014');
        assert.equal(statusOf(answer), 'I');
      }
      assert.equal(await count(), 300);
      assert.equal(shape(await simple('delete from orders where n = 0 and id < 9')), 'CZ I');
    });

    it('leaves nothing behind when the client goes in the middle', async () => {
      await start({ rowsAffected: 100 });
      client.send(
        encodeQuery('delete from orders where n = 0 and id < 50 and pg_sleep(0.1) is not null'),
      );
      while ((await active()) === 0) continue;
      client.destroy();
      while ((await active()) > 0) continue;
      assert.equal(await count(), 300);
    });

    it('changes nothing where a permit has no limits', async () => {
      await start({}, { runLimits: boundsOf({}) });
      assert.equal(shape(await simple('delete from orders')), 'CZ I');
      assert.equal(await count(), 0);
    });
  });
}
