import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { frameBytes, headerBytes, Inbox, rowOf } from './frames.ts';
import { backend, backendTable, frontend, frontendTable } from './messages.ts';
import {
  readBind,
  readExecute,
  readNamed,
  readNoticeFields,
  readParameterStatus,
  readParameterTypes,
  readParse,
  readQuery,
  readRowDescription,
} from './read.ts';
import {
  encodeBind,
  encodeClose,
  encodeDescribe,
  encodeExecute,
  encodeNotice,
  encodeParse,
  encodeQuery,
  MessageWriter,
} from './write.ts';

const readers = [
  readBind,
  readExecute,
  readNamed,
  readNoticeFields,
  readParameterStatus,
  readParameterTypes,
  readParse,
  readQuery,
  readRowDescription,
];

/** Text without a zero byte, which no message can carry. */
const text = fc
  .string({ unit: 'grapheme', maxLength: 30 })
  .filter((value) => !value.includes('\0'));
const value = fc.oneof(fc.constant(null), fc.uint8Array({ maxLength: 20 }));

describe('the tables of messages', () => {
  it('have a row for every type that is named, and none for the rest', () => {
    for (const [types, table] of [
      [frontend, frontendTable],
      [backend, backendTable],
    ] as const) {
      const named = new Set<number>(Object.values(types));
      for (let type = 0; type < 256; type += 1) {
        assert.equal(table[type] !== undefined, named.has(type), String.fromCharCode(type));
      }
    }
  });

  it('refuse unknown types and bodies of a wrong size', () => {
    assert.throws(() => rowOf(frontendTable, 0x21, 5), { code: 'SP_FRAME_MALFORMED' });
    assert.throws(() => rowOf(frontendTable, frontend.sync, 6), { code: 'SP_FRAME_MALFORMED' });
    assert.throws(() => rowOf(backendTable, backend.readyForQuery, 5), {
      code: 'SP_FRAME_MALFORMED',
    });
  });
});

describe('frames', () => {
  it('refuse lengths that cannot be', () => {
    for (const length of [0, 1, 3, -1, -2147483648, 0xffffffff]) {
      const bytes = new MessageWriter().begin(0x51).int32(0).end().done();
      new DataView(bytes.buffer).setInt32(1, length | 0);
      assert.throws(() => frameBytes(bytes, 0), { code: 'SP_FRAME_MALFORMED' });
    }
    const longest = Uint8Array.of(0x51, 0x7f, 0xff, 0xff, 0xff);
    assert.equal(frameBytes(longest, 0), 2147483648);
  });

  it('come out of an inbox as they went in, at any chunking', () => {
    const messages = fc.array(fc.uint8Array({ maxLength: 60 }), { minLength: 1, maxLength: 8 });
    fc.assert(
      fc.property(messages, fc.array(fc.integer({ min: 1, max: 30 })), (bodies, sizes) => {
        const writer = new MessageWriter();
        for (const body of bodies) writer.begin(0x64).bytes(body).end();
        const stream = writer.done();
        const inbox = new Inbox();
        const out: Uint8Array[] = [];
        let at = 0;
        for (const size of [...sizes, stream.length]) {
          const end = Math.min(stream.length, at + size);
          while (at < end) {
            const count = Math.min(Math.max(inbox.missing(), 1), end - at);
            inbox.append(stream, at, at + count);
            at += count;
            if (inbox.length < headerBytes || inbox.missing() > 0) continue;
            out.push(new Uint8Array(inbox.view()));
            inbox.consume(inbox.length);
          }
        }
        assert.deepEqual(Buffer.concat(out), Buffer.from(stream));
        assert.equal(out.length, bodies.length);
      }),
    );
  });
});

