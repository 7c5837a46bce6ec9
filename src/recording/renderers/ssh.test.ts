import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { sshRenderer } from './ssh.ts';

const uint32 = (value: number): Buffer => {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32BE(value);
  return bytes;
};
const string = (text: string | Buffer): Buffer => {
  const bytes = Buffer.from(text);
  return Buffer.concat([uint32(bytes.length), bytes]);
};
const recorded = (type: number, ...fields: readonly Buffer[]): Buffer =>
  string(Buffer.concat([Buffer.from([type]), ...fields]));

const open = (id: number): Buffer =>
  recorded(90, string('session'), uint32(id), uint32(0), uint32(0));
const confirm = (client: number, gateway: number): Buffer =>
  recorded(91, uint32(client), uint32(gateway), uint32(0), uint32(0));
const request = (id: number, name: string, ...fields: readonly Buffer[]): Buffer =>
  recorded(98, uint32(id), string(name), Buffer.from([0]), ...fields);
const data = (id: number, text: string): Buffer => recorded(94, uint32(id), string(text));
const errors = (id: number, text: string): Buffer =>
  recorded(95, uint32(id), uint32(1), string(text));

type Piece = readonly ['from-client' | 'to-client', Buffer];

/** Client 7 is gateway 0 with a terminal; client 8 is gateway 1 without; 9 speaks SFTP. */
const session: readonly Piece[] = [
  ['from-client', open(7)],
  ['to-client', confirm(7, 0)],
  ['from-client', request(0, 'pty-req', string('xterm'), uint32(100), uint32(30))],
  ['from-client', request(0, 'shell')],
  ['to-client', data(7, 'Password: ')],
  ['from-client', data(0, 'hunter2\r')],
  ['to-client', data(7, '\r\nwelcome\r\n')],
  ['from-client', open(8)],
  ['to-client', confirm(8, 1)],
  ['from-client', request(1, 'exec', string('cat'))],
  ['from-client', data(1, 'given\n')],
  ['to-client', data(8, 'given\n')],
  ['to-client', errors(8, 'oops')],
  ['to-client', request(8, 'exit-status', uint32(3))],
  ['from-client', open(9)],
  ['to-client', confirm(9, 2)],
  ['from-client', request(2, 'subsystem', string('sftp'))],
  ['to-client', data(9, 'file content')],
  ['to-client', request(7, 'exit-signal', string('TERM'))],
];

const shown = (pieces: readonly Piece[]): string[] => {
  const renderer = sshRenderer();
  return pieces.flatMap(([direction, bytes]) => [...renderer.render(direction, bytes)]);
};

const expected = [
  '[1] (started: shell)',
  '[1] Password: ',
  '[1] welcome',
  '[2] (started: cat)',
  '[2] < given',
  '[2] given',
  '[2] ! oops',
  '[2] (exit 3)',
  '[3] (started: subsystem sftp)',
  '[1] (exit SIGTERM)',
];

describe('the renderer of SSH', () => {
  it('shows what channels wrote, and not what was typed on a terminal or moved as files', () => {
    assert.deepEqual(shown(session), expected);
  });

  it('shows the same however the bytes are cut', () => {
    const cut = session.flatMap(([direction, bytes]) =>
      Array.from(bytes, (_, index): Piece => [direction, bytes.subarray(index, index + 1)]),
    );
    assert.deepEqual(shown(cut), expected);
  });

  it('stops where the bytes are no messages, and never throws', () => {
    const lost = shown([['to-client', uint32(0xffffffff)], ...session]);
    assert.deepEqual(lost, ['(the rest is not in step and cannot be shown)']);
    fc.assert(
      fc.property(fc.array(fc.uint8Array({ maxLength: 64 })), (pieces) => {
        shown(pieces.map((bytes): Piece => ['from-client', string(Buffer.from(bytes))]));
        shown(pieces.map((bytes): Piece => ['to-client', Buffer.from(bytes)]));
      }),
    );
  });
});
