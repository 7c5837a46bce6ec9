import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { systemClock } from '#core/clock.ts';
import { GatewayError } from '#core/errors.ts';
import { defaultLimits, type Limits } from '#core/limits.ts';
import type { ContentScanner, MaskSet } from '#core/masking.ts';
import { FakeWire } from '../../../test/support/fake-wire.ts';
import { masksOn, noMasks, testStages } from '../../../test/support/relay.ts';
import {
  bare,
  type Cell,
  commandComplete,
  copyData,
  copyOutResponse,
  dataRow,
  errorResponse,
  type Field,
  readyForQuery,
  rowDescription,
} from '../../../test/support/server-stream.ts';
import { backend } from './codec/messages.ts';
import { nothing } from './commands.ts';
import { Conversation } from './relay-conversation.ts';
import { running } from './relay-expected.ts';
import { Lane } from './relay-lane.ts';
import { Outlet } from './relay-outlet.ts';
import { ServerSide } from './relay-server.ts';
import type { Catalogue, Relation } from './sql/catalogue.ts';
import type { CopyFormat, OutputColumn, SqlStatement } from './sql/types.ts';

const CANARY = 'canary-4111-1111-1111-1111';

/** One table, `public.people`: 1 id, 2 ssn, 3 note. */
const people = {
  oid: 5000,
  schema: 'public',
  name: 'people',
  kind: 'table',
  parentOids: [],
  columns: [
    { name: 'id', attnum: 1, typeOid: 23 },
    { name: 'ssn', attnum: 2, typeOid: 25 },
    { name: 'note', attnum: 3, typeOid: 25 },
  ],
} as unknown as Relation;
const catalogue = {
  version: '1',
  relationByOid: (oid: number) => (oid === people.oid ? people : undefined),
  relation: (schema: string, name: string) =>
    schema === 'public' && name === 'people' ? people : undefined,
} as unknown as Catalogue;

interface Case {
  readonly masks: MaskSet;
  readonly statement: SqlStatement;
  readonly limits?: Partial<Limits>;
  readonly formats?: readonly number[];
  readonly fields?: readonly Field[];
}

/** Feeds a server's stream in the given pieces and gives what the client got. */
function feed(test: Case, pieces: readonly Uint8Array[], holds = false): Uint8Array {
  const wire = new FakeWire();
  wire.holds = holds;
  const limits = { ...defaultLimits, ...test.limits };
  const stages = testStages({ masks: () => test.masks });
  const conversation = new Conversation(stages, limits, systemClock);
  conversation.learn(catalogue, {
    searchPath: ['pg_catalog', 'public'],
    role: 'a',
    sessionUser: 'a',
    database: 'd',
    processId: 1,
    temporarySchemaOid: 0,
    unsound: undefined,
  });
  const outlet = new Outlet(wire);
  const side = new ServerSide({ conversation, outlet, parameters: new Map() });
  const lane = new Lane(side, outlet);
  wire.attach({
    data: () => {},
    drained: () => outlet.drained(),
    ended: () => {},
    closed: () => {},
  });
  const { masks, statement, formats, fields } = test;
  const entry = conversation.expect(formats === undefined ? 'query' : 'execute');
  const item = running(statement, formats === undefined ? { masks } : { masks, formats });
  if (fields !== undefined) {
    item.description = { fields: fields.map((field) => ({ ...plain, ...field })) };
  }
  entry.statements = [item];
  conversation.sent(statement);
  if (formats !== undefined) conversation.expect('sync');
  for (const piece of pieces) {
    // The reader's buffer is reused for every read: what was not copied is gone.
    const buffer = new Uint8Array(piece);
    lane.feed(buffer);
    if (outlet.blocked) wire.drain();
    buffer.fill(0x2a);
  }
  return wire.output;
}

const plain = { tableOid: 0, attnum: 0, typeBytes: -1, typmod: -1, format: 0 };

