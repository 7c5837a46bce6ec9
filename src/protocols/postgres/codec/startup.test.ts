import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { GatewayError } from '#core/errors.ts';
import {
  decodeStartup,
  encodeSslRequest,
  encodeStartup,
  protocol30,
  protocol32,
  startupBodyBytes,
} from './startup.ts';
import { readOptions, splitOptions } from './startup-options.ts';

const packet = (code: number, body: string | Uint8Array): Uint8Array => {
  const head = Buffer.alloc(4);
  head.writeInt32BE(code);
  return Buffer.concat([head, Buffer.from(body)]);
};
const start = (body: string): Uint8Array => packet(protocol30, body);

describe('a start-up packet', () => {
  it('gives back what was encoded', () => {
    const text = fc.string({ minLength: 1, maxLength: 30, unit: 'binary' });
    const clean = text.filter((value) => !value.includes('\0'));
    const name = clean.filter((value) => !value.startsWith('_pq_.'));
    fc.assert(
      fc.property(fc.dictionary(name, clean, { maxKeys: 20 }), (sent) => {
        const parameters = new Map(Object.entries(sent));
        const bytes = encodeStartup(protocol32, parameters);
        const decoded = decodeStartup(bytes.subarray(4));
        assert.equal(Buffer.from(bytes).readInt32BE(), bytes.length);
        assert.deepEqual(decoded, {
          kind: 'startup',
          version: protocol32,
          parameters,
          protocolOptions: [],
        });
      }),
    );
  });

  it('knows the requests', () => {
    assert.deepEqual(decodeStartup(encodeSslRequest().subarray(4)), { kind: 'ssl' });
    assert.deepEqual(decodeStartup(packet(80877104, '')), { kind: 'gss' });
    const key = Buffer.from('0000002a01020304', 'hex');
    assert.deepEqual(decodeStartup(packet(80877102, key)), { kind: 'cancel', key });
    const long = Buffer.alloc(4 + 256, 7);
    assert.deepEqual(decodeStartup(packet(80877102, long)), { kind: 'cancel', key: long });
  });

  it('sets options of the protocol itself apart', () => {
    const decoded = decodeStartup(start('user\0x\0_pq_.grease\0\0\0'));
    assert.ok(decoded.kind === 'startup');
    assert.deepEqual(decoded.protocolOptions, ['_pq_.grease']);
    assert.deepEqual([...decoded.parameters], [['user', 'x']]);
  });

  it('refuses what PostgreSQL refuses, and what can be read in two ways', () => {
    const bad: readonly Uint8Array[] = [
      start(''),
      start('user'),
      start('user\0'),
      start('user\0x'),
      start('user\0x\0'),
      start('user\0x\0\0\0'),
      start('user\0x\0\0more\0y\0\0'),
      start('user\0x\0user\0y\0\0'),
      start('\0user\0x\0\0'),
      packet(protocol30, Buffer.from([0x75, 0, 0xff, 0xfe, 0, 0])),
      packet(protocol30, `${Array.from({ length: 65 }, (_, at) => `n${at}\0v\0`).join('')}\0`),
      packet(0x0002_0000, 'user\0x\0\0'),
      packet(0x0004_0000, 'user\0x\0\0'),
      packet(0, ''),
      packet(80877103, 'more'),
      packet(80877102, ''),
      packet(80877102, '1234'),
      packet(80877102, Buffer.alloc(4 + 257)),
      packet(80877105, ''),
    ];
    for (const bytes of bad) {
      assert.throws(() => decodeStartup(bytes), GatewayError, Buffer.from(bytes).toString('hex'));
    }
  });

  it('has a length that is sane', () => {
    for (const length of [0, 4, 7, -1, 10_005, 0x7fff_ffff, -0x8000_0000]) {
      assert.equal(startupBodyBytes(length), undefined);
    }
    assert.equal(startupBodyBytes(8), 4);
    assert.equal(startupBodyBytes(10_004), 10_000);
  });

  it('throws nothing but its own error at random bytes', () => {
    const codes = fc.constantFrom(
      protocol30,
      protocol32,
      0x0003_270f,
      80877102,
      80877103,
      80877104,
    );
    const bodies = fc.oneof(
      fc.tuple(codes, fc.uint8Array({ maxLength: 300 })).map(([code, body]) => packet(code, body)),
      fc.tuple(codes, fc.string({ maxLength: 100 })).map(([code, body]) => packet(code, body)),
      fc.uint8Array({ minLength: 4, maxLength: 100 }),
    );
    fc.assert(
      fc.property(bodies, (bytes) => {
        try {
          decodeStartup(bytes);
        } catch (thrown) {
          assert.ok(thrown instanceof GatewayError, String(thrown));
        }
      }),
    );
  });

  it('refuses to encode what would be read as something else', () => {
    for (const [name, value] of [
      ['user', 'x\0options\0-c role=admin'],
      ['us\0er', 'x'],
      ['', 'x'],
    ] as const) {
      assert.throws(() => encodeStartup(protocol30, new Map([[name, value]])), GatewayError);
    }
  });
});

describe('the options parameter', () => {
  it('is split as PostgreSQL splits it', () => {
    const cases: readonly (readonly [string, readonly string[]])[] = [
      ['', []],
      ['  \t\n ', []],
      ['-c a=b', ['-c', 'a=b']],
      ['-c a=b\\ c', ['-c', 'a=b c']],
      ['a\\\\b', ['a\\b']],
      ['\\ ', [' ']],
      ['a\\', ['a']],
      ['\\', ['']],
      [' x  y\u000bz ', ['x', 'y', 'z']],
    ];
    for (const [text, words] of cases) assert.deepEqual(splitOptions(text), words, text);
  });

  it('takes settings in three spellings, and no other switch', () => {
    assert.deepEqual(readOptions('-c a=b -cc=d --e-f=g=h -c I.J-K='), [
      ['a', 'b'],
      ['c', 'd'],
      ['e_f', 'g=h'],
      ['i.j_k', ''],
    ]);
    for (const text of ['-c', '-c a', '-c =b', '--', '--x', '-B 5', 'a=b', '-d', '-', '-c a=b x']) {
      assert.throws(() => readOptions(text), GatewayError, text);
    }
  });

  it('throws nothing but its own error', () => {
    const word = fc.constantFrom('-c', ' ', '--', '\\', '=', 'a', '-', '\t');
    fc.assert(
      fc.property(fc.array(word, { maxLength: 12 }), (words) => {
        try {
          readOptions(words.join(''));
        } catch (thrown) {
          assert.ok(thrown instanceof GatewayError);
        }
      }),
    );
  });
});
