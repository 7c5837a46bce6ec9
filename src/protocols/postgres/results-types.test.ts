import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import fc from 'fast-check';
import { startPostgres, type TestPostgres } from '../../../test/support/postgres.ts';
import { RawClient } from '../../../test/support/raw-client.ts';
import { startRelay, type TestRelay } from '../../../test/support/relay.ts';
import { int16, int32 } from './codec/frames.ts';
import { frontend } from './codec/messages.ts';
import { encodeBare, encodeBind, encodeExecute, encodeParse } from './codec/write.ts';
import { cellType, knownTypes } from './results-types.ts';

/** Values of every type that has a codec, as PostgreSQL writes them. */
const values: Readonly<Record<string, readonly string[]>> = {
  text: ['', 'Grüße', '{}'],
  varchar: ['x'],
  bpchar: ['x'],
  name: ['x'],
  xml: ['<a/>'],
  int2: ['0', '-32768', '32767'],
  int4: ['0', '-2147483648', '2147483647'],
  int8: ['0', '-9223372036854775808', '9223372036854775807'],
  oid: ['0', '4294967295'],
  float4: ['0', '-1.5', '0.25'],
  float8: ['0', '-1.5', '1234567.125'],
  numeric: [
    '0',
    '1',
    '-1',
    '10000',
    '0.0001',
    '-12345.678900',
    '99999999999999999999.5',
    '100000000',
    '0.00',
  ],
  bool: ['t', 'f'],
  date: ['2000-01-01', '1970-01-01', '0001-01-01', '9999-12-31', '2024-02-29'],
  time: ['00:00:00', '23:59:59.999999', '12:30:00.5'],
  timetz: ['12:30:00+00:00', '23:59:59.5-11:30', '01:02:03+14:00'],
  timestamp: ['2000-01-01 00:00:00', '1969-12-31 23:59:59.999999', '2024-02-29 12:00:00.25'],
  timestamptz: ['2000-01-01 00:00:00+00', '1969-12-31 23:59:59.999999+00'],
  interval: ['0 mons 0 days 00:00:00', '14 mons 3 days 01:02:03.5', '-1 mons -2 days -03:00:00'],
  uuid: ['00000000-0000-0000-0000-000000000000', 'c0ffee00-1234-4abc-8def-0123456789ab'],
  inet: [
    '0.0.0.0',
    '10.1.2.3',
    '10.1.2.0/24',
    '2001:0db8:0000:0000:0000:0000:0000:0001',
    '0000:0000:0000:0000:0000:0000:0000:0000/0',
  ],
  cidr: ['10.0.0.0/8', '0.0.0.0/0'],
  macaddr: ['00:00:00:00:00:00', '08:00:2b:01:02:03'],
  json: ['null', '{"a": 1}'],
  jsonb: ['null', '{"a": 1}'],
  bytea: ['\\x', '\\xdeadbeef00'],
};

describe('types of cells', () => {
  let server: TestPostgres;
  let relay: TestRelay;
  before(async () => {
    server = await startPostgres({ version: 18, settings: { timezone: 'UTC' } });
    const { host, port, superuser } = server;
    relay = await startRelay({ host, port, username: superuser });
  });
  after(async () => {
    await relay.stop();
    await server.stop();
  });

  /** The type's number and the value in binary, as the server has them. */
  async function asServer(
    client: RawClient,
    type: string,
    value: string,
  ): Promise<[number, Uint8Array]> {
    const sql = `SELECT '${type}'::regtype::oid::int4, '${value.replaceAll("'", "''")}'::${type}`;
    client.send(
      encodeParse('', sql),
      encodeBind({ resultFormats: [1] }),
      encodeExecute(''),
      encodeBare(frontend.sync),
    );
    const row = (await client.ready()).find((message) => message.type === 'D');
    assert.ok(row !== undefined, `${type} ${value}`);
    const { bytes } = row;
    assert.equal(int16(bytes, 5), 2);
    return [int32(bytes, 11), bytes.subarray(19)];
  }

  it('decode and encode as the server does', async () => {
    const client = await RawClient.login(relay.port);
    for (const [type, texts] of Object.entries(values)) {
      for (const text of texts) {
        const [oid, binary] = await asServer(client, type, text);
        const codec = cellType(oid);
        assert.notEqual(codec.kind, 'other', type);
        assert.equal(codec.decode(binary, 0, binary.length), text, type);
        assert.deepEqual(
          Buffer.from(codec.encode(text) ?? []),
          Buffer.from(binary),
          `${type} ${text}`,
        );
      }
    }
    client.destroy();
  });

  it('know the empty array of every element type', async () => {
    const client = await RawClient.login(relay.port);
    for (const type of Object.keys(values)) {
      const [oid, binary] = await asServer(client, `${type}[]`, '{}');
      const codec = cellType(oid);
      assert.notEqual(codec.elementOid, 0, type);
      assert.deepEqual(Buffer.from(codec.encode('{}') ?? []), Buffer.from(binary), type);
    }
    client.destroy();
  });

  it('are of no kind when they are not known', () => {
    for (const oid of [0, 790, 600, 16_500, 4_294_967_295]) {
      const codec = cellType(oid);
      assert.equal(codec.kind, 'other');
      assert.equal(codec.encode('x'), undefined);
    }
  });

  it('never throw on bytes or texts that are no value', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 40 }), fc.string(), (bytes, text) => {
        for (const oid of knownTypes) {
          const codec = cellType(oid);
          const decoded = codec.decode(bytes, 0, bytes.length);
          assert.ok(decoded === undefined || typeof decoded === 'string');
          const encoded = codec.encode(text);
          if (encoded !== undefined && codec.elementOid === 0 && codec.kind !== 'other') {
            // What was encoded is a value: it can be read again.
            assert.notEqual(codec.decode(encoded, 0, encoded.length), undefined, `${oid} ${text}`);
          }
        }
      }),
      { numRuns: 300 },
    );
  });
});