const statementOf = (parts: Partial<SqlStatement>): SqlStatement => ({ ...nothing, ...parts });
const column = (parts: Partial<OutputColumn> = {}): OutputColumn => ({
  name: 'c',
  sources: [],
  direct: undefined,
  unknown: false,
  ...parts,
});
const ssnColumn = column({ sources: ['public.people.ssn'], direct: 'public.people.ssn' });
const touchesSsn = {
  ...nothing.facts,
  columns: [{ name: 'public.people.ssn', use: 'return' as const, masked: true }],
};

/** Every way to cut a stream in two, byte by byte, and random ones. */
function atEverySplit(stream: Uint8Array, check: (pieces: readonly Uint8Array[]) => void): void {
  for (let cut = 0; cut <= stream.length; cut += 1) {
    check([stream.subarray(0, cut), stream.subarray(cut)]);
  }
  check(Array.from(stream, (byte) => Uint8Array.of(byte)));
  fc.assert(
    fc.property(fc.array(fc.integer({ min: 1, max: 200 }), { maxLength: 40 }), (sizes) => {
      const pieces: Uint8Array[] = [];
      let at = 0;
      for (const size of sizes) {
        pieces.push(stream.subarray(at, at + size));
        at += size;
      }
      pieces.push(stream.subarray(Math.min(at, stream.length)));
      check(pieces);
    }),
    { numRuns: 50 },
  );
}

const fields: readonly Field[] = [
  { name: 'id', tableOid: 5000, attnum: 1, typeOid: 23 },
  { name: 'ssn', tableOid: 5000, attnum: 2, typeOid: 25 },
  { name: 'note', tableOid: 5000, attnum: 3, typeOid: 25 },
];
const bySource = masksOn({ 'public.people.ssn': { kind: 'redact' } });
const rows: readonly (readonly Cell[])[] = [
  ['1', CANARY, 'a note'],
  ['2', null, ''],
  ['3', '', CANARY.slice(0, 6)],
  ['4', 'short', null],
];
const masked: readonly (readonly Cell[])[] = [
  ['1', '[redacted]', 'a note'],
  ['2', null, ''],
  ['3', '[redacted]', CANARY.slice(0, 6)],
  ['4', '[redacted]', null],
];
const result = (cells: readonly (readonly Cell[])[]): Uint8Array =>
  Buffer.concat([
    rowDescription(fields),
    ...cells.map(dataRow),
    commandComplete('SELECT 4'),
    readyForQuery(),
  ]);