describe('readers', () => {
  it('give back what the writers wrote', () => {
    fc.assert(
      fc.property(
        text,
        text,
        fc.array(fc.nat(0xffffffff), { maxLength: 5 }),
        (name, sql, types) => {
          const parse = encodeParse(name, sql, types);
          assert.deepEqual(readParse(parse, 0, parse.length), { name, text: sql, types });
          const query = encodeQuery(sql);
          assert.equal(readQuery(query, 0, query.length), sql);
          for (const [what, letter] of [
            ['statement', 'S'],
            ['portal', 'P'],
          ] as const) {
            for (const message of [encodeDescribe(letter, name), encodeClose(letter, name)]) {
              assert.deepEqual(readNamed(message, 0, message.length), { what, name });
            }
          }
          const execute = encodeExecute(name, 7);
          assert.equal(readExecute(execute, 0, execute.length), name);
        },
      ),
    );
  });

  it('give back a Bind', () => {
    fc.assert(
      fc.property(
        text,
        text,
        fc.array(value, { maxLength: 6 }),
        fc.boolean(),
        (portal, statement, values, binary) => {
          const formats = binary ? [1] : [];
          const bind = encodeBind({ portal, statement, values, formats, resultFormats: formats });
          const found = readBind(bind, 0, bind.length);
          assert.equal(found?.portal, portal);
          assert.equal(found.statement, statement);
          assert.deepEqual(found.resultFormats, formats);
          const expected = values.map((bytes) => ({
            format: binary ? 1 : 0,
            bytes: bytes === null ? null : new Uint8Array(bytes),
          }));
          assert.deepEqual(
            found.parameters.map(({ format, bytes }) => ({
              format,
              bytes: bytes === null ? null : new Uint8Array(bytes),
            })),
            expected,
          );
        },
      ),
    );
  });

  it('answer nothing for a message that is cut short or has bytes left over', () => {
    const bind = encodeBind({
      portal: 'p',
      statement: 's',
      values: ['a', null],
      resultFormats: [1, 0],
    });
    const parse = encodeParse('s', 'SELECT 1', [23]);
    for (const [message, read] of [
      [bind, readBind],
      [parse, readParse],
      [encodeQuery('SELECT 1'), readQuery],
      [encodeExecute('p'), readExecute],
      [encodeClose('S', 's'), readNamed],
    ] as const) {
      assert.notEqual(read(message, 0, message.length), undefined);
      for (let end = headerBytes; end < message.length; end += 1) {
        assert.equal(read(message, 0, end), undefined, `${read.name} at ${end}`);
      }
      const longer = Buffer.concat([message, Uint8Array.of(0)]);
      assert.equal(read(longer, 0, longer.length), undefined, read.name);
    }
  });

  it('refuse text that is not UTF-8, and a second zero byte', () => {
    for (const body of [[0x53, 0xff, 0], [0x53, 0, 0x53, 0], [], [0xed, 0xa0, 0x80, 0]]) {
      const query = new MessageWriter().begin(0x51).bytes(Uint8Array.from(body)).end().done();
      assert.equal(readQuery(query, 0, query.length), undefined);
    }
  });

  it('never throw and never look beyond the message, whatever it holds', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 80 }), fc.nat(20), (body, behind) => {
        const bytes = Buffer.concat([
          new Uint8Array(headerBytes),
          body,
          Buffer.alloc(behind, 0x41),
        ]);
        const end = headerBytes + body.length;
        const alone = bytes.subarray(0, end);
        for (const read of readers) {
          assert.deepEqual(read(bytes, 0, end), read(alone, 0, end), read.name);
        }
      }),
      { numRuns: 2000 },
    );
  });

  it('read what the gateway says of itself', () => {
    const message = encodeNotice({
      severity: 'ERROR',
      sqlstate: '42501',
      message: 'no\0no',
      detail: '',
      hint: 'h',
    });
    const fields = readNoticeFields(message, 0, message.length) ?? [];
    assert.equal(fields.map(({ code }) => code).join(''), 'SVCMH');
    assert.ok(Buffer.from(message).includes('nono'));
  });
});
