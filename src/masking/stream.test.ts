import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import type { TextStream } from '#core/masking.ts';
import { createMaskSet } from './mask-set.ts';
import { PIECE_BYTES_MAX } from './segments.ts';

const { content } = createMaskSet(
  [{ id: 'm', columns: [], detect: ['pii', 'secret'], transform: { kind: 'redact' } }],
  { version: '1', hash: () => new Uint8Array(32) },
);

function open(): TextStream {
  assert.ok(content !== undefined);
  return content.stream();
}

/** What a stream gives for `bytes` that arrive cut at `cuts`. */
function masked(bytes: Uint8Array, cuts: readonly number[]): string {
  const stream = open();
  const out: Uint8Array[] = [];
  let from = 0;
  for (const cut of [...cuts, bytes.length]) {
    out.push(stream.push(bytes.subarray(from, cut)));
    from = cut;
  }
  out.push(stream.end());
  return Buffer.concat(out).toString('latin1');
}

const key = [
  `-----BEGIN RSA ${'PRIVATE'} KEY-----`,
  ...Array.from(
    { length: 20 },
    (_, i) => `${i}Q+XNgUNJ7LGnW6BEXIEXPJUTAli8V0BLoVbJGvSy4Bgyf4TEvMgWXVrVDWT6C`,
  ),
  `-----END RSA ${'PRIVATE'} KEY-----`,
].join('\n');
const lines: readonly string[] = [
  'level=info msg="sent" to=jane.doe@example.com card=4111 1111 1111 1111',
  'pan 4111\u001b[01;31m1111\u001b[0m11111111',
  '{"customer":{"name":"Jane Doe","ssn":"123-45-6789","phones":["+1 202 555 0123"]}}',
  `Authorization: Bearer eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0NTY3ODkwIn0.dozjgNryP4J3jVmNHl0w5N`,
  'postgres://app:s3cr3t-horse@db.internal/app',
  'plain words and numbers 12345 and 2025-04-08 01:39:02',
  '４１１１　１１１１　１１１１　１１１１ café',
  '- name: DB_PASSWORD\n  value: sw0rdfish-trombones',
  'Kind regards,\nJane Quintessa Doe\n',
  key,
  `before ${key} after`,
];

describe('a masking stream', () => {
  it('gives what the whole gives, cut at every byte', () => {
    const bytes = new TextEncoder().encode(lines.join('\n'));
    const whole = masked(bytes, []);
    for (const secret of [
      'trombones',
      'Quintessa',
      'example.com',
      '1111',
      '123-45',
      's3cr3t',
      'Q+XNgUN',
      'dozjg',
    ]) {
      assert.ok(!whole.includes(secret), whole);
    }
    assert.ok(whole.includes('plain words and numbers 12345 and 2025-04-08 01:39:02'));
    for (let cut = 0; cut <= bytes.length; cut += 1) assert.equal(masked(bytes, [cut]), whole);
  });

  it('gives what the whole gives, in pieces of any size', () => {
    fc.assert(
      fc.property(
        fc.array(fc.constantFrom(...lines), { minLength: 1, maxLength: 12 }),
        fc.constantFrom('\n', '\r\n', ' '),
        fc.integer({ min: 1, max: 200 }),
        (list, join, size) => {
          const bytes = new TextEncoder().encode(list.join(join));
          const cuts = Array.from(
            { length: Math.floor(bytes.length / size) },
            (_, i) => (i + 1) * size,
          );
          assert.equal(masked(bytes, cuts), masked(bytes, []));
        },
      ),
      { numRuns: 100 },
    );
  });

  it('masks what stands where a long line has to be cut', () => {
    const filler = 'lorem ipsum dolor sit amet, consectetur; ';
    const secret = 'card 4111 1111 1111 1111 and jane@example.com, ';
    for (let shift = 0; shift < filler.length; shift += 7) {
      const line = filler.repeat(1_500).slice(shift) + secret + filler.repeat(1_800) + secret;
      const bytes = new TextEncoder().encode(line);
      assert.ok(bytes.length > 2 * PIECE_BYTES_MAX);
      const whole = masked(bytes, []);
      assert.equal(
        whole.length,
        line.length - 2 * (secret.length - 'card [CREDIT_CARD] and [EMAIL], '.length),
      );
      assert.equal(masked(bytes, [100, 65_000, 65_536, 70_001]), whole);
      assert.ok(!whole.includes('1111') && !whole.includes('jane'));
    }
  });

  it('masks all of what cannot be cut', () => {
    const bytes = new TextEncoder().encode('a'.repeat(3 * PIECE_BYTES_MAX));
    const whole = masked(bytes, []);
    assert.ok(!whole.includes('aaaa'), whole.slice(0, 100));
    assert.equal(masked(bytes, [1, 99_999]), whole);
  });

  it('holds back a line and no more', () => {
    const stream = open();
    assert.equal(Buffer.from(stream.push(Buffer.from('one\ntwo'))).toString(), 'one\n');
    assert.equal(Buffer.from(stream.push(Buffer.from(' three\n'))).toString(), 'two three\n');
    assert.equal(stream.end().length, 0);
  });

  it('holds a bounded amount of a line without end', () => {
    const stream = open();
    let given = 0;
    for (let i = 0; i < 100; i += 1)
      given += stream.push(Buffer.from('lorem ipsum, '.repeat(1_000))).length;
    assert.ok(given >= 100 * 13_000 - 2 * PIECE_BYTES_MAX);
  });
});