describe('rows', () => {
  const statement = statementOf({
    facts: touchesSsn,
    output: [column(), ssnColumn, column()],
  });

  it('passes everything untouched when there are no masks, in one write a chunk', () => {
    const stream = result(rows);
    atEverySplit(stream, (pieces) => {
      assert.deepEqual(feed({ masks: noMasks, statement }, pieces), Buffer.from(stream));
    });
  });

  it('masks a column at every split of the stream, also when the wire holds its writes', () => {
    const expected = Buffer.from(result(masked));
    atEverySplit(result(rows), (pieces) => {
      assert.deepEqual(feed({ masks: bySource, statement }, pieces), expected);
      assert.deepEqual(feed({ masks: bySource, statement }, pieces, true), expected);
    });
  });

  it('masks by the row description alone, and by the analyser alone', () => {
    const clean = statementOf({ output: [column(), column(), column()] });
    const expected = Buffer.from(result(masked));
    assert.deepEqual(feed({ masks: bySource, statement: clean }, [result(rows)]), expected);
    const anonymous = fields.map(({ name, typeOid }) => ({ name, typeOid }));
    const stream = Buffer.concat([rowDescription(anonymous), dataRow(['1', CANARY, 'x'])]);
    const output = feed({ masks: bySource, statement }, [stream]);
    assert.equal(Buffer.from(output).includes(CANARY), false);
    assert.ok(Buffer.from(output).includes('[redacted]'));
  });

  it('masks every column when nothing is known of the output', () => {
    const unknown = statementOf({ facts: touchesSsn, output: undefined });
    const stream = Buffer.concat([
      rowDescription([{ name: CANARY, typeOid: 25 }]),
      dataRow([CANARY]),
    ]);
    const output = Buffer.from(feed({ masks: bySource, statement: unknown }, [stream]));
    assert.equal(output.includes(CANARY), false);
  });

  it('masks a table that the catalogue does not know, and whole rows', () => {
    const clean = statementOf({ output: [column()] });
    for (const [tableOid, attnum] of [
      [99_999, 1],
      [5000, 0],
    ]) {
      const field: Field = { name: 'c', tableOid: tableOid ?? 0, attnum: attnum ?? 0, typeOid: 25 };
      const stream = Buffer.concat([rowDescription([field]), dataRow([CANARY])]);
      const output = Buffer.from(feed({ masks: bySource, statement: clean }, [stream]));
      assert.equal(output.includes(CANARY), false);
    }
  });

  it('keeps binary cells valid values of their types', () => {
    const all = masksOn({ 'public.people.id': { kind: 'redact' } });
    const described = [{ name: 'id', tableOid: 5000, attnum: 1, typeOid: 23 }];
    const test: Case = {
      masks: all,
      statement: statementOf({ output: [column()] }),
      formats: [1],
      fields: described,
    };
    const stream = Buffer.concat([
      dataRow([Uint8Array.of(0, 0, 1, 2)]),
      commandComplete('SELECT 1'),
    ]);
    assert.deepEqual(
      feed(test, [stream]),
      Buffer.concat([dataRow([Uint8Array.of(0, 0, 0, 0)]), commandComplete('SELECT 1')]),
    );
  });

  it('does not let rows leave that nobody described', () => {
    const test: Case = { masks: bySource, statement, formats: [] };
    assert.throws(() => feed(test, [dataRow(['1', CANARY, 'x'])]), { code: 'SP_MASK_UNSOUND' });
  });

  it('masks rows and cells above the limits by state, at every split', () => {
    const limits = { cellBytesMax: 64 };
    const big = 'x'.repeat(90);
    const large = [
      [big, CANARY, big],
      ['1', CANARY + big, 'y'],
      ['2', null, big + big],
    ];
    const expected = Buffer.from(
      result(
        large.map(([id = '', ssn, note = '']) => [id, ssn === null ? null : '[redacted]', note]),
      ),
    );
    atEverySplit(result(large), (pieces) => {
      assert.deepEqual(feed({ masks: bySource, statement, limits }, pieces), expected);
    });
  });

  it('replaces a scanned cell above the limit unread', () => {
    const content = scannerFor(CANARY);
    const masks = masksOn({}, content);
    const limits = { cellBytesMax: 64 };
    const big = `${'x'.repeat(80)}${CANARY}`;
    const clean = statementOf({ output: [column(), column(), column()] });
    const expected = Buffer.from(
      result([
        ['1', '[redacted]', 'ok'],
        ['2', '[found]', 'ok'],
      ]),
    );
    atEverySplit(
      result([
        ['1', big, 'ok'],
        ['2', CANARY, 'ok'],
      ]),
      (pieces) => {
        assert.deepEqual(feed({ masks, statement: clean, limits }, pieces), expected);
      },
    );
  });

  it('ends at rows that are not what was described', () => {
    const bad = [
      dataRow(['1', CANARY]),
      dataRow(['1', CANARY, 'x', 'y']),
      Buffer.from([0x44, 0, 0, 0, 10, 0, 3, 0x7f, 0xff, 0xff, 0xff]),
      Buffer.from([0x44, 0, 0, 0, 5, 0]),
    ];
    for (const row of bad) {
      const stream = Buffer.concat([rowDescription(fields), row]);
      assert.throws(() => feed({ masks: bySource, statement }, [stream]), GatewayError);
    }
  });
});

