/** The gateway's own connection, at a server that answers as it should, and at one that does not. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { GatewayError } from '#core/errors.ts';
import { defaultLimits } from '#core/limits.ts';
import { manualClock } from '../../../test/support/clock.ts';
import { MemoryWire } from '../../../test/support/memory-wire.ts';
import {
  bare,
  commandComplete,
  dataRow,
  errorResponse,
  readyForQuery,
  rowDescription,
} from '../../../test/support/server-stream.ts';
import { backend } from './codec/messages.ts';
import { encodeBare, encodeQuery } from './codec/write.ts';
import { OwnConnection } from './own-connection.ts';

const answer = Buffer.concat([
  rowDescription([{ name: 'a', typeOid: 25 }]),
  dataRow(['one', null]),
  dataRow(['', 'zwölf']),
  commandComplete('SELECT 2'),
  readyForQuery(),
]);
const rows = [
  ['one', null],
  ['', 'zwölf'],
];

function open(options: { readonly rest?: Uint8Array; readonly charactersMax?: number } = {}) {
  const wire = new MemoryWire();
  const clock = manualClock();
  const stop = new AbortController();
  const limits = {
    ...defaultLimits,
    frameBytesMax: 10_000,
    catalogueCharactersMax: options.charactersMax ?? 100,
  };
  const connection = new OwnConnection(
    {
      wire,
      parameters: new Map(),
      processId: 1,
      cancelKey: new Uint8Array(4),
      version: 0x30000,
      rest: options.rest ?? new Uint8Array(0),
    },
    { limits, clock },
    stop.signal,
  );
  return { wire, clock, stop, connection };
}

describe('a connection of the gateway’s own', () => {
  it('asks one thing after the other, and reads answers cut anywhere', async () => {
    for (let size = 1; size <= answer.length; size += 1) {
      const { wire, connection } = open();
      const first = connection.query('select 1');
      for (let at = 0; at < answer.length; at += size) wire.feed(answer.subarray(at, at + size));
      assert.deepEqual(await first, rows);
      const second = connection.query('select 2');
      wire.feed(Buffer.concat([bare(backend.emptyQueryResponse), readyForQuery()]));
      assert.deepEqual(await second, []);
      assert.deepEqual(
        Buffer.from(wire.written),
        Buffer.concat([encodeQuery('select 1'), encodeQuery('select 2')]),
      );
    }
  });

  it('takes what came behind the login', async () => {
    const { wire, connection } = open({ rest: answer.subarray(0, 30) });
    const asked = connection.query('select 1');
    wire.feed(answer.subarray(30));
    assert.deepEqual(await asked, rows);
  });

  it('goes on after an error of the server, whose words are for the operator', async () => {
    const { wire, connection } = open();
    const refused = connection.query('select x');
    wire.feed(Buffer.concat([errorResponse({ C: '42703', M: 'no column' }), readyForQuery()]));
    await assert.rejects(refused, (error: GatewayError) => {
      assert.equal(error.code, 'SP_TARGET_PROTOCOL');
      assert.deepEqual(error.facts, { serverState: '42703', serverMessage: 'no column' });
      assert.equal(error.message.includes('column'), false);
      return true;
    });
    const again = connection.query('select 1');
    wire.feed(answer);
    assert.deepEqual(await again, rows);
  });

  it('believes nothing any more once it is out of step', async () => {
    const wrong: readonly Uint8Array[] = [
      bare(backend.copyBothResponse),
      dataRow(['x'.repeat(101)]),
      Buffer.from([backend.dataRow, 0, 0, 0, 6, 0, 9]),
      Buffer.from([backend.dataRow, 0x7f, 0, 0, 0]),
      Buffer.from([backend.dataRow, 0, 0, 0, 1]),
    ];
    for (const bytes of wrong) {
      const { wire, connection } = open();
      const asked = connection.query('select 1');
      wire.feed(bytes);
      wire.feed(answer);
      await assert.rejects(asked, { code: 'SP_TARGET_PROTOCOL' });
      await assert.rejects(connection.query('select 2'), { code: 'SP_TARGET_PROTOCOL' });
      assert.deepEqual(Buffer.from(wire.written), Buffer.from(encodeQuery('select 1')));
    }
  });

  it('ends with the server, and when it is told to', async () => {
    const gone = open();
    const asked = gone.connection.query('select 1');
    gone.wire.feedEnd();
    await assert.rejects(asked, { code: 'SP_TARGET_LOST' });
    const stopped = open();
    const waiting = stopped.connection.query('select 1');
    stopped.stop.abort(new GatewayError('SP_TARGET_UNREACHABLE'));
    await assert.rejects(waiting, { code: 'SP_TARGET_UNREACHABLE' });
  });

  it('says goodbye, and does not wait for ever', () => {
    const { wire, clock, connection } = open();
    connection.close();
    assert.deepEqual(Buffer.from(wire.written), Buffer.from(encodeBare(0x58)));
    assert.equal(wire.state, 'ended');
    clock.advance(1_000);
    assert.equal(wire.state, 'destroyed');
  });

  it('answers any bytes with rows or an error of ours', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(fc.uint8Array({ maxLength: 40 })), async (chunks) => {
        const { wire, connection } = open();
        const asked = connection.query('select 1');
        for (const chunk of chunks) wire.feed(chunk);
        wire.feedEnd();
        await asked.catch((thrown: unknown) => assert.ok(thrown instanceof GatewayError));
      }),
    );
  });
});
