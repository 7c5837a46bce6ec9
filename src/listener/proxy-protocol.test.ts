import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { GatewayError } from '#core/errors.ts';
import { proxyHeaderBytesMax, readProxyHeader } from './proxy-protocol.ts';

const signature = '0d0a0d0a000d0a515549540a';
const hex = (text: string): Uint8Array => Buffer.from(text.replaceAll(' ', ''), 'hex');
const ascii = (text: string): Uint8Array => Buffer.from(text, 'latin1');

const headers: readonly (readonly [name: string, bytes: Uint8Array, source: unknown])[] = [
  [
    'v1 TCP4',
    ascii('PROXY TCP4 203.0.113.7 198.51.100.1 56324 443\r\n'),
    { address: '203.0.113.7', port: 56324 },
  ],
  [
    'v1 TCP6',
    ascii('PROXY TCP6 2001:db8::7 2001:db8::1 1 65535\r\n'),
    { address: '2001:db8::7', port: 1 },
  ],
  ['v1 UNKNOWN', ascii('PROXY UNKNOWN\r\n'), undefined],
  ['v1 UNKNOWN with more', ascii('PROXY UNKNOWN ffff::1 anything\r\n'), undefined],
  [
    'v2 TCP4',
    hex(`${signature} 21 11 000c cb007107 c6336401 dc04 01bb`),
    { address: '203.0.113.7', port: 56324 },
  ],
  [
    'v2 TCP4 with extras',
    hex(`${signature} 21 11 0010 cb007107 c6336401 dc04 01bb 04000100`),
    { address: '203.0.113.7', port: 56324 },
  ],
  [
    'v2 TCP6',
    hex(
      `${signature} 21 21 0024 20010db8000000000000000000000007 20010db8000000000000000000000001 dc04 01bb`,
    ),
    { address: '2001:db8:0:0:0:0:0:7', port: 56324 },
  ],
  ['v2 LOCAL', hex(`${signature} 20 00 0000`), undefined],
  [
    'v2 LOCAL with an address',
    hex(`${signature} 20 11 000c 00000000 00000000 0000 0000`),
    undefined,
  ],
  ['v2 unspecified', hex(`${signature} 21 00 0000`), undefined],
];

describe('the PROXY header', () => {
  for (const [name, bytes, source] of headers) {
    it(`reads ${name}, and asks for more at every cut of it`, () => {
      for (let cut = 0; cut < bytes.length; cut += 1) {
        assert.equal(readProxyHeader(bytes.subarray(0, cut)), undefined, `${cut}`);
      }
      const expected = { bytes: bytes.length, source };
      assert.deepEqual(readProxyHeader(bytes), expected);
      assert.deepEqual(readProxyHeader(Buffer.concat([bytes, ascii('\x00PROXY')])), expected);
    });
  }

  it('refuses everything else', () => {
    const bad: readonly Uint8Array[] = [
      ascii('\x00\x00\x00\x08\x04\xd2\x16\x2f'),
      ascii('GET / HTTP/1.1\r\n'),
      ascii('PROXY TCP4 203.0.113.7 198.51.100.1 56324 443\n'),
      ascii('PROXY TCP4 203.0.113.7 198.51.100.1 56324\r\n'),
      ascii('PROXY TCP4 203.0.113.7 198.51.100.1 56324 443 1\r\n'),
      ascii('PROXY TCP4 203.0.113.7  198.51.100.1 56324 443\r\n'),
      ascii('PROXY TCP4 203.0.113.777 198.51.100.1 56324 443\r\n'),
      ascii('PROXY TCP4 2001:db8::7 2001:db8::1 56324 443\r\n'),
      ascii('PROXY TCP6 203.0.113.7 198.51.100.1 56324 443\r\n'),
      ascii('PROXY TCP4 203.0.113.7 198.51.100.1 65536 443\r\n'),
      ascii('PROXY TCP4 203.0.113.7 198.51.100.1 056 443\r\n'),
      ascii('PROXY UDP4 203.0.113.7 198.51.100.1 56 443\r\n'),
      ascii(`PROXY TCP4 ${'1'.repeat(200)}`),
      hex(`${signature} 31 11 000c cb007107 c6336401 dc04 01bb`),
      hex(`${signature} 22 11 000c cb007107 c6336401 dc04 01bb`),
      hex(`${signature} 21 12 000c cb007107 c6336401 dc04 01bb`),
      hex(`${signature} 21 31 000c cb007107 c6336401 dc04 01bb`),
      hex(`${signature} 21 11 000b cb007107 c6336401 dc04 01`),
      hex(`${signature} 21 21 000c cb007107 c6336401 dc04 01bb`),
      hex(`${signature} 21 11 ffff`),
    ];
    for (const bytes of bad) {
      assert.throws(() => readProxyHeader(bytes), GatewayError, Buffer.from(bytes).toString());
    }
  });

  it('is bounded, and throws nothing but its own error at random bytes', () => {
    const bytes = fc.oneof(
      fc.uint8Array({ maxLength: 300 }),
      fc.string({ maxLength: 150 }).map((text) => ascii(`PROXY TCP4 ${text}`)),
      fc.uint8Array({ maxLength: 300 }).map((tail) => Buffer.concat([hex(`${signature}21`), tail])),
    );
    fc.assert(
      fc.property(bytes, (sent) => {
        try {
          const header = readProxyHeader(sent);
          if (header !== undefined) assert.ok(header.bytes <= sent.length);
        } catch (thrown) {
          assert.ok(thrown instanceof GatewayError, String(thrown));
        }
      }),
    );
    // Whatever comes, more than the bound never asks for more.
    for (const start of [ascii('PROXY TCP4 1'), hex(`${signature} 21 11 0800`)]) {
      const long = Buffer.concat([start, Buffer.alloc(proxyHeaderBytesMax)]);
      let answer: unknown = 'refused';
      try {
        answer = readProxyHeader(long);
      } catch {}
      assert.notEqual(answer, undefined);
    }
  });
});