/** A scanner that finds one text. */
function scannerFor(secret: string): ContentScanner {
  const find = (bytes: Uint8Array, start: number, end: number): Uint8Array | undefined => {
    const text = Buffer.from(bytes.subarray(start, end)).toString('latin1');
    return text.includes(secret) ? Buffer.from(text.replaceAll(secret, '[found]')) : undefined;
  };
  return {
    hint: () => 0,
    cell: find,
    stream: () => {
      throw new Error('not used');
    },
  };
}

describe('COPY', () => {
  const copyOf = (parts: Partial<CopyFormat>): CopyFormat => ({
    format: 'text',
    delimiter: '\t',
    nullText: '\\N',
    quote: '"',
    escape: '"',
    header: false,
    ...parts,
  });
  const statement = (copy: CopyFormat | undefined): SqlStatement =>
    statementOf({ facts: touchesSsn, output: [column(), ssnColumn, column()], copy });
  const stream = (frames: readonly (Uint8Array | string)[], binary = false): Uint8Array =>
    Buffer.concat([
      copyOutResponse(3, binary),
      ...frames.map((frame) => copyData(frame)),
      bare(backend.copyDone),
      commandComplete('COPY 2'),
      readyForQuery(),
    ]);
  /** The payload of all CopyData. */
  const payload = (bytes: Uint8Array): string => {
    let out = '';
    for (let at = 0; at < bytes.length; ) {
      const total = 1 + Buffer.from(bytes).readInt32BE(at + 1);
      if (bytes[at] === backend.copyData) {
        out += Buffer.from(bytes.subarray(at + 5, at + total)).toString('latin1');
      }
      at += total;
    }
    return out;
  };
  const check = (copy: CopyFormat, lines: readonly string[], expected: string): void => {
    const whole = lines.join('');
    // Frames carry no meaning: rows may be one a frame, all in one, or cut anywhere.
    const framings = [lines, [whole], [whole.slice(0, 7), whole.slice(7, 30), whole.slice(30)]];
    for (const frames of framings) {
      atEverySplit(stream(frames), (pieces) => {
        const output = feed({ masks: bySource, statement: statement(copy) }, pieces);
        assert.equal(payload(output), expected);
      });
    }
    const limits = { cellBytesMax: 16 };
    const output = feed({ masks: bySource, statement: statement(copy), limits }, [stream([whole])]);
    assert.equal(payload(output).includes(CANARY), false);
  };

  it('masks the text format', () => {
    check(
      copyOf({}),
      [`1\t${CANARY}\tnote\n`, '2\t\\N\t\\N\n', `3\ttab\\t${CANARY}\\\\\tx\\ny\n`],
      '1\t[redacted]\tnote\n2\t\\N\t\\N\n3\t[redacted]\tx\\ny\n',
    );
  });

  it('masks CSV, with quotes, lines within quotes and a header', () => {
    check(
      copyOf({ format: 'csv', delimiter: ',', nullText: '', header: true }),
      [
        'id,ssn,note\n',
        `1,"a ""q"", ${CANARY}\nnext",n\n`,
        '2,,"x,y"\n',
        `3,"",${CANARY.slice(0, 3)}\n`,
      ],
      'id,ssn,note\n1,"[redacted]",n\n2,,"x,y"\n3,"[redacted]",can\n',
    );
  });

  it('masks the binary format', () => {
    const head = Buffer.from('PGCOPY\n\xff\r\n\0\0\0\0\0\0\0\0\0', 'latin1');
    const cell = (text: string): Buffer => {
      const bytes = Buffer.from(text);
      const length = Buffer.alloc(4);
      length.writeInt32BE(bytes.length);
      return Buffer.concat([length, bytes]);
    };
    const nul = Buffer.from([0xff, 0xff, 0xff, 0xff]);
    const row = (...cells: readonly Buffer[]): Buffer =>
      Buffer.concat([Buffer.from([0, 3]), ...cells]);
    const trailer = Buffer.from([0xff, 0xff]);
    const data = Buffer.concat([
      head,
      row(cell('1234'), cell(CANARY), nul),
      row(nul, nul, cell('n')),
      trailer,
    ]);
    const expected = Buffer.concat([
      head,
      row(cell('1234'), cell('[redacted]'), nul),
      row(nul, nul, cell('n')),
      trailer,
    ]);
    const test = { masks: bySource, statement: statement(copyOf({ format: 'binary' })) };
    for (const frames of [[data], [data.subarray(0, 25), data.subarray(25)]]) {
      atEverySplit(stream(frames, true), (pieces) => {
        assert.equal(payload(feed(test, pieces)), expected.toString('latin1'));
      });
    }
  });

  it('ends at data that does not fit the statement', () => {
    for (const line of ['1\tx\n', '1\tx\ty\tz\n', '1\tx']) {
      const test = { masks: bySource, statement: statement(copyOf({})) };
      assert.throws(() => feed(test, [stream([line])]), { code: 'SP_MASK_UNSOUND' });
    }
    const unknown = { masks: bySource, statement: statement(undefined) };
    assert.throws(() => feed(unknown, [stream(['1\tx\ty\n'])]), { code: 'SP_MASK_UNSOUND' });
  });
});

