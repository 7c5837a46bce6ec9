import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { postgresRenderer } from './postgres.ts';

function message(type: string, ...parts: readonly (string | Buffer)[]): Buffer {
  const body = Buffer.concat(parts.map((part) => Buffer.from(part)));
  const head = Buffer.alloc(5);
  head.write(type, 'latin1');
  head.writeUInt32BE(body.length + 4, 1);
  return Buffer.concat([head, body]);
}

const uint16 = (value: number): Buffer => Buffer.from([value >> 8, value & 0xff]);
const int32 = (value: number): Buffer => {
  const bytes = Buffer.alloc(4);
  bytes.writeInt32BE(value);
  return bytes;
};
const columns = (...names: readonly string[]): Buffer =>
  message('T', uint16(names.length), ...names.flatMap((name) => [`${name}\0`, Buffer.alloc(18)]));
const row = (...cells: readonly (string | Buffer | null)[]): Buffer =>
  message(
    'D',
    uint16(cells.length),
    ...cells.flatMap((cell) =>
      cell === null ? [int32(-1)] : [int32(Buffer.byteLength(cell)), cell],
    ),
  );

const session = Buffer.concat([
  message('R', int32(0)),
  message('Z', 'I'),
  columns('id', 'name'),
  row('1', 'Ada'),
  row('2', null),
  row('3', Buffer.from([0, 0xff])),
  message('C', 'SELECT 3\0'),
  message('N', 'SNOTICE\0C00000\0Mcareful\0\0'),
  message('E', 'SERROR\0C42501\0Mdenied by policy\0Drule x\0Hask\0\0'),
  message('H', '\0', uint16(0)),
  message('d', '1\tAda\n'),
  message('c'),
  message('C', 'COPY 1\0'),
  message('I'),
]);
const shown = [
  '  id | name',
  '  1 | Ada',
  '  2 | NULL',
  '  3 | \\x00ff',
  '(SELECT 3)',
  'NOTICE 00000: careful',
  'ERROR 42501: denied by policy; rule x; ask',
  '  1\tAda\\n',
  '(copy, 6 bytes)',
  '(COPY 1)',
  '(empty query)',
];

describe('postgresRenderer', () => {
  it('shows rows, tags, notices, errors and copies', () => {
    assert.deepEqual(postgresRenderer().render('to-client', session), shown);
  });

  it('shows the same for every split, and byte by byte', () => {
    for (let at = 0; at <= session.length; at += 1) {
      const renderer = postgresRenderer();
      const lines = [
        ...renderer.render('to-client', session.subarray(0, at)),
        ...renderer.render('to-client', session.subarray(at)),
      ];
      assert.deepEqual(lines, shown, `split at ${at}`);
    }
    const renderer = postgresRenderer();
    const lines = [...session].flatMap((byte) => renderer.render('to-client', Uint8Array.of(byte)));
    assert.deepEqual(lines, shown);
  });

  it('keeps nothing of the memory that it was given', () => {
    const renderer = postgresRenderer();
    const memory = Buffer.from(session.subarray(0, 40));
    const lines = [...renderer.render('to-client', memory)];
    memory.fill(0);
    lines.push(...renderer.render('to-client', session.subarray(40)));
    assert.deepEqual(lines, shown);
  });

  it('passes over a message above its limit and goes on', () => {
    const renderer = postgresRenderer();
    const large = Buffer.concat([row('x'.repeat(3_000_000)), row('after')]);
    const lines: string[] = [];
    for (let at = 0; at < large.length; at += 65_536) {
      lines.push(...renderer.render('to-client', large.subarray(at, at + 65_536)));
    }
    assert.deepEqual(lines, ['(a message of 3000010 bytes)', '  after']);
  });

  it('cuts a long cell and says so', () => {
    const [line = ''] = postgresRenderer().render('to-client', row('y'.repeat(5000)));
    assert.equal(line, `  ${'y'.repeat(1024)} … (5000 bytes)`);
  });

  it('ends the showing at bytes that are no messages', () => {
    const renderer = postgresRenderer();
    const [line] = renderer.render('to-client', Buffer.from('HTTP\0\0\0\0'.slice(3)));
    assert.match(line ?? '', /not in step/);
    assert.deepEqual(renderer.render('to-client', session), []);
  });

  it('answers whatever it is given', () => {
    fc.assert(
      fc.property(fc.array(fc.uint8Array({ maxLength: 200 })), (chunks) => {
        const renderer = postgresRenderer();
        for (const chunk of chunks) renderer.render('to-client', chunk);
        // Well-framed rubbish gets further in.
        const framed = chunks.map((chunk) =>
          message(String.fromCharCode((chunk[0] ?? 0) & 0x7f), Buffer.from(chunk)),
        );
        postgresRenderer().render('to-client', Buffer.concat(framed));
      }),
      { numRuns: 500 },
    );
  });
});
