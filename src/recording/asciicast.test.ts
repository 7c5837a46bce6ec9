import assert from 'node:assert/strict';
import { it } from 'node:test';
import { asciicastExporter } from './asciicast.ts';

const string = (text: string | Uint8Array): Buffer => {
  const bytes = Buffer.from(text);
  const length = Buffer.alloc(4);
  length.writeUInt32BE(bytes.length);
  return Buffer.concat([length, bytes]);
};
const zero = Buffer.alloc(4);

it('exports what was written as asciicast v3, without what was typed', () => {
  const take = asciicastExporter();
  const entry = (atUs: number, direction: 'from-client' | 'to-client', ...fields: Buffer[]) =>
    Buffer.from(
      take({
        kind: 'entry',
        entry: { kind: 'data', atUs, direction, bytes: string(Buffer.concat(fields)) },
      }),
    ).toString();
  entry(1_000, 'from-client', Buffer.from([90]), string('session'), zero, zero, zero);
  entry(1_000, 'to-client', Buffer.from([91]), zero, zero, zero, zero);
  const size = Buffer.from([0, 0, 0, 100, 0, 0, 0, 30]);
  const terminal = [Buffer.from([98]), zero, string('pty-req'), Buffer.from([1]), string('xterm')];
  assert.equal(entry(2_000, 'from-client', ...terminal, size), '[0.002000, "r", "100x30"]\n');
  assert.equal(entry(3_000, 'from-client', Buffer.from([94]), zero, string('hunter2\r')), '');
  // A letter of two bytes that comes in two messages.
  const out = (atUs: number, text: Uint8Array) =>
    entry(atUs, 'to-client', Buffer.from([94]), zero, string(text));
  assert.equal(out(500_000, Buffer.from([0x68, 0xc3])), '[0.498000, "o", "h"]\n');
  assert.equal(out(600_000, Buffer.from([0xa9, 0x0a])), '[0.100000, "o", "é\\n"]\n');
});

it('begins with channels where a mark says that they begin', () => {
  const take = asciicastExporter();
  const data = (direction: 'from-client' | 'to-client', bytes: Uint8Array): string =>
    Buffer.from(
      take({ kind: 'entry', entry: { kind: 'data', atUs: 0, direction, bytes } }),
    ).toString();
  const output = Buffer.concat([Buffer.from([94]), zero, string('hello')]);
  assert.equal(data('to-client', Buffer.from('HTTP/1.1 101 Switching Protocols\r\n\r\n')), '');
  take({ kind: 'entry', entry: { kind: 'mark', atUs: 0, mark: 'channels', data: '{}' } });
  const open = Buffer.concat([Buffer.from([90]), string('session'), zero, zero, zero]);
  data('from-client', string(open));
  assert.equal(data('to-client', string(output)), '[0.000000, "o", "hello"]\n');
  // A forwarded connection is not for eyes.
  const forwarded = Buffer.concat([Buffer.from([90]), string('direct-tcpip'), zero, zero, zero]);
  data('from-client', string(forwarded));
  assert.equal(data('to-client', string(output)), '');
});