describe('messages', () => {
  const leaky = statementOf({ facts: touchesSsn, output: [], messagesMayLeak: true });
  const sent = { S: 'ERROR', V: 'ERROR', C: '22P02', M: CANARY, D: CANARY, H: CANARY, q: CANARY };

  it('takes the texts of errors and notices that may hold masked values', () => {
    for (const type of [backend.errorResponse, backend.noticeResponse]) {
      atEverySplit(errorResponse(sent, type), (pieces) => {
        const output = Buffer.from(feed({ masks: bySource, statement: leaky }, pieces));
        assert.equal(output.includes('canary'), false);
        assert.ok(output.includes('22P02'));
        assert.ok(output.includes('data exception'));
      });
    }
  });

  it('leaves the messages of other statements as they are', () => {
    const message = errorResponse(sent);
    const quiet = { ...leaky, messagesMayLeak: false };
    assert.deepEqual(feed({ masks: bySource, statement: quiet }, [message]), Buffer.from(message));
    assert.deepEqual(feed({ masks: noMasks, statement: leaky }, [message]), Buffer.from(message));
  });

  it('withholds payloads of notifications and settings that a statement computed', () => {
    const notification = Buffer.from('A\0\0\0\0\0\0\0\x01ch\0canary\0', 'latin1');
    notification.writeInt32BE(notification.length - 1, 1);
    const status = Buffer.from('S\0\0\0\0application_name\0canary\0', 'latin1');
    status.writeInt32BE(status.length - 1, 1);
    const output = feed({ masks: bySource, statement: leaky }, [notification, status]);
    assert.equal(Buffer.from(output).includes('canary'), false);
    assert.ok(Buffer.from(output).includes('ch\0'));
  });
});

describe('a hostile server', () => {
  it('ends the session, whatever it sends', () => {
    const statement = statementOf({ facts: touchesSsn, output: [column(), ssnColumn, column()] });
    fc.assert(
      fc.property(
        fc.array(
          fc.oneof(
            fc.uint8Array({ maxLength: 40 }),
            fc.constantFrom(rowDescription(fields), dataRow(['1', CANARY, 'x']), readyForQuery()),
            fc.constantFrom(bare(backend.copyDone), copyData(CANARY), copyOutResponse(3, false)),
          ),
          { maxLength: 12 },
        ),
        (pieces) => {
          try {
            const output = feed({ masks: bySource, statement }, pieces);
            assert.equal(Buffer.from(output).includes(CANARY), false);
          } catch (thrown) {
            assert.ok(thrown instanceof GatewayError, String(thrown));
          }
        },
      ),
      { numRuns: 500 },
    );
  });
});
